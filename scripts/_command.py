"""What the scripts share: from parsed arguments to the package, and to an exit code."""

import importlib
import sys


def run(name, device=None, **options):
    """Call the main function of a module of the package with `options`; returns the exit code."""
    try:
        from mnist_cnn.support import errors
        from mnist_cnn import compat as stack
        main = importlib.import_module("mnist_cnn." + name).main
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2

    def command():
        stack.configure(device)
        main(**options)

    return errors.run(command)
