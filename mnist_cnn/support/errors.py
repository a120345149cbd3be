"""The package's own errors, and how a command ends with them."""

import contextlib
import errno
import os
import re
import signal
import sys
import threading


#: Signals that end a process in good order; Windows has no SIGHUP.
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
               if hasattr(signal, name))


# Control characters, lone halves of pairs, and what turns the order of text or begins a new line.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text, also=""):
    r"""Escape what a terminal would obey, not show: file names, files and servers may hold it.

    Parameters
    ----------
    text : str
    also : str
        Characters to leave as they are.

    Returns
    -------
    str

    Examples
    --------
    >>> from mnist_cnn.support.errors import printable
    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return _OBEYED.sub(lambda found: found.group() if found.group() in also else found.group().encode(
        "unicode_escape", "surrogatepass").decode(), text)


class MnistCnnError(Exception):
    """Something the user can mend: its text says what is wrong and what to do, in one line.

    `exit_code` is what a command ends with because of it.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn
    >>> from mnist_cnn.support.errors import MnistCnnError
    >>> try:
    ...     build_cnn(num_classes=1)
    ... except MnistCnnError as error:
    ...     print("error:", error)
    error: num_classes is 1, not at least 2
    >>> MnistCnnError.exit_code
    2
    """

    exit_code = 2

    def __init__(self, text=""):
        super().__init__(printable(str(text)))

    def _render_traceback_(self):
        """What IPython and Jupyter show of it: its line, not the way through our code."""
        return ["{}: {}".format(type(self).__name__, self)]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP; `signum` is the signal's number.

    Examples
    --------
    >>> import signal
    >>> from mnist_cnn.support.errors import Interrupted
    >>> issubclass(Interrupted, KeyboardInterrupt), Interrupted(signal.SIGTERM).signum
    (True, <Signals.SIGTERM: 15>)
    """

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum

    def _render_traceback_(self):
        return ["Interrupted"]


class Output:
    """Standard output or error of a command, which goes on where nobody reads it any more.

    ``train.py | head -1`` trains and saves to its end. What cannot be shown is escaped, as is what a
    terminal would obey, and a line is shown when it is there, in a pipe as well.

    Parameters
    ----------
    stream : text file
    obeyed : str
        Control characters that the package itself writes there.

    Attributes
    ----------
    error : OSError or None
        Why some of it went nowhere, if it was not the reader who went away: a full disk.
    """

    def __init__(self, stream, obeyed="\n\t"):
        self.stream, self.error, self.obeyed = stream, None, obeyed
        with contextlib.suppress(AttributeError, ValueError):  # a stand-in, or closed
            stream.reconfigure(errors="backslashreplace", line_buffering=True)

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        with self._never_broken():
            self.stream.write(printable(text, self.obeyed))
        return len(text)

    def flush(self):
        with self._never_broken():
            self.stream.flush()

    @contextlib.contextmanager
    def _never_broken(self):
        try:
            yield
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.error = error
            # what is left in its buffer, and all that follows, goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


@contextlib.contextmanager
def _outputs():
    """Make both outputs patient; MnistCnnError at the end where some of stdout found no room."""
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


@contextlib.contextmanager
def signals(handler):
    """Have what ends a process in good order call a handler in the block.

    That is Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed, but for those that are ignored.

    Parameters
    ----------
    handler : callable
        Takes the signal's number and a frame.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may set them
        for signum in ENDING:
            if signal.getsignal(signum) != signal.SIG_IGN:  # nohup and the like stay in force
                before[signum] = signal.signal(signum, handler)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def interrupt(signum, frame):
    """A signal's handler that raises `Interrupted`."""
    raise Interrupted(signum)


def run(command):
    """Run a command-line program and return its exit code.

    Parameters
    ----------
    command : callable
        The program; takes no arguments.

    Returns
    -------
    int
        0 for success, a `MnistCnnError`'s own, which is mostly 2 (its line goes to stderr), 130 for
        Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. Any other exception is a defect of ours and goes through, with its
        traceback.

    Examples
    --------
    >>> from mnist_cnn.support.errors import run
    >>> run(lambda: print("done"))
    done
    0
    """
    try:
        with signals(interrupt), _outputs():
            command()
    except MnistCnnError as error:
        _say("error: {}".format(error))
        return error.exit_code
    except MemoryError:
        _say("error: the memory is full; end other programs, or take fewer examples or workers")
        return 2
    except KeyboardInterrupt as error:
        _say("interrupted")
        return 128 + getattr(error, "signum", signal.SIGINT)
    return 0


def note(text):
    """Tell the user what was done with what they gave, in a line on stderr.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> from mnist_cnn.support.errors import note
    >>> note("the labels begin at 1")
    """
    _say("note: {}".format(text))


def _say(line):
    """Print a line to stderr, unless that is closed."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
