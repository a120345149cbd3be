"""Options of several commands."""

import argparse

__all__ = ["add_data_options"]


def add_data_options(parser: argparse.ArgumentParser, of_model: bool = False) -> None:
    """Add --dataset and --data-dir, whose default is a model's data set or MNIST."""
    default = "that of the model" if of_model else "MNIST"
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="a data set by name: mnist, fashion-mnist, kmnist, emnist-balanced and the other "
        "splits of EMNIST, cifar10; downloaded if it is missing (default: {})".format(default),
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder with the data set's files, packed or not (default: for MNIST the copy in the "
        "package, else a folder in the user's cache)",
    )
