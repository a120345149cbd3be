"""Theano and Lasagne are mended at their first import: python -m mnist_cnn.compat --uninstall undoes it.

Python runs this file, as ``mnist_cnn_mends``, at its start in an environment that a wheel of the project or
`mnist_cnn.compat.children.install` put it into. It imports nothing until Theano or Lasagne is asked for.
"""

import importlib.util
import os
import sys


class _Finder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname not in ("theano", "lasagne"):
            return None
        sys.meta_path.remove(cls)
        if "mnist_cnn.compat" in sys.modules:
            return None
        # a program's folder may have a mnist_cnn.py of its own, as Keras' examples have
        others = [folder for folder in sys.path if os.path.isfile(os.path.join(folder, "mnist_cnn.py"))]
        sys.path[:] = [folder for folder in sys.path if folder not in others]
        try:
            import mnist_cnn.compat  # noqa: F401
        finally:
            sys.path[:0] = others

        return importlib.util.find_spec(fullname)


sys.meta_path.insert(0, _Finder)
