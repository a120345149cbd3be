"""Handwritten digit recognition with a convolutional network, in Lasagne on Theano.

Importing the package makes Lasagne 0.1 and Theano 1.0.5 run on CPython 3.10 and
later (see `mnist_cnn.compat`); the lesson is in `data`, `model`, `train`, `visualize` and
`predict`, and what goes beyond it in the packages beside them.
"""

from . import compat  # first: it mends Theano and Lasagne as they are imported

__version__ = "1.0.0"
