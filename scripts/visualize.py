#!/usr/bin/env python
"""Draw what a trained network learned: its kernels, a digit, and that digit's feature maps."""

import argparse
import sys


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--index", type=int, metavar="N",
                       help="the test image to show, numbered from 0 (default: a random one)")
    which.add_argument("--digit", type=int, choices=range(10), metavar="D",
                       help="show a random test image of this digit, 0 to 9")
    add("--output", default="pictures", metavar="DIR",
        help="folder for the pictures, PNG (default: %(default)s)")
    add("--data-dir", metavar="DIR",
        help="folder with the data set's four files (default: the copy of MNIST in the package)")
    add("--show", action="store_true", help="open the pictures in windows as well")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        from mnist_cnn import errors, stack, visualize
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2

    def command():
        stack.configure()
        visualize.main(**vars(args))

    return errors.run(command)


if __name__ == "__main__":
    sys.exit(main())
