#!/usr/bin/env python
"""Train the plain recipe and each ingredient of the better one over several seeds, and print how
they compare. Broken off, it goes on where it was when it is started again."""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # python -I leaves it out

from _command import add_data_options, run  # noqa: E402


def add_arguments(parser):
    add = parser.add_argument
    add("--epochs", dest="num_epochs", type=int, metavar="N",
        help="passes over the training data, in each training (default: %(default)s)")
    add("--seeds", metavar="LIST", help="seeds, like 1-10 or 1-3,7 (default: %(default)s)")
    add("--only", nargs="+", metavar="NAME",
        help="these variants, as the table names them, e.g. plain schedule (default: all)")
    add("--output", metavar="DIR",
        help="folder for the records, the models, the table and the picture (default: %(default)s)")
    add_data_options(parser)
    add("--scheduler", metavar="ADDRESS",
        help="a Dask scheduler, e.g. tcp://HOST:8786 (default: workers on this machine)")
    add("--workers", type=int, metavar="N",
        help="workers on this machine (default: as many as it has cores and memory for)")
    add("--threads", type=int, metavar="N",
        help="threads of each of these workers (default: the cores shared out)")


if __name__ == "__main__":
    sys.exit(run("benchmarks.ablation", __doc__, add_arguments))
