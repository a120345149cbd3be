"""Whether later operations may compare values, so that equal patches have to give equal values."""

import theano.tensor as T
from theano.gof import FunctionGraph, Variable
from theano.tensor import DimShuffle, Dot, Elemwise, Join, Rebroadcast, Reshape, Shape, Subtensor
from theano.tensor.elemwise import Sum
from theano.tensor.nnet.abstract_conv import BaseAbstractConv
from theano.tensor.opt import Shape_i
from theano.tensor.signal.pool import AveragePoolGrad, MaxPoolGrad, Pool

from ..ops.conv2d import Conv2D, Conv2DGrad
from ..ops.stage import ConvReluPool, ConvReluPoolGrad

__all__ = ["are_compared"]

# Operations that add products of values, or read none.
_SUMS = (
    BaseAbstractConv,
    Conv2D,
    Conv2DGrad,
    ConvReluPool,
    ConvReluPoolGrad,
    Dot,
    Sum,
    Shape,
    Shape_i,
    AveragePoolGrad,
)
# Operations that pass each value on by itself.
_PASSING = (Elemwise, DimShuffle, Reshape, Rebroadcast, Join, Subtensor, T.IncSubtensor)


def are_compared(fgraph: FunctionGraph, variable: Variable) -> bool:
    """Whether an operation after a variable may compare its values with one another.

    Parameters
    ----------
    fgraph : FunctionGraph
    variable : Theano variable

    Returns
    -------
    bool
        False where all operations that read the values add them, as convolutions and products do.
    """
    seen, waiting = set(), [variable]
    while waiting:
        for node, place in fgraph.clients(waiting.pop()):
            if node == "output" or node in seen:
                continue
            if isinstance(node.op, MaxPoolGrad) and place > 0:
                continue  # the pooling's own result, or a gradient
            seen.add(node)
            if isinstance(node.op, _PASSING):
                waiting += node.outputs
            elif not (isinstance(node.op, _SUMS) or isinstance(node.op, Pool) and node.op.mode != "max"):
                return True
    return False
