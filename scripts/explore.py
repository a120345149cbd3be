#!/usr/bin/env python
"""Write a page to draw digits on and watch a trained network at work, in one HTML file."""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # python -I leaves it out

from _command import add_data_options, run  # noqa: E402


def add_arguments(parser):
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add("--output", metavar="FILE",
        help="the page to write (default: %(default)s)")
    add("--compare", metavar="MODEL", help="a second model, to be seen side by side with the first")
    add_data_options(parser, of_model=True)


if __name__ == "__main__":
    sys.exit(run("explorer", __doc__, add_arguments))
