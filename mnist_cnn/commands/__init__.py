"""The commands: ``mnist-cnn NAME``, ``python -m mnist_cnn NAME`` and ``scripts/NAME.py`` are the same.

Each module here is a command. Its docstring is the help, `add_arguments` adds the options, and `main` is
called with them. The signature of `main` has the defaults.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Sequence

from .. import __version__, compat
from ..system.process import main_guard
from ..system.signals import ENDING, set_handler

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["COMMANDS", "end_process", "main", "run"]

#: From a command's name to its line in the help.
COMMANDS = {
    "train": "train the network and save its weights",
    "visualize": "draw what a trained network has learned",
    "predict": "say which digits picture files show",
    "explore": "write a page to draw digits on and watch the network",
    "evaluate": "measure trained networks on the test digits",
    "sweep": "train over settings and seeds, on all cores",
    "export": "write a network to ONNX, safetensors or PyTorch",
    "benchmark": "measure the speed of a training step",
    "check_device": "check a GPU, and compare it with the CPU",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        self.exit(2, "{0}: error: {1}; see {0} --help\n".format(self.prog, " ".join(message.split())))


class _Start:
    """Handlers of Ctrl-C, SIGTERM and SIGHUP while a command is imported.

    The import takes half a second, or half a minute where Theano compiles, and an exception lets it clean
    up. A library's bare ``except:`` may swallow the exception, so the next import raises it again.
    """

    def __init__(self):
        self.received = []
        self.unraisable, sys.unraisablehook = sys.unraisablehook, self._drop_interrupts
        self.handlers = {signum: set_handler(signum, self._interrupt) for signum in ENDING}

    def _interrupt(self, signum, frame):
        self.received.append(signum)
        sys.meta_path.insert(0, self)
        raise KeyboardInterrupt

    def find_spec(self, *args):
        """Raise KeyboardInterrupt at each import."""
        raise KeyboardInterrupt

    def _drop_interrupts(self, unraisable):
        """Hide the traceback of a Ctrl-C within a destructor."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self.unraisable(unraisable)

    def end(self):
        """Restore everything."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        sys.unraisablehook = self.unraisable
        for signum, handler in self.handlers.items():
            if handler is not None:
                signal.signal(signum, handler)


def end_process(code: int) -> NoReturn:
    """Exit with a code; a first signal no longer interrupts Python's exit, a second one ends it at once."""
    for signum in ENDING:
        set_handler(signum, lambda signum, frame: signal.signal(signum, signal.SIG_DFL))
    sys.exit(code)


def run(name: str, arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    name : str
        A key of `COMMANDS`.
    arguments : list of str, optional
        Its options; by default the command line's.
    prog : str, optional
        The program's name in the help.

    Returns
    -------
    int
        The exit code, as `mnist_cnn.system.process.main_guard` returns it.

    Examples
    --------
    >>> from mnist_cnn.commands import run
    >>> run("train", ["--epochs", "0"])
    2
    """
    for number in range(3):  # the next file to be opened would get the number of a closed stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    start = _Start()
    try:
        code = _run(name, arguments, prog, start.received)
    except SystemExit as end:  # raised by the parser
        code = end.code
    except KeyboardInterrupt:
        code = None
    start.end()
    if start.received:
        print("interrupted", file=sys.stderr)
        return 128 + start.received[0]
    return code


def _run(name, arguments, prog, received):
    try:
        compat.check_environment()
        compat.require_configured_device()
        command = importlib.import_module("." + name, __name__)
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2
    if received:
        raise KeyboardInterrupt
    parser = _Parser(prog=prog, description=command.__doc__)
    command.add_arguments(parser)
    parser.set_defaults(
        **{
            name: parameter.default
            for name, parameter in inspect.signature(command.main).parameters.items()
            if parameter.default is not parameter.empty
        }
    )
    options = vars(parser.parse_args(arguments))
    return main_guard(lambda: compat.with_settings_of_the_user(lambda: command.main(**options)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mnist-cnn``: the command that the first argument names; return the exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default the command line's.
    """
    first, *others = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    name = first.replace("-", "_")
    if name in COMMANDS:
        return run(name, others, "mnist-cnn " + first)
    if first in ("--version", "-V"):
        print("mnist_cnn", __version__)
        return 0
    listing = "".join("  {:14}{}\n".format(name.replace("_", "-"), what) for name, what in COMMANDS.items())
    if first in ("--help", "-h"):
        print("usage: mnist-cnn COMMAND ...\n\n{}\nmnist-cnn COMMAND --help lists its options.".format(listing))
        return 0
    print("mnist-cnn: error: there is no command {!r}; see mnist-cnn --help".format(first), file=sys.stderr)
    return 2
