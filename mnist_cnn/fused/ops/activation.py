"""Theano's Ops for a bias and a nonlinearity, in C++."""

import theano.tensor as T
from theano.gof import Apply, ParamsType
from theano.gradient import DisconnectedType

from .base import NativeOp, checked_tensor
from .conv2d import Nonlinearity

__all__ = ["Activation", "ActivationGrad"]


def _rows(value, name):
    value = T.as_tensor_variable(value)
    if value.ndim < 2:
        raise TypeError("%s: wanted two dimensions or more, got %d" % (name, value.ndim))
    return checked_tensor(value, name, value.ndim, "float32")


class _ActivationOp(NativeOp):
    header = "bindings/activation.h"
    __props__: tuple[str, ...] = ("f",)
    params_type = ParamsType(**Nonlinearity.params)

    def __init__(self, slope=1, nonlinearity="lines", spelling="abs", openmp=None):
        super().__init__(openmp)
        self.f = Nonlinearity(slope, nonlinearity, spelling)

    def get_params(self, node):
        return self.params_type.get_params(self, **self.f.values())


class Activation(_ActivationOp):
    """Bias and nonlinearity, in one pass: of a dense layer, or of maps with channels last.

    Equal to ``f(z + b)``.

    Parameters
    ----------
    slope, nonlinearity, spelling
        As for `mnist_cnn.fused.ops.conv2d.Conv2D`.

    Notes
    -----
    Called with z (batch, .., units) of two dimensions or more and b (units,), both float32. Gives
    y, like z. A b of zeros is none.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.activation import Activation
    >>> Activation(slope=0)(np.float32([[-1, 0, 1]]), np.ones(3, np.float32)).eval()
    array([[0., 1., 2.]], dtype=float32)
    """

    def make_node(self, z, b):
        z = _rows(z, "z")
        return Apply(self, [z, checked_tensor(b, "b", 1, "float32")], [z.type()])

    def infer_shape(self, node, shapes):
        return [shapes[0]]

    def L_op(self, inputs, outputs, gradients):
        z, b = inputs
        if isinstance(gradients[0].type, DisconnectedType):
            return [DisconnectedType()()] * 2
        dz, db = ActivationGrad(*self.f, openmp=self.openmp)(outputs[0], *gradients)
        return [T.patternbroadcast(dz, z.broadcastable), T.patternbroadcast(db, b.broadcastable)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "activation::forward_numpy(%s, %s, %s, &%s)"
            % (inputs[0], inputs[1], Nonlinearity.c_value(sub), outputs[0]),
            sub,
        )


class ActivationGrad(_ActivationOp):
    """Gradients of `Activation` with respect to z and b.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.activation import Activation
    >>> import theano
    >>> b = theano.shared(np.float32([-1, 0, 1]))
    >>> y = Activation(slope=0)(np.zeros((2, 3), np.float32), b)
    >>> theano.grad(y.sum(), b).eval()  # Theano's rule at zero: the mean of both sides
    array([0., 1., 2.], dtype=float32)
    """

    def make_node(self, y, g):
        y = _rows(y, "y")
        return Apply(self, [y, checked_tensor(g, "g", y.ndim, "float32")], [y.type(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], (shapes[0][-1],)]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("Activation has a first derivative only; for a second, take the plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "activation::backward_numpy(%s, %s, %s, &%s, &%s)"
            % (inputs[0], inputs[1], Nonlinearity.c_value(sub), outputs[0], outputs[1]),
            sub,
        )
