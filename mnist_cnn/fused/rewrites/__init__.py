"""The fast path as optimizations of Theano's graph, registered as this package is imported.

``THEANO_FLAGS=optimizer_excluding=NAME`` turns one of them off, and the name ``mnist_cnn`` all. They come
before Theano's canonicalization (1), while a graph looks as the program wrote it.
"""

from theano.compile import optdb

from . import double_sum, dropout, libm, one_pool, updates  # noqa: F401  registered as they are imported
from .batch_norm import BatchNorms
from .convolution import Convolutions
from .dense import Activations, Products
from .layout import Layout
from .pooling import Poolings
from .rewriting import tell_of_float64

__all__ = ["tell_of_float64"]

for _position, _rewriting in (
    (0.50, Convolutions),
    (0.51, Poolings),
    (0.52, BatchNorms),
    (0.53, Activations),
    (0.54, Products),
    (0.55, Layout),
):
    optdb.register(_rewriting.name, _rewriting(), _position, "fast_run", "mnist_cnn")
