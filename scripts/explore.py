#!/usr/bin/env python
"""Write a page to draw digits on and watch a trained network at work, in one HTML file."""

import argparse
import sys

from _command import run


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add("--output", default="explore.html", metavar="FILE",
        help="the page to write (default: %(default)s)")
    add("--compare", metavar="MODEL", help="a second model, to be seen side by side with the first")
    add("--data-dir", metavar="DIR",
        help="folder with the data set's four files (default: the copy of MNIST in the package)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run("explorer", **vars(parse_args())))
