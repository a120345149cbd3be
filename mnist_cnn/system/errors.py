"""The package's own errors."""

import contextlib
import re
import sys

# Control characters, lone surrogates, marks of text direction and line separators.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, also: str = "") -> str:
    r"""Escape characters that control a terminal; file names, files and servers may hold them.

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
    """An error that the user can fix: its text says in one line what is wrong and what to do.

    A command that raises it ends with `exit_code`.
    """

    exit_code = 2

    def __init__(self, text: object = "") -> None:
        super().__init__(printable(str(text)))

    def _render_traceback_(self):
        """Show one line in IPython and Jupyter, without a traceback."""
        return ["{}: {}".format(type(self).__name__, self)]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP; `signum` is the signal's number."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    def _render_traceback_(self):
        return ["Interrupted"]


def note(text: str) -> None:
    """Print a line to stderr: how the package understood the user's input."""
    say("note: {}".format(text))


def say(line: str) -> None:
    """Print a line to stderr, unless stderr is closed."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
