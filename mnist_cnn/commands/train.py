"""Train the convolutional network on MNIST and save what it learned."""

import argparse

from ..training.config import RECIPES, add_options
from ..training.trainer import main
from .options import add_data_options

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--recipe",
        choices=list(RECIPES),
        help="plain: the tutorial's; best: the same network with a schedule for the learning rate, "
        "distorted digits and averaged weights; focused: the same, and hard digits more often; "
        "fast: a schedule and larger steps (default: %(default)s)",
    )
    add_options(parser)
    add_data_options(parser)
    add(
        "--output",
        metavar="FILE",
        help="the file of the weights; the history is saved beside it as CSV (default: %(default)s)",
    )
    add(
        "--checkpoint",
        metavar="FILE",
        help="the file of the run's state after every epoch (default: beside the weights, ending in .checkpoint)",
    )
    add("--resume", action="store_true", help="resume from the checkpoint; the result is that of an unbroken run")
    add(
        "--keep-best",
        action="store_true",
        help="keep the weights of the epoch with the best validation accuracy, not the last",
    )
    add(
        "--snapshots",
        action="store_true",
        help="save the first layer's kernels at every epoch too, and all weights of a dozen epochs, "
        "beside the weights, for visualize.py and explore.py",
    )
    add("--quiet", action="store_true", help="print the final results only")
