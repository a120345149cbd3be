"""Measure the speed of the train step, beside PyTorch's where that is installed.

With --evaluate, that of loss and accuracy without training. With --whole, the time of the whole
command, beside that of PyTorch's first epoch or of another training. The number of threads is
OMP_NUM_THREADS, or all processors.
"""

from ..benchmarks.step import main

__all__ = ["main"]


def add_arguments(parser):
    add = parser.add_argument
    add("--batch-sizes", type=int, nargs="+", metavar="N", help="examples in a train step (default: 50 500)")
    add(
        "--repeats",
        type=int,
        metavar="N",
        help="rounds; all have their turn in each, and the median counts (default: %(default)s)",
    )
    add("--seconds", type=float, metavar="X", help="about how long a turn lasts, in seconds (default: %(default)s)")
    add(
        "--evaluate",
        action="store_true",
        help="measure loss and accuracy on 10,000 images instead, PyTorch's in inference mode",
    )
    add(
        "--whole",
        action="store_true",
        help="time scripts/train.py from its start to its end instead, and PyTorch's first epoch",
    )
    add("--options", metavar="TEXT", help="with --whole: those of train.py, as one word (default: '%(default)s')")
    add(
        "--against",
        metavar="TEXT",
        help="with --whole: the options of a second train.py, to be timed in PyTorch's place",
    )
    add("--torch-python", metavar="PROGRAM", help="with --whole: the Python that has PyTorch (default: this one)")
    add("--network", metavar="NAME", help="tutorial, lasagne-cnn, cifar10-quick or small-vgg (default: %(default)s)")
    add(
        "--explain",
        action="store_true",
        help="print first what the fast layers make of each layer, why, and its milliseconds",
    )
