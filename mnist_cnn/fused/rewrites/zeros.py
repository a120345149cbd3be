"""How many values of a variable are not zero, as far as its graph tells."""

import functools
from typing import NamedTuple

from theano import scalar
from theano.gof import FunctionGraph, Variable
from theano.gof.graph import ancestors
from theano.gradient import UndefinedGrad
from theano.sandbox.rng_mrg import mrg_uniform
from theano.tensor import DimShuffle, Join, Rebroadcast, Reshape, Subtensor
from theano.tensor.raw_random import RandomFunction

from ..ops.activation import Activation, ActivationGrad, ActivationOfSum
from ..ops.batch_norm import BatchNorm
from ..ops.conv2d import Conv2D
from ..ops.pooling import Pool2D
from ..ops.product import MayHaveZeros
from ..ops.stage import ConvReluPool
from .matching import constant_value, is_elementwise
from .nonlinearity import recognize

__all__ = ["Density", "density"]


class Density(NamedTuple):
    """Between which limits the share of values lies that are not zero."""

    least: float
    most: float


_DENSE, _UNKNOWN, _HALF = Density(1, 1), Density(0, 1), Density(0.5, 0.5)

_MOVING = (DimShuffle, Reshape, Rebroadcast, Subtensor, MayHaveZeros)
# Elementwise operations whose result is zero where their first operand is.
_KEEPING_ZEROS = (scalar.Cast, scalar.Neg, scalar.Abs, scalar.Sqr, scalar.Sgn, scalar.TrueDiv, scalar.Identity)
_COMPARISONS = (scalar.LT, scalar.GT, scalar.LE, scalar.GE, scalar.EQ, scalar.NEQ)


def density(fgraph: FunctionGraph, variable: Variable) -> Density:
    """The share of a variable's values that are not zero.

    A rectifier leaves half, a mask the share that it was drawn with. Nothing is known of what a function
    is given; parameters, and results of other operations, have no zeros.

    Parameters
    ----------
    fgraph : FunctionGraph
    variable : Theano variable

    Returns
    -------
    Density
    """
    updated = {fgraph.inputs[place] for place in (getattr(fgraph, "update_mapping", None) or {}).values()}

    @functools.cache  # a factor may be read in many places
    def share(variable):
        node = variable.owner
        if node is None:
            return _DENSE if variable in updated else _UNKNOWN
        op, operands = node.op, [value for value in node.inputs if not all(getattr(value, "broadcastable", ()))]
        z, nonlinearity = recognize(variable)
        if z is not None:
            return _HALF if _is_rectifier(nonlinearity) else _DENSE
        if isinstance(op, RandomFunction) or is_elementwise(variable, *_COMPARISONS):
            drawn = _drawn_share(node)
            return _HALF if drawn is None else Density(drawn, drawn)
        if isinstance(op, ConvReluPool):
            return _HALF
        if isinstance(op, (Activation, ActivationOfSum, BatchNorm, Conv2D)):
            return _HALF if _is_rectifier(op.f) else _DENSE
        if isinstance(op, ActivationGrad):
            return _product([_HALF if _is_rectifier(op.f) else _DENSE, share(node.inputs[1])])
        if is_elementwise(variable, scalar.Mul):
            return _product([share(operand) for operand in operands])
        if is_elementwise(variable, scalar.Switch):
            return _HALF if 0 in map(constant_value, node.inputs[1:]) else _DENSE
        if isinstance(op, Join):
            parts = [share(part) for part in node.inputs[1:]]
            return Density(min(part.least for part in parts), max(part.most for part in parts))
        if isinstance(op, Pool2D):
            return share(node.inputs[0]) if op.window.mode == "max" else _DENSE
        if isinstance(op, _MOVING) or is_elementwise(variable, *_KEEPING_ZEROS) and operands[:1] == node.inputs[:1]:
            return share(node.inputs[0])
        return _DENSE

    return share(variable)


def _is_rectifier(f):
    return f.nonlinearity == "lines" and f.slope == 0


def _product(densities):
    least = most = 1.0
    for factor in densities:
        least, most = least * factor.least, most * factor.most
    return Density(least, most)


def _drawn_share(node):
    """The share of ones in a mask, where it is a constant: of ``uniform < p``, and of NumPy's binomial numbers."""
    if isinstance(node.op, RandomFunction):
        if node.op.fn != "binomial" or constant_value(node.inputs[-2]) != 1:
            return None
    elif not isinstance(node.op.scalar_op, scalar.LT) or not any(
        value.owner and isinstance(value.owner.op, mrg_uniform) for value in ancestors(node.inputs[:1])
    ):
        return None
    p = node.inputs[-1]
    while p.owner is not None and isinstance(p.owner.op, (DimShuffle, UndefinedGrad)):
        p = p.owner.inputs[0]
    return constant_value(p)
