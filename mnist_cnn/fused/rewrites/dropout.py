"""Dropout: Theano's random numbers, MRG31k3p, and the masks made of them; NumPy's masks."""

import numpy as np
import theano
import theano.tensor as T
from theano import scalar
from theano.compile import optdb
from theano.gof import local_optimizer
from theano.gof.opt import in2out
from theano.sandbox.rng_mrg import mrg_uniform
from theano.tensor.elemwise import DimShuffle, Elemwise
from theano.tensor.raw_random import RandomFunction

from ..ops.base import with_changes
from ..ops.dropout import BernoulliMask, NumpyMask, VectorUniform, binomial


def _only_client(variable, kind):
    """The node that reads a variable, if it is the only one and an elementwise operation of this kind."""
    if len(variable.clients) == 1:
        node, _ = variable.clients[0]
        if node != "output" and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kind):
            return node
    return None


def _mask(numbers):
    """(mask, p) where ``cast(numbers < p, "float32")`` alone reads the numbers; else None."""
    less = _only_client(numbers, scalar.LT)
    cast = less and _only_client(less.outputs[0], scalar.Cast)
    if not cast or numbers.dtype != "float32" or cast.outputs[0].dtype != "float32":
        return None
    left, p = less.inputs
    if left is not numbers or not all(p.broadcastable) or p.dtype not in ("float32", "float64"):
        return None
    if isinstance(p, T.TensorConstant):
        return cast.outputs[0], T.constant(p.data.item(), dtype="float64")
    return cast.outputs[0], DimShuffle(p.broadcastable, [])(p)


@local_optimizer([mrg_uniform])
def local_vector_random(node):
    """Replaces Theano's generator on the CPU, with the comparison that makes a mask of its numbers."""
    op = node.op
    if type(op) is not mrg_uniform or op.output_type.dtype not in ("float32", "float64") or not theano.config.cxx:
        return False
    state, numbers = node.outputs
    mask, p = _mask(numbers) or (None, None)
    if mask is None:
        return VectorUniform(op.output_type, op.inplace)(*node.inputs, return_list=True)
    return dict(zip([state, mask], BernoulliMask(op.output_type, op.inplace)(*node.inputs, p)))


@local_optimizer([RandomFunction])
def local_vector_binomial(node):
    """Replaces the binomial numbers of NumPy's generator."""
    op = node.op
    if op.fn != "binomial":
        return False
    generator, size, n, p = node.inputs
    is_mask = isinstance(n, T.Constant) and np.all(n.data == 1) and p.ndim == 0
    has_size = not isinstance(size, T.Constant) or len(size.data) == op.outtype.ndim
    if is_mask and has_size and op.outtype.dtype in ("int64", "float32", "float64") and theano.config.cxx:
        return NumpyMask(op.outtype, op.inplace)(generator, size, p, return_list=True)
    return RandomFunction(binomial, op.outtype, op.inplace, op.ndim_added)(*node.inputs, return_list=True)


@local_optimizer([NumpyMask])
def local_mask_in_place(node):
    """Advances NumPy's generator in place, as Theano's rule for `RandomFunction` does."""
    if isinstance(node.op, NumpyMask) and not node.op.inplace:
        return with_changes(node, inplace=True)
    return False


# After the GPU's optimizations (48.5), before comparison and cast are fused with others (49). Theano's rule
# for generators in place (99) takes these as well.
optdb.register(
    "mnist_cnn_random",
    in2out(local_vector_random, local_vector_binomial, ignore_newtrees=True),
    48.6,
    "fast_run",
    "mnist_cnn",
)
optdb.register(
    "mnist_cnn_random_in_place",
    in2out(local_mask_in_place, ignore_newtrees=True),
    99,
    "fast_run",
    "inplace",
    "mnist_cnn",
)
