"""Draw what a trained network learned: by default its kernels, a digit, the digit's feature maps
and the training curves, and a page, index.html, that explains the figures."""

import argparse

from ..analysis.gallery import main
from .options import add_data_options

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--index", type=int, metavar="N", help="the test image to show, numbered from 0 (default: a random one)"
    )
    which.add_argument(
        "--digit", type=int, metavar="D", help="show a random test image of this digit, or of the class of this number"
    )
    which.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="show a random test image of the class of this name, e.g. Sneaker",
    )
    which.add_argument(
        "--image",
        metavar="FILE",
        help="show a picture of a digit: PNG, JPEG or the like, any size, dark on light or light on dark",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", dest="figures", action="store_const", const="all", help="draw all figures")
    what.add_argument(
        "--figures",
        nargs="+",
        metavar="NAME",
        help="draw these: kernels, signed_kernels, digit, feature_maps, history, "
        "architecture, activations, second_layer, classes, attribution, "
        "occlusion, confusion, accuracy, mistakes, reliability, embedding, tsne, "
        "evolution (default: the first five)",
    )
    add(
        "--versus",
        type=int,
        metavar="D",
        help="the number of the class that the attribution compares with the predicted one; it must be another "
        "class (default: the second likeliest)",
    )
    add(
        "--diverging",
        action="store_true",
        help="draw kernels and feature maps in blue and orange, with nearly white for zero",
    )
    add("--output", metavar="DIR", help="folder for the pictures and the page (default: %(default)s)")
    add_data_options(parser, of_model=True)
    add("--show", action="store_true", help="open the pictures in windows as well")
