"""Theano's Ops for batch normalization with the statistics of the batch, in C++."""

import theano.tensor as T
from theano.gof import Apply, ParamsType
from theano.gradient import DisconnectedType
from theano.scalar import float64 as float64_t

from .activation import _ActivationOp
from .base import checked_tensor
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


class BatchNorm(_BatchNormOp):
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

    Examples
    --------
    >>> from mnist_cnn.fused.ops.batch_norm import BatchNorm
    >>> import numpy as np
    >>> x, one = np.float32([[1, 0], [3, 4]]), np.ones(2, np.float32)
    >>> y, mean, inv_std = BatchNorm(epsilon=0, slope=1)(x, one, 0 * one)
    >>> mean.eval(), y.eval().round(3)
    (array([2., 2.], dtype=float32), array([[-1., -1.],
           [ 1.,  1.]], dtype=float32))
    """

    def make_node(self, x, gamma, beta):
        x = T.as_tensor_variable(x)
        x, gamma, beta = (
            checked_tensor(x, "x", x.ndim, "float32"),
            checked_tensor(gamma, "gamma", 1, "float32"),
            checked_tensor(beta, "beta", 1, "float32"),
        )
        return Apply(self, [x, gamma, beta], [x.type(), T.fvector(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], (shapes[0][-1],), (shapes[0][-1],)]

    def L_op(self, inputs, outputs, gradients):
        x, gamma, beta = inputs
        if any(not isinstance(g.type, DisconnectedType) for g in gradients[1:]):
            raise NotImplementedError("BatchNorm has no gradient through its statistics alone")
        if isinstance(gradients[0].type, DisconnectedType):
            return [DisconnectedType()()] * 3
        op = BatchNormGrad(self.epsilon, *self.f, openmp=self.openmp)
        dx, dgamma, dbeta = op(x, gamma, outputs[0], outputs[1], outputs[2], gradients[0])
        return [dx, T.patternbroadcast(dgamma, gamma.broadcastable), T.patternbroadcast(dbeta, beta.broadcastable)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "normalization::forward_numpy(%s, (float)%s->epsilon, %s, &%s)"
            % (", ".join(inputs), sub["params"], Nonlinearity.c_value(sub), ", &".join(outputs)),
            sub,
        )


class BatchNormGrad(_BatchNormOp):
    """Gradients of `BatchNorm` with respect to x, gamma and beta.

    Examples
    --------
    >>> from mnist_cnn.fused.ops.batch_norm import BatchNorm
    >>> import numpy as np
    >>> import theano
    >>> x, one = np.float32([[1, 0], [3, 4]]), np.ones(2, np.float32)
    >>> beta = theano.shared(0 * one)
    >>> y, _, _ = BatchNorm(epsilon=0, slope=1)(x, one, beta)
    >>> theano.grad(y.sum(), beta).eval()
    array([2., 2.], dtype=float32)
    """

    def make_node(self, x, gamma, y, mean, inv_std, g):
        x = T.as_tensor_variable(x)
        inputs = [
            checked_tensor(value, name, ndim, "float32")
            for value, name, ndim in (
                (x, "x", x.ndim),
                (gamma, "gamma", 1),
                (y, "y", x.ndim),
                (mean, "mean", 1),
                (inv_std, "inv_std", 1),
                (g, "g", x.ndim),
            )
        ]
        return Apply(self, inputs, [x.type(), T.fvector(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], shapes[1], shapes[1]]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("BatchNorm has a first derivative only; for a second, take the plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "normalization::backward_numpy(%s, %s, &%s)"
            % (", ".join(inputs), Nonlinearity.c_value(sub), ", &".join(outputs)),
            sub,
        )
