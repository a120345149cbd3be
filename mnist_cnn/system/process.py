"""A command-line program as a process: its outputs, its signals, its exit code."""

from __future__ import annotations  # for Pythons that are too old, which are told so

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper

from .errors import MnistCnnError, printable, say
from .signals import interrupt, signals

__all__ = ["Output", "main_guard"]


class Output:
    r"""Standard output or error of a command, which continues after the reader closes the pipe.

    ``train.py | head -1`` trains and saves to its end. Characters that the stream cannot encode or that
    control a terminal are escaped. Lines are not buffered, not even in a pipe.

    Parameters
    ----------
    stream : text file
    obeyed : str
        Control characters that are not escaped.

    Attributes
    ----------
    error : OSError or None
        Why output was lost, such as a full disk; a closed pipe is no error.

    Examples
    --------
    >>> import io
    >>> from mnist_cnn.system.process import Output
    >>> stream = io.StringIO()
    >>> _ = Output(stream).write("a\x1b[2J")  # a terminal would clear its screen
    >>> stream.getvalue()
    'a\\x1b[2J'
    """

    def __init__(self, stream: TextIOWrapper, obeyed: str = "\n\t") -> None:
        self.stream, self.error, self.obeyed = stream, None, obeyed
        with contextlib.suppress(AttributeError, ValueError):  # a stand-in, or closed
            stream.reconfigure(errors="backslashreplace", line_buffering=True)

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with self._never_broken():
            self.stream.write(printable(text, self.obeyed))
        return len(text)

    def flush(self) -> None:
        with self._never_broken():
            self.stream.flush()

    @contextlib.contextmanager
    def _never_broken(self):
        try:
            yield
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.error = error
            # discards the rest of the buffer and all later output
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


@contextlib.contextmanager
def _outputs():
    """Wrap both outputs in `Output`; raise MnistCnnError at the end where stdout could not be written."""
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stdout and Output(sys.stdout)
    sys.stderr = sys.stderr and Output(sys.stderr, "\n\t\r")  # a progress bar begins its line anew
    wrapped = sys.stdout
    try:
        try:
            yield
        finally:
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
        if isinstance(wrapped, Output) and wrapped.error:
            raise MnistCnnError("cannot write the output: {}".format(wrapped.error.strerror))
    finally:
        sys.stdout, sys.stderr = before


def main_guard(command: Callable[[], object]) -> int:
    """Run a command-line program and return its exit code.

    Parameters
    ----------
    command : callable
        Takes no arguments.

    Returns
    -------
    int
        0 for success, the `exit_code` of a `MnistCnnError` (its line goes to stderr), 130 for Ctrl-C,
        143 for SIGTERM, 129 for SIGHUP. Any other exception is a bug and keeps its traceback.

    Examples
    --------
    >>> from mnist_cnn.system.process import main_guard
    >>> main_guard(lambda: print("done"))
    done
    0
    """
    try:
        with signals(interrupt), _outputs():
            command()
    except MnistCnnError as error:
        say("error: {}".format(error))
        return error.exit_code
    except MemoryError:
        say("error: the memory is full; end other programs, or take fewer examples or workers")
        return 2
    except KeyboardInterrupt as error:
        say("interrupted")
        return 128 + getattr(error, "signum", signal.SIGINT)
    return 0
