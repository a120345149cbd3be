"""Measure the speed of the train step, and of PyTorch's, JAX's and Keras' where they are installed.

--evaluate measures loss and accuracy without training. --whole measures the time of the whole command,
and of PyTorch's training by the same recipe or another command. The number of threads is
OMP_NUM_THREADS, or all processors.
"""

import argparse

from ..benchmarks.step import main

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--batch-sizes", type=int, nargs="+", metavar="N", help="examples in a train step (default: 50 500)")
    add(
        "--repeats",
        type=int,
        metavar="N",
        help="rounds; each measures everything once, and the median counts (default: %(default)s)",
    )
    add("--seconds", type=float, metavar="X", help="seconds of one measurement, approximately (default: %(default)s)")
    add(
        "--evaluate",
        action="store_true",
        help="measure loss and accuracy on 10,000 images instead, PyTorch's in inference mode",
    )
    add(
        "--whole",
        action="store_true",
        help="time scripts/train.py from start to end instead, and PyTorch's training by the same recipe",
    )
    add(
        "--options",
        metavar="TEXT",
        help="with --whole: options of train.py, quoted as one word (default: '%(default)s')",
    )
    add("--against", metavar="TEXT", help="with --whole: options of a second train.py, timed instead of PyTorch")
    add(
        "--peers",
        nargs="+",
        metavar="PYTHON",
        help="Pythons that have PyTorch, JAX with optax, or Keras with TensorFlow (default: this one)",
    )
    add("--network", metavar="NAME", help="another network: docs/speed.md lists them (default: %(default)s)")
    add(
        "--explain",
        action="store_true",
        help="first print the fast path of each layer, the reason, and its milliseconds",
    )
