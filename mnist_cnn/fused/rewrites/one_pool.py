"""One pool of threads for a graph of fast layers: Theano's elementwise operations keep out of OpenMP."""

import copy

from theano.compile import optdb
from theano.gof.opt import Optimizer
from theano.tensor import Elemwise

from ..ops.base import NativeOp

__all__ = []


class OnePool(Optimizer):
    """Has elementwise operations run on the calling thread, where there are fast layers.

    Theano gives 200,000 numbers and more to OpenMP's threads (a hidden layer's, at batch size 500).
    These then spin, waiting for more, on the processors that the fast layers' own threads want: a
    third of the time of two processors.
    """

    def add_requirements(self, fgraph):
        """It needs nothing of the graph."""

    def apply(self, fgraph):
        """Change the operations where they are: they compute what they did."""
        if not any(isinstance(node.op, NativeOp) for node in fgraph.apply_nodes):
            return
        for node in fgraph.apply_nodes:
            if isinstance(node.op, Elemwise) and node.op.openmp:
                node.op = copy.copy(node.op)
                node.op.openmp = False


# when all operations are what they will be: 75 is that of elementwise ones in place
optdb.register("one_pool", OnePool(), 90, "fast_run")
