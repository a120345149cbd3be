"""Poolings by themselves, and what a pooling in the graph is."""

import numpy as np
from theano.gof import Constant
from theano.tensor.signal.pool import Pool

from ..ops.conv2d import first, last
from ..ops.pooling import Pool2D, Pooling
from .matching import Match
from .rewriting import Rewriting, in_float32

__all__ = ["Poolings", "pooling_of"]


def pooling_of(node):
    """The pooling that a node does.

    Parameters
    ----------
    node : Apply

    Returns
    -------
    Pooling, str or None
        A text says why a pooling cannot be had; None: the node does not pool.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.pooling import pooling_of
    >>> import theano.tensor as T
    >>> from theano.tensor.signal.pool import pool_2d
    >>> pooled = pool_2d(T.ftensor4(), (3, 3), ignore_border=True, stride=(2, 2))
    >>> pooling_of(pooled.owner).stride
    (2, 2)
    """
    if not isinstance(node.op, Pool):
        return None
    if node.op.ndim != 2 or node.inputs[0].ndim != 4:
        return "it pools over {} axes of {}".format(node.op.ndim, node.inputs[0].ndim)
    if not all(isinstance(variable, Constant) for variable in node.inputs[1:]):
        return "the window's size is not a constant"
    size, stride, pad = (tuple(int(n) for n in np.ravel(variable.data)) for variable in node.inputs[1:])
    return Pooling(size, stride, bool(node.op.ignore_border), node.op.mode, pad)


class Poolings(Rewriting):
    """Puts `Pool2D` in the place of a pooling that is no part of a convolution.

    Examples
    --------
    >>> import mnist_cnn.model  # sets float32
    >>> import theano
    >>> import theano.tensor as T
    >>> from mnist_cnn.fused import explain
    >>> x = T.ftensor4("x")
    >>> print(explain(theano.function([x], T.signal.pool.pool_2d(x, (2, 2), True))).splitlines()[1])
    2x2 max-pooling  Pool2D   the channels of a pixel side by side
    """

    name = "mnist_cnn_poolings"

    def is_main(self, node):
        return isinstance(node.op, Pool)

    is_root = is_main

    def match(self, fgraph, variable):
        node = variable.owner
        pooling = pooling_of(node)
        x = node.inputs[0]
        if isinstance(pooling, str):
            return node, pooling
        if in_float32(x):
            return node, in_float32(x)

        def build(x):
            return [first(Pool2D(*pooling)(last(x)))]

        return node, Match([x], [variable], build, becomes="Pool2D", why="the channels of a pixel side by side")

    def describe(self, node):
        return describe_pooling(pooling_of(node))


def describe_pooling(pooling):
    """A pooling in words.

    Examples
    --------
    >>> from mnist_cnn.fused.ops.pooling import Pooling
    >>> from mnist_cnn.fused.rewrites.pooling import describe_pooling
    >>> describe_pooling(Pooling((2, 2), (2, 2), True, "max", (0, 0)))
    '2x2 max-pooling'
    """
    if isinstance(pooling, str):
        return "pooling"
    kind = {"max": "max", "sum": "sum"}.get(pooling.mode, "average")
    stride = "" if pooling.stride == pooling.size else " of stride {}x{}".format(*pooling.stride)
    return "{}x{} {}-pooling{}".format(*pooling.size, kind, stride)
