"""The package's own errors, and how a command ends with them."""

import contextlib
import re
import sys

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
    >>> from mnist_cnn.system.errors import printable
    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return _OBEYED.sub(
        lambda found: (
            found.group() if found.group() in also else found.group().encode("unicode_escape", "surrogatepass").decode()
        ),
        text,
    )


class MnistCnnError(Exception):
    """Something the user can mend: its text says what is wrong and what to do, in one line.

    `exit_code` is what a command ends with because of it.
    """

    exit_code = 2

    def __init__(self, text=""):
        super().__init__(printable(str(text)))

    def _render_traceback_(self):
        """What IPython and Jupyter show of it: its line, not the way through our code."""
        return ["{}: {}".format(type(self).__name__, self)]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP; `signum` is the signal's number."""

    def __init__(self, signum):
        super().__init__(signum)
        self.signum = signum

    def _render_traceback_(self):
        return ["Interrupted"]


def note(text):
    """Tell the user what was done with what they gave, in a line on stderr.

    Parameters
    ----------
    text : str
    """
    say("note: {}".format(text))


def say(line):
    """Print a line to stderr, unless that is closed."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
