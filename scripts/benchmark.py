#!/usr/bin/env python
"""Measure the speed of the train step, beside PyTorch's where that is installed.

The number of threads is OMP_NUM_THREADS, or all processors.
"""

import argparse
import sys


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--batch-sizes", type=int, nargs="+", default=[50, 500], metavar="N",
        help="examples in a train step")
    add("--repeats", type=int, default=7, metavar="N",
        help="rounds; all have their turn in each, and the median counts")
    add("--seconds", type=float, default=1, metavar="X", help="about how long a turn lasts")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        from mnist_cnn import benchmark, errors, stack
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2

    def command():
        stack.configure()
        benchmark.main(**vars(args))

    return errors.run(command)


if __name__ == "__main__":
    sys.exit(main())
