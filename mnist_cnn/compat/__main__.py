"""Run an old Lasagne program, unchanged, on the mended stack.

    python -m mnist_cnn.compat PROGRAM.py [ARGUMENTS...]

    python -m mnist_cnn.compat --install      Theano and Lasagne are mended in this environment, for good:
                                              plain `import theano`, notebooks, workers, tools
    python -m mnist_cnn.compat --uninstall    they are not any more
"""

import os
import runpy
import sys

from . import children
from ..support.errors import run


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__.strip())
    if sys.argv[1] == "--install":
        sys.exit(run(lambda: print("Theano and Lasagne are mended by", children.install())))
    if sys.argv[1] == "--uninstall":
        sys.exit(run(children.uninstall))
    del sys.argv[0]
    program = os.path.abspath(sys.argv[0])
    sys.path[0] = os.path.dirname(program)  # as Python does for a program
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
