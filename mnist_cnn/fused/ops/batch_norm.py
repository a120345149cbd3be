"""Theano's Ops for batch normalization with the statistics of the batch, in C++."""

import theano.tensor as T
from theano.gof import Apply, ParamsType
from theano.scalar import float64 as float64_t

from .activation import _ActivationOp
from .base import DifferentiableOp, GradientOp, checked_tensor, is_disconnected
from .conv2d import Nonlinearity


class _BatchNormOp(_ActivationOp):
    header = "bindings/batch_norm.h"
    __props__ = ("epsilon", "f")
    params_type = ParamsType(epsilon=float64_t, **Nonlinearity.params)

    def __init__(self, epsilon, slope=1, nonlinearity="lines", spelling="abs", openmp=None):
        super().__init__(slope, nonlinearity, spelling, openmp)
        self.epsilon = float(epsilon)

    def get_params(self, node):
        return self.params_type.get_params(self, epsilon=self.epsilon, **self.f.values())


class BatchNorm(DifferentiableOp, _BatchNormOp):
    """Batch normalization over all axes but the last, and a nonlinearity.

    Equal to ``f((x - mean) * (gamma * inv_std) + beta)``, where ``inv_std`` is
    ``1 / sqrt(variance + epsilon)``.

    Parameters
    ----------
    epsilon : float
    slope, nonlinearity, spelling
        As for `mnist_cnn.fused.ops.conv2d.Conv2D`.

    Notes
    -----
    Called with x (.., channels), gamma and beta (channels,), all float32. Gives y, like x, and
    mean and inv_std (channels,), through which no gradient flows back.

    References
    ----------
    S. Ioffe, C. Szegedy: Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift. ICML 2015, https://arxiv.org/abs/1502.03167
    """

    def make_node(self, x, gamma, beta):
        x = T.as_tensor_variable(x)
        inputs = [checked_tensor(x, "x", x.ndim), checked_tensor(gamma, "gamma", 1), checked_tensor(beta, "beta", 1)]
        return Apply(self, inputs, [x.type(), T.fvector(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], (shapes[0][-1],), (shapes[0][-1],)]

    def L_op(self, inputs, outputs, gradients):
        if not all(map(is_disconnected, gradients[1:])):
            raise NotImplementedError("BatchNorm has no gradient through its statistics alone")
        return super().L_op(inputs, outputs, gradients)

    def differentiate(self, inputs, outputs, gradient):
        return BatchNormGrad(self.epsilon, *self.f, openmp=self.openmp)(*inputs[:2], *outputs, gradient)

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = [*inputs, "(float)%s->epsilon" % sub["params"], Nonlinearity.c_value(sub)]
        return self.call("normalization::forward_numpy", arguments, outputs, sub)


class BatchNormGrad(GradientOp, _BatchNormOp):
    """Gradients of `BatchNorm` with respect to x, gamma and beta."""

    def make_node(self, x, gamma, y, mean, inv_std, g):
        x = T.as_tensor_variable(x)
        inputs = [
            checked_tensor(x, "x", x.ndim),
            checked_tensor(gamma, "gamma", 1),
            checked_tensor(y, "y", x.ndim),
            checked_tensor(mean, "mean", 1),
            checked_tensor(inv_std, "inv_std", 1),
            checked_tensor(g, "g", x.ndim),
        ]
        return Apply(self, inputs, [x.type(), T.fvector(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], shapes[1], shapes[1]]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("normalization::backward_numpy", [*inputs, Nonlinearity.c_value(sub)], outputs, sub)
