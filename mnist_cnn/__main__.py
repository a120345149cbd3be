"""``python -m mnist_cnn COMMAND`` and the entry point ``mnist-cnn COMMAND``."""

import _signal  # in the interpreter itself, unlike signal: Ctrl-C is no traceback from here on

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from .commands import end_process, main


def program() -> None:
    """Run the command line, and end the process."""
    end_process(main())


if __name__ == "__main__":
    program()
