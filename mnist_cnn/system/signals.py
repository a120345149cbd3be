"""Handlers of the signals that end a process: SIGINT (Ctrl-C), SIGTERM, and SIGHUP of a closed terminal."""

import contextlib
import signal
import threading

from .errors import Interrupted

__all__ = ["ENDING", "interrupt", "set_handler", "signals"]

#: Their numbers; Windows has no SIGHUP.
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def set_handler(signum, handler):
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
def signals(handler):
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
        for signum, handler in before.items():
            if handler is not None:
                signal.signal(signum, handler)


def interrupt(signum, frame):
    """Raise `Interrupted`; a handler for `signals`."""
    raise Interrupted(signum)
