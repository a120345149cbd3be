#!/usr/bin/env python
"""Tell which digits picture files show, and how sure a trained network is."""

import sys

from _command import run


def add_arguments(parser):
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add("files", nargs="+", metavar="FILE",
        help="pictures of one digit each: PNG, JPEG or the like, any size, dark on light or light "
             "on dark")


if __name__ == "__main__":
    sys.exit(run("predict", __doc__, add_arguments))
