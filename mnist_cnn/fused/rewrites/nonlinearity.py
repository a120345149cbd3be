"""Recognizes the nonlinearities that the kernels have, in all ways that programs write them."""

from typing import Any

from theano import scalar
from theano.gof import FunctionGraph, Variable
from theano.tensor.nnet import sigm

from ..ops.conv2d import Nonlinearity
from .matching import constant_value, is_elementwise, operands

__all__ = ["LOGARITHM", "describe", "has_logarithm", "recognize"]


def describe(nonlinearity: Nonlinearity) -> str:
    """A nonlinearity in words."""
    if nonlinearity.nonlinearity != "lines":
        return nonlinearity.nonlinearity
    return "rectifier" if nonlinearity.slope == 0 else "leaky rectifier"


def recognize(variable: Variable) -> tuple[Any, Any]:
    """The argument and the kind of a nonlinearity.

    Parameters
    ----------
    variable : Theano variable
        The nonlinearity's result.

    Returns
    -------
    z : Theano variable or None
    nonlinearity : Nonlinearity or None
        None for any other variable.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.nonlinearity import recognize
    >>> import theano.tensor as T
    >>> z = T.fmatrix("z")
    >>> for y in (T.nnet.relu(z), T.maximum(z, 0), T.switch(z > 0, z, .1 * z), z * (z > 0)):
    ...     recognize(y)[1].spelling
    'abs'
    'maximum'
    'switch'
    'product'
    >>> recognize(z + 1)
    (None, None)
    """
    for written in (_smooth, _sum_with_abs, _maximum, _switch, _product):
        z, parameters = written(variable)
        if z is not None and 0 <= parameters.get("slope", 1) <= 1:
            return z, Nonlinearity(**parameters)
    return None, None


#: The reason in `explain` for `has_logarithm`.
LOGARITHM = "Theano knows a stable logarithm of a sigmoid"


def has_logarithm(fgraph: FunctionGraph, variable: Variable, nonlinearity: Nonlinearity) -> bool:
    """Whether a variable is a sigmoid y, and the graph has log(y) or log(1 - y).

    Theano makes one stable operation of the two, without which the loss of a confident network is
    infinite.

    Parameters
    ----------
    fgraph : FunctionGraph
    variable : Theano variable
    nonlinearity : Nonlinearity
        As `recognize` gives it.
    """
    if nonlinearity.nonlinearity != "sigmoid":
        return False
    for node, _ in fgraph.clients(variable):
        if node == "output":
            continue
        result = node.outputs[0]
        if is_elementwise(result, scalar.Log, scalar.Log1p):
            return True
        if is_elementwise(result, scalar.Sub, scalar.Neg, scalar.Mul) and any(
            is_elementwise(reader.outputs[0], scalar.Log, scalar.Log1p)
            for reader, _ in fgraph.clients(result)
            if reader != "output"
        ):
            return True
    return False


def _smooth(variable):
    for kind, name in ((scalar.Tanh, "tanh"), (sigm.ScalarSigmoid, "sigmoid")):
        if is_elementwise(variable, kind):
            return variable.owner.inputs[0], dict(nonlinearity=name)
    return None, None


def _scaled(variable):
    """(factor, z) of factor * z; the factor of any other variable is 1."""
    for factor, z in operands(variable, scalar.Mul):
        value = constant_value(factor)
        if value is not None:
            return value, z
    return 1.0, variable


def _sum_with_abs(variable):
    """a * (z + abs(z)), or a * z + b * abs(z)."""
    outer, total = _scaled(variable)
    for left, right in operands(total, scalar.Add):
        (a, z), (b, size) = _scaled(left), _scaled(right)
        if is_elementwise(size, scalar.Abs) and size.owner.inputs[0] is z:
            rise, slope = outer * (a + b), outer * (a - b)
            if abs(rise - 1) < 1e-6:
                return z, dict(slope=slope if abs(slope) > 1e-7 else 0.0)
    return None, None


def _maximum(variable):
    """maximum(z, slope * z); at zero Theano's gradient is that of the first operand."""
    for spelling, (z, other) in zip(("maximum", "maximum_second"), operands(variable, scalar.Maximum)):
        if constant_value(other) == 0:
            return z, dict(slope=0.0, spelling=spelling)
        slope, same = _scaled(other)
        if same is z and other is not z and slope < 1:
            return z, dict(slope=slope, spelling=spelling)
    return None, None


def _switch(variable):
    """switch(z > 0, z, slope * z), with any comparison, and elu: switch(z > 0, z, exp(z) - 1)."""
    if not is_elementwise(variable, scalar.Switch):
        return None, None
    condition, a, b = variable.owner.inputs
    for z, other, spellings in (
        (a, b, {">": "switch", ">=": "switch_ge"}),
        (b, a, {"<": "switch_lt", "<=": "switch_le"}),
    ):
        spelling = spellings.get(_comparison_with_zero(condition, z))
        if spelling is None:
            continue
        if constant_value(other) == 0:
            return z, dict(slope=0.0, spelling=spelling)
        slope, same = _scaled(other)
        if same is z and other is not z:
            return z, dict(slope=slope, spelling=spelling)
        if slope == 1 and spelling == "switch" and _is_exp_minus_one(same, z):
            return z, dict(nonlinearity="elu")
    return None, None


def _comparison_with_zero(condition, z):
    """The sign of a condition such as z > 0; None for any other."""
    for kind, sign, turned in (
        (scalar.GT, ">", "<"),
        (scalar.GE, ">=", "<="),
        (scalar.LT, "<", ">"),
        (scalar.LE, "<=", ">="),
    ):
        if is_elementwise(condition, kind):
            a, b = condition.owner.inputs
            if a is z and constant_value(b) == 0:
                return sign
            if b is z and constant_value(a) == 0:
                return turned
    return None


def _is_exp_minus_one(variable, z):
    if is_elementwise(variable, scalar.Expm1):
        return variable.owner.inputs[0] is z
    if is_elementwise(variable, scalar.Sub):
        power, one = variable.owner.inputs
        return constant_value(one) == 1 and is_elementwise(power, scalar.Exp) and power.owner.inputs[0] is z
    return False


def _product(variable):
    """z * (z > 0)."""
    for z, condition in operands(variable, scalar.Mul):
        while is_elementwise(condition, scalar.Cast):
            condition = condition.owner.inputs[0]
        if _comparison_with_zero(condition, z) == ">":
            return z, dict(slope=0.0, spelling="product")
    return None, None
