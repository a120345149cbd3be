"""Run an old Lasagne program, unchanged, on the mended stack.

    python -m mnist_cnn.compat PROGRAM.py [ARGUMENTS...]
"""

import os
import runpy
import sys

from ..fused.rewrites import tell_of_float64


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__.strip())
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))  # as Python does for a program
    tell_of_float64(lambda part: print(
        "mnist_cnn: this program computes in float64; with THEANO_FLAGS=floatX=float32 the fast path "
        "could take its parts (the first: {})".format(part), file=sys.stderr))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
