"""The package's own errors, and how a command ends with them."""

import os
import signal
import sys


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

    def _render_traceback_(self):
        """What IPython and Jupyter show of it: its line, not the way through our code."""
        return ["{}: {}".format(type(self).__name__, self)]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; `signum` is the signal's number.

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
        Ctrl-C, 143 for SIGTERM, 141 where the reader of the output went away. Any other exception
        is a defect of ours and goes through, with its traceback.

    Examples
    --------
    >>> from mnist_cnn.support.errors import run
    >>> run(lambda: print("done"))
    done
    0
    """
    try:
        command()
        sys.stdout.flush()
    except MnistCnnError as error:
        print("error: {}".format(error), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader has seen enough: train.py | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        return 128 + getattr(error, "signum", signal.SIGINT)
    return 0
