#!/usr/bin/env python
"""Train the plain recipe and each ingredient of the better one over several seeds, and print a
table of their accuracies. Broken off, it goes on where it was when it is started again."""

import argparse
import sys

from _command import run


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--epochs", dest="num_epochs", type=int, default=50, metavar="N",
        help="passes over the training data, in each training")
    add("--seeds", dest="num_seeds", type=int, default=3, metavar="N", help="seeds, from 1 on")
    add("--only", nargs="+", metavar="NAME", default=argparse.SUPPRESS,
        help="these variants, as the table names them, e.g. plain schedule (default: all)")
    add("--output", default="benchmarks.ablation", metavar="DIR", help="folder for the models and results.csv")
    add("--data-dir", metavar="DIR", default=argparse.SUPPRESS,
        help="folder with the four files of another data set in MNIST's format (default: the copy "
             "of MNIST in the package)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run("benchmarks.ablation", **vars(parse_args())))
