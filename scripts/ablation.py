#!/usr/bin/env python
"""Train the plain recipe and each ingredient of the better one over several seeds, and print a
table of their accuracies. Broken off, it goes on where it was when it is started again."""

import sys

from _command import run


def add_arguments(parser):
    add = parser.add_argument
    add("--epochs", dest="num_epochs", type=int, metavar="N",
        help="passes over the training data, in each training (default: %(default)s)")
    add("--seeds", dest="num_seeds", type=int, metavar="N", help="seeds, from 1 on (default: %(default)s)")
    add("--only", nargs="+", metavar="NAME",
        help="these variants, as the table names them, e.g. plain schedule (default: all)")
    add("--output", metavar="DIR",
        help="folder for the models and results.csv (default: %(default)s)")
    add("--data-dir", metavar="DIR",
        help="folder with the four files of another data set in MNIST's format (default: the copy "
             "of MNIST in the package)")


if __name__ == "__main__":
    sys.exit(run("benchmarks.ablation", __doc__, add_arguments))
