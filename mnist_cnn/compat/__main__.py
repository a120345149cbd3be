"""Run an old Lasagne program, unchanged, on the mended stack.

python -m mnist_cnn.compat PROGRAM.py [ARGUMENTS...]

python -m mnist_cnn.compat --install      Theano and Lasagne are mended in this environment, for good:
                                          plain `import theano`, notebooks, workers, tools
python -m mnist_cnn.compat --uninstall    they are not any more
"""

import contextlib
import os
import runpy
import sys
import traceback

from ..system.process import main_guard
from . import children, import_hooks
from .dropped_names import restore_names
from .python2 import why_python_2


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__.strip())
    if sys.argv[1] == "--install":
        sys.exit(main_guard(lambda: print("Theano and Lasagne are mended by", children.install())))
    if sys.argv[1] == "--uninstall":
        sys.exit(main_guard(children.uninstall))
    del sys.argv[0]
    program = os.path.abspath(sys.argv[0])
    sys.path[0] = os.path.dirname(program)  # as Python does for a program
    restore_names()
    children.FIRST_LINES.append("from mnist_cnn.compat.dropped_names import restore_names\nrestore_names()")
    import_hooks.around("theano")(_tell_of_float64)
    try:
        runpy.run_path(program, run_name="__main__")
    except (SyntaxError, NameError, ImportError) as error:
        reason = why_python_2(error)
        if not reason:
            raise
        traceback.print_exc()
        sys.exit("mnist_cnn: {}: {}; 2to3 converts it, or the package modernize".format(sys.argv[0], reason))


@contextlib.contextmanager
def _tell_of_float64():
    """Print once that float64 alone keeps the program from the fast path."""
    yield
    from ..fused.rewrites import tell_of_float64

    tell_of_float64(
        lambda part: print(
            "mnist_cnn: this program computes in float64; with THEANO_FLAGS=floatX=float32 the fast path "
            "could take its parts (the first: {})".format(part),
            file=sys.stderr,
        )
    )


if __name__ == "__main__":
    main()
