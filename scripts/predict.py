#!/usr/bin/env python
"""Tell what picture files show, and how sure a trained network is."""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # python -I leaves it out

from _command import add_data_options, run  # noqa: E402


def add_arguments(parser):
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add("files", nargs="+", metavar="FILE",
        help="pictures: PNG, JPEG or the like, any size. Of a digit or a number, dark on light or "
             "light on dark: several shapes are several digits, read from left to right. For a "
             "model of other images than handwriting a file is one picture, cut or filled up to "
             "their proportions. Or images in CSV, a row each, such as Kaggle's test.csv")
    add("--single", action="store_true",
        help="take all that a picture shows for one digit, even where its strokes lie apart")
    add("--show", metavar="DIR",
        help="save there what the network saw of each file, beside the file with its digits boxed")
    formats = parser.add_mutually_exclusive_group()
    for name, note in (("csv", "; for images in CSV a submission to Kaggle"), ("json", "")):
        formats.add_argument("--" + name, dest="output_format", action="store_const", const=name,
                             help="print {} in place of a table{}".format(name.upper(), note))
    add_data_options(parser, of_model=True)


if __name__ == "__main__":
    sys.exit(run("predict", __doc__, add_arguments))
