#!/usr/bin/env python
"""Train the convolutional network on MNIST and save what it learned."""

import argparse
import sys
from pathlib import Path

from _command import run


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--recipe", choices=["plain", "best"], default="plain",
        help="plain: the tutorial's; best: the same network with a schedule for the learning rate, "
             "distorted digits and averaged weights (default: %(default)s)")
    add("--epochs", dest="num_epochs", type=int, default=5, metavar="N",
        help="passes over the training data (default: %(default)s)")
    add("--batch-size", type=int, metavar="N",
        help="examples in a training step (default: 50; with --recipe best 100)")
    add("--learning-rate", type=positive, default=argparse.SUPPRESS, metavar="X",
        help="step size of gradient descent (default: 0.01; with --recipe best the highest of its "
             "schedule, 0.05)")
    add("--momentum", type=fraction, default=0.9, metavar="X",
        help="Nesterov momentum, from 0 up to 1 (default: %(default)s)")
    add("--seed", type=seed, metavar="N",
        help="makes a run on the CPU repeat to the last bit, 0 to 2**32 - 1 (default: a new one)")
    add("--all-data", action="store_true",
        help="train on the 10,000 validation digits too, for a last run with all else decided: "
             "their accuracy says nothing then")
    add("--data-dir", metavar="DIR",
        help="folder with the four MNIST files, or others in their format; MNIST's are "
             "downloaded where missing (default: the copy in the package)")
    add("--output", default="model.npz", metavar="FILE",
        help="where the weights go; the history goes beside it as CSV (default: %(default)s)")
    add("--checkpoint", metavar="FILE",
        help="where the run's whole state goes, every epoch and when it is interrupted (default: "
             "beside the weights, ending in .checkpoint)")
    add("--resume", action="store_true",
        help="go on from the checkpoint, as if there had been no break")
    add("--keep-best", action="store_true",
        help="keep the weights of the epoch with the best validation accuracy, not the last")
    add("--snapshots", action="store_true",
        help="save the first layer's kernels at every epoch too, beside the weights, for "
             "visualize.py")
    add("--device", metavar="NAME",
        help="cpu, cuda, cuda0, opencl0:0 (default: what Theano's configuration says)")
    add("--no-fused", dest="fused", action="store_false",
        help="train the plain Lasagne network, without the fast C++ layers for the CPU")
    add("--quiet", action="store_true", help="print the final results only")
    args = parser.parse_args()
    if args.batch_size is None:
        args.batch_size = 100 if args.recipe == "best" else 50
    if args.checkpoint is None:
        args.checkpoint = Path(args.output).with_suffix(".checkpoint")
    return args


def positive(text):
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("{} is not a positive number".format(text))
    return value


def fraction(text):
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("{} is not in [0, 1)".format(text))
    return value


def seed(text):
    value = int(text)
    if not 0 <= value < 2 ** 32:
        raise argparse.ArgumentTypeError("{} is not in 0 to 2**32 - 1".format(text))
    return value


if __name__ == "__main__":
    sys.exit(run("train", **vars(parse_args())))
