"""Measure trained networks on the test digits; several also together, as an ensemble."""

import argparse

from ..analysis.evaluate import main
from .options import add_data_options

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "models",
        nargs="+",
        metavar="MODEL",
        help="weights that train.py saved, e.g. model.npz; or a folder of them, such as a sweep's",
    )
    add_data_options(parser, of_model=True)
