#!/usr/bin/env python
"""Measure trained networks on the test digits; several also together, as an ensemble."""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # python -I leaves it out

from _command import add_data_options, run  # noqa: E402


def add_arguments(parser):
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL",
        help="weights that train.py saved, e.g. model.npz; or a folder of them, such as a sweep's")
    add_data_options(parser, of_model=True)


if __name__ == "__main__":
    sys.exit(run("analysis.evaluate", __doc__, add_arguments))
