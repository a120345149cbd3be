"""Check a GPU: its properties, and the train step's speed compared with the CPU's.

--full writes a table: weights compared with the CPU's, trainings on the device, on the CPU and with
PyTorch, and Theano's profile.
"""

import argparse

from ..benchmarks.device import main

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--device", metavar="NAME", help="cuda, cuda0, opencl0:0 (default: %(default)s)")
    add("--batch-sizes", type=int, nargs="+", metavar="N", help="examples in a train step (default: 50 500)")
    add("--full", action="store_true", help="compare in full")
    add(
        "--epochs",
        dest="num_epochs",
        type=int,
        metavar="N",
        help="with --full: passes of each training (default: %(default)s)",
    )
    add("--examples", type=int, metavar="N", help="train, validate and test on N examples only, for a short trial")
    add("--output", metavar="DIR", help="with --full: the folder for table, profiles and models (default: %(default)s)")
    add("--torch-python", metavar="PROGRAM", help="with --full: the Python that has PyTorch (default: this one)")
