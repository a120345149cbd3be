"""Theano's Ops for a nonlinearity of a sum: of a product or maps and a bias, or of two maps; in C++."""

import theano.tensor as T
from theano.gof import Apply, ParamsType

from .base import DifferentiableOp, GradientOp, NativeOp, checked_tensor
from .conv2d import Nonlinearity

__all__ = ["Activation", "ActivationGrad", "ActivationOfSum", "ActivationOfSumGrad"]


def _rows(value, name):
    value = T.as_tensor_variable(value)
    if value.ndim < 2:
        raise TypeError("%s: wanted two dimensions or more, got %d" % (name, value.ndim))
    return checked_tensor(value, name, value.ndim)


class _ActivationOp(NativeOp):
    header = "bindings/activation.h"
    __props__: tuple[str, ...] = ("f",)
    params_type = ParamsType(**Nonlinearity.params)

    def __init__(self, slope=1, nonlinearity="lines", spelling="abs", openmp=None):
        super().__init__(openmp)
        self.f = Nonlinearity(slope, nonlinearity, spelling)

    def get_params(self, node):
        return self.params_type.get_params(self, **self.f.values())

    def infer_shape(self, node, shapes):
        return [shapes[0]]


class Activation(DifferentiableOp, _ActivationOp):
    """Bias and nonlinearity in one pass, ``f(z + b)``: of a dense layer, or of maps with channels last.

    Parameters
    ----------
    slope, nonlinearity, spelling
        As for `mnist_cnn.fused.ops.conv2d.Conv2D`.

    Notes
    -----
    Called with z (batch, .., units) of two dimensions or more and b (units,), both float32. Gives
    y, like z.
    """

    def make_node(self, z, b):
        z = _rows(z, "z")
        return Apply(self, [z, checked_tensor(b, "b", 1)], [z.type()])

    def differentiate(self, inputs, outputs, gradient):
        return ActivationGrad(*self.f, openmp=self.openmp)(outputs[0], gradient)

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("activation::forward_numpy", [*inputs, Nonlinearity.c_value(sub)], outputs, sub)


class ActivationGrad(GradientOp, _ActivationOp):
    """Gradients of `Activation` with respect to z and b."""

    def make_node(self, y, g):
        y = _rows(y, "y")
        return Apply(self, [y, checked_tensor(g, "g", y.ndim)], [y.type(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], (shapes[0][-1],)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("activation::backward_numpy", [*inputs, Nonlinearity.c_value(sub)], outputs, sub)


class ActivationOfSum(DifferentiableOp, _ActivationOp):
    """The nonlinearity of a sum in one pass, ``f(a + b)``: of two maps, as a residual network has it; or ``f(a)``.

    Parameters
    ----------
    slope, nonlinearity, spelling
        As for `mnist_cnn.fused.ops.conv2d.Conv2D`.

    Notes
    -----
    Called with a, or with a and b of equal shapes, both float32. Gives y, like a.
    """

    def make_node(self, a, *b):
        a = T.as_tensor_variable(a)
        inputs = [checked_tensor(a, "a", a.ndim)] + [checked_tensor(other, "b", a.ndim) for other in b]
        return Apply(self, inputs, [T.TensorType("float32", (False,) * a.ndim)()])

    def differentiate(self, inputs, outputs, gradient):
        return len(inputs) * [ActivationOfSumGrad(*self.f, openmp=self.openmp)(outputs[0], gradient)]

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = [*inputs, *inputs][:2]
        return self.call("activation::forward_of_sum_numpy", [*arguments, Nonlinearity.c_value(sub)], outputs, sub)


class ActivationOfSumGrad(GradientOp, _ActivationOp):
    """The gradient of `ActivationOfSum` with respect to a, which is that to b.

    Called with y and its gradient, or with two gradients that are to be added.
    """

    def make_node(self, y, *gradients):
        y = T.as_tensor_variable(y)
        inputs = [checked_tensor(y, "y", y.ndim)] + [checked_tensor(g, "g", y.ndim) for g in gradients]
        return Apply(self, inputs, [y.type()])

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = [*inputs, *inputs[1:]][:3]
        return self.call("activation::backward_of_sum_numpy", [*arguments, Nonlinearity.c_value(sub)], outputs, sub)
