"""The package's own error, and how a command ends with it."""

import sys


class MnistCnnError(Exception):
    """Something the user can mend: its text says what is wrong and what to do, in one line."""


def run(command):
    """Run a command-line program and return its exit code.

    Parameters
    ----------
    command : callable
        The program; takes no arguments.

    Returns
    -------
    int
        0 for success, 2 for a `MnistCnnError` (whose line goes to stderr), 130 for Ctrl-C.
        Any other exception is a defect of ours and goes through, with its traceback.
    """
    try:
        command()
    except MnistCnnError as error:
        print("error: {}".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0
