"""What the scripts share: from the command line to a function of the package, and an exit code."""

import argparse
import importlib
import inspect
import sys


def add_data_options(parser, of_model=False):
    """Add --dataset and --data-dir; `of_model` where they are by default those of a model."""
    default = "that of the model" if of_model else "MNIST"
    parser.add_argument(
        "--dataset", metavar="NAME",
        help="a data set by name: mnist, fashion-mnist, kmnist, emnist-balanced and the other "
             "splits of EMNIST, cifar10; downloaded where it is missing (default: {})"
             .format(default))
    parser.add_argument(
        "--data-dir", metavar="DIR",
        help="folder with the data set's files, packed or not (default: for MNIST the copy in the "
             "package, else a folder in the user's cache)")


def run(module, description, add_arguments):
    """Call the `main` function of a module of the package with the command line's options.

    `add_arguments` adds them to a parser; their defaults are those of the function. Returns the
    exit code.
    """
    try:
        main = importlib.import_module("mnist_cnn." + module).main
        errors = importlib.import_module("mnist_cnn.support.errors")
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(description=description)
    add_arguments(parser)
    parser.set_defaults(**{
        name: parameter.default for name, parameter in inspect.signature(main).parameters.items()
        if parameter.default is not parameter.empty})
    options = vars(parser.parse_args())
    return errors.run(lambda: main(**options))
