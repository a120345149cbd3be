"""Poolings that belong to no convolution."""

import numpy as np
from theano.gof import Apply, Constant, FunctionGraph, Variable
from theano.tensor.signal.pool import Pool

from ..ops.conv2d import channels_first, channels_last
from ..ops.pooling import Pool2D, Pooling
from .matching import Match
from .rewriting import Rewriting, not_float32

__all__ = ["Poolings", "pooling_of"]


def pooling_of(node: Apply) -> Pooling | str | None:
    """The pooling that a node does.

    Parameters
    ----------
    node : Apply

    Returns
    -------
    Pooling, str or None
        A text says why the pooling stays Theano's; None: the node does not pool.
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
    """Replaces a pooling that is no part of a convolution by `Pool2D`."""

    name = "mnist_cnn_poolings"

    def is_main(self, node: Apply) -> bool:
        return isinstance(node.op, Pool)

    is_root = is_main

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        node = variable.owner
        pooling = pooling_of(node)
        x = node.inputs[0]
        if isinstance(pooling, str):
            return node, pooling

        def build(x):
            return [channels_first(Pool2D(*pooling)(channels_last(x)))]

        match = Match([x], [variable], build, becomes="Pool2D", why="the channels of a pixel side by side")
        return node, not_float32(x) or match

    def describe(self, node: Apply) -> str:
        return describe_pooling(pooling_of(node))


def describe_pooling(pooling: Pooling | str | None) -> str:
    """A pooling in words."""
    if not isinstance(pooling, Pooling):
        return "pooling"
    kind = {"max": "max", "sum": "sum"}.get(pooling.mode, "average")
    stride = "" if pooling.stride == pooling.size else " of stride {}x{}".format(*pooling.stride)
    return "{}x{} {}-pooling{}".format(*pooling.size, kind, stride)
