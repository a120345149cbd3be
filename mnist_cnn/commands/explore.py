"""Write a page to draw digits on and watch a trained network at work, in one HTML file."""

import argparse

from ..explorer import main
from .options import add_data_options

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add("--output", metavar="FILE", help="the page to write (default: %(default)s)")
    add("--compare", metavar="MODEL", help="a second model, to be seen side by side with the first")
    add_data_options(parser, of_model=True)
