"""Handlers of the signals that end a process: SIGINT (Ctrl-C), SIGTERM, and SIGHUP of a closed terminal."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from .errors import Interrupted

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

    Handler = Callable[[int, FrameType | None], object] | int | None

__all__ = ["ENDING", "interrupt", "set_handler", "signals"]

#: Their numbers; Windows has no SIGHUP.
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def set_handler(signum: int, handler: Handler) -> Handler | None:
    """Set a signal's handler, unless the process ignores the signal, as under nohup.

    Parameters
    ----------
    signum : int
    handler : callable or signal.Handlers

    Returns
    -------
    callable, signal.Handlers or None
        The previous handler. None where the signal is ignored, or outside of the main thread, because
        only the main thread may set handlers.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signum) == signal.SIG_IGN:
        return None
    return signal.signal(signum, handler)


@contextlib.contextmanager
def signals(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Call a handler for the signals of `ENDING` within a block.

    Parameters
    ----------
    handler : callable
        Takes the signal's number and a frame.

    Yields
    ------
    None

    Examples
    --------
    >>> import signal
    >>> from mnist_cnn.system.signals import signals
    >>> with signals(lambda signum, frame: print("ended")):
    ...     signal.raise_signal(signal.SIGTERM)
    ended
    """
    before = {signum: set_handler(signum, handler) for signum in ENDING}
    try:
        yield
    finally:
        for signum, previous in before.items():
            if previous is not None:
                signal.signal(signum, previous)


def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """Raise `Interrupted`; a handler for `signals`."""
    raise Interrupted(signum)
