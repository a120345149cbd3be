#!/usr/bin/env python
"""Measure trained networks on the test digits; several also together, as an ensemble."""

import sys

from _command import run


def add_arguments(parser):
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL",
        help="weights that train.py saved, e.g. model.npz; or a folder of them, such as a sweep's")
    add("--data-dir", metavar="DIR",
        help="folder with the four files of another data set in MNIST's format (default: the copy "
             "of MNIST in the package)")


if __name__ == "__main__":
    sys.exit(run("analysis.evaluate", __doc__, add_arguments))
