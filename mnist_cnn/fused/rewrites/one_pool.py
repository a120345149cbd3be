"""One thread pool for a graph of fast layers: Theano's elementwise operations do not use OpenMP."""

import copy

from theano.compile import optdb
from theano.gof import FunctionGraph
from theano.gof.opt import Optimizer
from theano.tensor import Elemwise

from ..ops.base import NativeOp

__all__ = []


class OnePool(Optimizer):
    """Has elementwise operations run on the calling thread, in a graph with fast layers.

    Theano uses OpenMP's threads for 200,000 numbers or more (a hidden layer at batch size 500). These
    threads then spin on the cores that the fast layers' threads need: a third of the time of two cores.
    """

    def add_requirements(self, fgraph):
        """It needs nothing of the graph."""

    def apply(self, fgraph: FunctionGraph) -> None:
        """Change the operations without a new node: they compute the same."""
        # Without threads of this package OpenMP stays: without it the compiler rounds other sums of products.
        if not any(isinstance(node.op, NativeOp) and node.op.openmp for node in fgraph.apply_nodes):
            return
        for node in fgraph.apply_nodes:
            if isinstance(node.op, Elemwise) and node.op.openmp:
                node.op = copy.copy(node.op)
                node.op.openmp = False


# after all other changes; the last is elementwise operations in place, 75
optdb.register("one_pool", OnePool(), 90, "fast_run")
