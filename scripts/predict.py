#!/usr/bin/env python
"""Tell which digits picture files show, and how sure a trained network is."""

import argparse
import sys


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add("files", nargs="+", metavar="FILE",
        help="pictures of one digit each: PNG, JPEG or the like, any size, dark on light or light "
             "on dark")
    return parser.parse_args()


def main():
    args = parse_args()
    try:
        from mnist_cnn import errors, predict, stack
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2

    def command():
        stack.configure()
        predict.main(**vars(args))

    return errors.run(command)


if __name__ == "__main__":
    sys.exit(main())
