"""Handwritten digit recognition with a convolutional network, in Lasagne on Theano.

Importing the package makes Lasagne 0.1 and Theano 1.0.5 run on CPython 3.10 and
later (see `mnist_cnn.compat`); the lesson is in `data`, `model`, `train`, `visualize` and
`predict`, and what goes beyond it in the packages beside them.
"""

import contextlib

from . import compat  # first: it mends Theano and Lasagne as they are imported


@compat.import_hooks.around("theano")
@contextlib.contextmanager
def _make_functions_fast():
    yield
    from . import fused  # noqa: F401  its optimizations are registered


__version__ = "1.0.0"
