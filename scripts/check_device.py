#!/usr/bin/env python
"""Check a GPU: what is found there, and the train step's speed beside the CPU's.

With --full, all there is to know about it: weights against the CPU's, trainings on the device, on
the CPU and with PyTorch, and Theano's profile, in a table.
"""

import argparse
import sys

from _command import run


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--device", default="cuda", metavar="NAME", help="cuda, cuda0, opencl0:0")
    add("--batch-sizes", type=int, nargs="+", default=[50, 500], metavar="N",
        help="examples in a train step")
    add("--full", action="store_true", help="compare in full")
    add("--epochs", type=int, default=5, metavar="N", help="with --full: passes of each training")
    add("--examples", type=int, metavar="N",
        help="train, validate and test on so many only, for a short trial")
    add("--output", default="gpu_check", metavar="DIR",
        help="with --full: the folder for table, profiles and models")
    add("--torch-python", default=sys.executable, metavar="PROGRAM",
        help="with --full: the Python that has PyTorch")
    return parser.parse_args()


if __name__ == "__main__":
    args = parse_args()
    # the device goes to the program itself, which measures on the CPU first
    sys.exit(run("benchmarks.device", device=None, check=args.device, batch_sizes=args.batch_sizes,
                 full=args.full, num_epochs=args.epochs, examples=args.examples,
                 output=args.output, torch_python=args.torch_python))
