"""Starts a command of the package; what is not installed is taken from this clone."""

import _signal  # in the interpreter itself, unlike signal: Ctrl-C is no traceback from here on

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from mnist_cnn.commands import end_process, run


def launch(name):
    """Run a command of the package by the command line's options, and end the process."""
    end_process(run(name))
