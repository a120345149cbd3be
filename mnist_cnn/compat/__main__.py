"""Run an old Lasagne program, unchanged, on the mended stack.

    python -m mnist_cnn.compat PROGRAM.py [ARGUMENTS...]
"""

import os
import runpy
import sys


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__.strip())
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))  # as Python does for a program
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
