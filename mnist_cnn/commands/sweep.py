"""Train several settings with several seeds each, on all cores or on a Dask cluster, and compare
them. An interrupted sweep resumes when it is started again."""

import argparse

from ..sweeps import main
from .options import add_data_options

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "spec",
        nargs="*",
        metavar="SPEC",
        help="recipes (plain, best, focused, fast), or a TOML file with settings (default: plain)",
    )
    add("--seeds", metavar="LIST", help="seeds, like 1-10 or 1-3,7 (default: the file's, or 1-3)")
    add(
        "--grid",
        nargs="+",
        metavar="OPTION=VALUES",
        help="train every point of a grid, e.g. --grid dropout=.2,.5 learning-rate=.03,.05",
    )
    add(
        "--epochs",
        dest="num_epochs",
        type=int,
        metavar="N",
        help="passes over the training data, in each training (default: the recipe's)",
    )
    add(
        "--output",
        metavar="DIR",
        help="folder for the records, the models, the table and the picture (default: %(default)s)",
    )
    add_data_options(parser)
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler, e.g. tcp://HOST:8786 (default: workers on this machine)",
    )
    add(
        "--workers",
        type=int,
        metavar="N",
        help="workers on this machine (default: as many as it has cores and memory for)",
    )
    add("--threads", type=int, metavar="N", help="threads of each worker (default: all cores divided by the workers)")
