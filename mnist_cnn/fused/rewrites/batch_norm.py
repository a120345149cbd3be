"""Batch normalization with the statistics of the batch, and the nonlinearity after it."""

import functools

import theano.tensor as T
from theano import scalar
from theano.gof import Apply, FunctionGraph, Variable
from theano.tensor import DimShuffle

from ..ops.batch_norm import BatchNorm
from ..ops.conv2d import channels_first, channels_last
from .matching import Match, Unifier, constant_value, is_elementwise, is_for_each_channel, operands
from .nonlinearity import LOGARITHM, has_logarithm, recognize
from .rewriting import Rewriting, not_float32

__all__ = ["BatchNorms"]

_AXES = {2: (0,), 4: (0, 2, 3)}


class BatchNorms(Rewriting):
    """Replaces batch normalization with the statistics of the batch by `BatchNorm`.

    In the graph: ``f((x - mean(x)) * gamma / sqrt(var(x) + epsilon) + beta)``, over all axes except the
    channels', in any order of the factors; f, gamma and beta may be missing.
    """

    name = "mnist_cnn_batch_norms"

    def is_main(self, node: Apply) -> bool:
        return _centred(node) is not None

    def is_root(self, node: Apply) -> bool:
        return len(node.outputs) == 1 and is_elementwise(
            node.outputs[0],
            scalar.Add,
            scalar.Mul,
            scalar.TrueDiv,
            scalar.Tanh,
            scalar.Switch,
            scalar.Maximum,
            type(T.nnet.sigmoid.scalar_op),
        )

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        z, nonlinearity = recognize(variable)
        normalized = None if z is None else _Normalized.of(z)
        options, inner = {}, {}
        if normalized is not None:
            options, inner = nonlinearity._asdict(), {z: "the values before the nonlinearity"}
        else:
            normalized = _Normalized.of(variable)
        if normalized is None:
            return None
        if z is not None and has_logarithm(fgraph, variable, nonlinearity):
            return normalized.main, LOGARITHM
        return normalized.main, not_float32(normalized.x, variable) or normalized.match(variable, options, inner)

    def describe(self, node: Apply) -> str:
        return "batch normalization"


class _Normalized:
    """A variable taken apart: ``(x - mean) * inv_std * gamma + beta``."""

    @classmethod
    def of(cls, variable):
        """The parts of a variable, or None."""
        beta = None
        for a, b in operands(variable, scalar.Add):
            if is_for_each_channel(b) and not is_for_each_channel(a):
                variable, beta = a, b
                break
        centred, factors = None, []
        for factor in _factors(variable):
            if factor[0].owner is not None and _centred(factor[0].owner) and factor[1] == 1:
                centred = factor[0] if centred is None else None
            else:
                factors.append(factor)
        if centred is None:
            return None
        x, mean = centred.owner.inputs
        found = [factor for factor in factors if _inverse_deviation(factor, x) is not None]
        if len(found) != 1 or not all(is_for_each_channel(variable) for variable, _ in factors):
            return None
        self = cls()
        self.main, self.x, self.mean, self.beta = centred.owner, x, _statistic(mean), beta
        self.deviation, self.epsilon = _inverse_deviation(found[0], x)
        self.inverse = found[0][1] == 1
        self.gammas = [factor for factor in factors if factor is not found[0]]
        return self

    def match(self, output, options, inner):
        operands = [gamma for gamma, _ in self.gammas]
        powers = [power for _, power in self.gammas]
        has_beta, ndim, epsilon = self.beta is not None, self.x.ndim, self.epsilon
        statistics, inverse = [self.mean, self.deviation], self.inverse

        def vector(variable, n):
            """A number for each channel, from a variable of any axes."""
            kept = 1 if variable.ndim > 1 else 0
            if variable.broadcastable[kept]:
                return T.zeros((n,), "float32") + variable.flatten()[0]
            return variable if variable.ndim == 1 else variable.dimshuffle(1)

        def build(x, *operands):
            n = x.shape[1]
            gamma, beta = T.ones((n,), "float32"), T.zeros((n,), "float32")
            if has_beta:
                beta = vector(operands[-1], n)
            for operand, power in zip(operands, powers):
                gamma = gamma * vector(operand, n) if power == 1 else gamma / vector(operand, n)
            y, mean, inv_std = BatchNorm(epsilon, **options)(channels_last(x) if ndim == 4 else x, gamma, beta)
            results = [channels_first(y) if ndim == 4 else y]
            for old, new in zip(statistics, (mean, inv_std if inverse else 1 / inv_std)):
                results.append(
                    new if old.ndim == 1 else new.dimshuffle(*[0 if axis == 1 else "x" for axis in range(old.ndim)])
                )
            return results

        inputs = [self.x] + operands + ([self.beta] if has_beta else [])
        return Match(
            inputs,
            [output] + statistics,
            build,
            inner,
            "BatchNorm",
            "statistics and nonlinearity in two passes" if options else "statistics in two passes",
        )


def _factors(variable, power=1):
    """The factors of a product or quotient, each with its power, 1 or -1."""
    if is_elementwise(variable, scalar.Mul):
        return [factor for operand in variable.owner.inputs for factor in _factors(operand, power)]
    if is_elementwise(variable, scalar.TrueDiv):
        a, b = variable.owner.inputs
        return _factors(a, power) + _factors(b, -power)
    return [(variable, power)]


def _statistic(variable):
    """The statistic without its broadcast axes, and without a running average that is added 0 times."""
    while variable.owner is not None:
        if isinstance(variable.owner.op, DimShuffle):
            variable = variable.owner.inputs[0]
            continue
        for a, b in operands(variable, scalar.Add):
            if is_elementwise(b, scalar.Mul) and any(constant_value(v) == 0 for v in b.owner.inputs):
                variable = a
                break
        else:
            break
    return variable


@functools.cache
def _pattern(function, ndim, keepdims):
    """A statistic as Theano's function writes it: (its argument, the expression)."""
    x = T.TensorType("float32", (False,) * ndim)()
    return x, function(x, axis=list(_AXES[ndim]), keepdims=keepdims)


def _is_statistic(function, x, variable):
    if x.ndim not in _AXES:
        return False
    return any(
        Unifier({free: x}).unify(pattern, variable)
        for free, pattern in (_pattern(function, x.ndim, keepdims) for keepdims in (False, True))
    )


def _centred(node):
    """x of ``x - mean(x)``, or None."""
    if not is_elementwise(node.outputs[0], scalar.Sub):
        return None
    x, mean = node.inputs
    if x.ndim not in _AXES or mean.owner is None or mean.ndim != x.ndim:
        return None
    return x if _is_statistic(T.mean, x, _statistic(mean)) else None


def _inverse_deviation(factor, x):
    """(the deviation or its inverse, epsilon) of a factor ``1 / sqrt(var(x) + epsilon)``, or None."""
    variable, power = factor
    whole = variable = _statistic(variable)
    if power == 1:
        if is_elementwise(variable, scalar.Inv):
            variable = variable.owner.inputs[0]
        elif is_elementwise(variable, scalar.TrueDiv) and constant_value(variable.owner.inputs[0]) == 1:
            variable = variable.owner.inputs[1]
        else:
            return None
    if not is_elementwise(variable, scalar.Sqrt):
        return None
    inside = variable.owner.inputs[0]
    for variance, epsilon in operands(inside, scalar.Add):
        value = constant_value(epsilon)
        if value is not None and _is_statistic(T.var, x, _statistic(variance)):
            return whole, value
    return None
