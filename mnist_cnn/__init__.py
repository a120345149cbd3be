"""Handwritten digit recognition with a convolutional network, in Lasagne on Theano.

Importing the package makes Lasagne 0.1 and Theano 1.0.5 run on CPython 3.8 to 3.11 (see
`mnist_cnn.compat`); the lesson is in `data`, `model`, `train`, `visualize` and
`predict`, and what goes beyond it in the packages beside them.
"""

from . import compat  # first: neither Theano nor Lasagne imports without it
from . import fused  # noqa: F401  makes every function fast that is compiled from now on

__version__ = "1.0.0"
