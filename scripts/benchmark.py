#!/usr/bin/env python
"""Measure the speed of the train step, beside PyTorch's where that is installed.

The number of threads is OMP_NUM_THREADS, or all processors.
"""

import argparse
import sys

from _command import run


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


if __name__ == "__main__":
    sys.exit(run("benchmarks.step", **vars(parse_args())))
