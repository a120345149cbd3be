"""The package's own errors, and how a command ends with them."""

import os
import signal
import sys


class MnistCnnError(Exception):
    """Something the user can mend: its text says what is wrong and what to do, in one line."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; `signum` is the signal's number."""

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum


def run(command):
    """Run a command-line program and return its exit code.

    Parameters
    ----------
    command : callable
        The program; takes no arguments.

    Returns
    -------
    int
        0 for success, 2 for a `MnistCnnError` (whose line goes to stderr), 130 for Ctrl-C, 143
        for SIGTERM, 141 where the reader of its output went away. Any other exception is a defect of ours and goes through, with its traceback.
    """
    try:
        command()
        sys.stdout.flush()
    except MnistCnnError as error:
        print("error: {}".format(error), file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough: train.py | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        return 128 + getattr(error, "signum", signal.SIGINT)
    return 0
