"""Sums of all numbers of a tensor, such as the squared weights of a penalty, the largest operation of small steps."""

import theano
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, Variable, local_optimizer
from theano.tensor.elemwise import Sum
from theano.tensor.opt import in2out

from ..ops.double_sum import DoubleSum
from .matching import is_elementwise

__all__ = []

_TERMS = {scalar.Sqr: "square", scalar.Abs: "magnitude"}


@local_optimizer([Sum])
def _sum_on_vectors(node: Apply) -> list[Variable] | None:
    """Replace a sum over all axes by the Op that adds on vectors, with the function under the sum."""
    op = node.op
    if not isinstance(op, Sum) or not theano.config.cxx:
        return None
    (x,) = node.inputs
    whole = op.axis is None or len(op.axis) == x.ndim
    if not whole or not x.ndim or (x.dtype, node.outputs[0].dtype, op.acc_dtype) != ("float32", "float32", "float64"):
        return None
    if is_elementwise(x, *_TERMS) and len(x.clients) == 1:
        return [DoubleSum(_TERMS[type(x.owner.op.scalar_op)])(x.owner.inputs[0])]
    return [DoubleSum()(x)]


# after parts of the graph have moved to a GPU (48.5), before elementwise operations are fused (49)
optdb.register("mnist_cnn_sums", in2out(_sum_on_vectors, ignore_newtrees=True), 48.9, "fast_run", "mnist_cnn")
