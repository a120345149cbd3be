"""Theano's Ops for what follows a dense layer's product, in C++: bias and nonlinearity."""
import theano.tensor as T
from theano.gof import Apply, ParamsType
from theano.gradient import DisconnectedType
from theano.scalar import float64 as float64_t, int64 as int64_t

from .conv2d import NONLINEARITIES
from .ops import _NativeOp, _tensor

__all__ = ["Activation", "ActivationGrad"]


class _ActivationOp(_NativeOp):
    header = "bindings/activation.h"
    __props__ = ("slope", "nonlinearity")
    params_type = ParamsType(kind=int64_t, slope=float64_t)

    def __init__(self, slope=1, nonlinearity="lines", openmp=None):
        super(_ActivationOp, self).__init__(openmp)
        self.slope, self.nonlinearity = float(slope), nonlinearity

    def get_params(self, node):
        return self.params_type.get_params(self, slope=self.slope,
                                           kind=NONLINEARITIES.index(self.nonlinearity))

    def c_nonlinearity(self, sub):
        return ("conv2d::Nonlinearity{{(conv2d::Kind){0}->kind, (float){0}->slope}}"
                .format(sub["params"]))


class Activation(_ActivationOp):
    """Bias and nonlinearity of a dense layer, in one pass.

    Equal to ``f(z + b)``.

    Parameters
    ----------
    slope, nonlinearity
        As for `mnist_cnn.fused.conv2d.Conv2D`.

    Notes
    -----
    Called with z (batch, units) and b (units,), both float32. Gives y, like z.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.activation import Activation
    >>> Activation(slope=0)(np.float32([[-1, 0, 1]]), np.ones(3, np.float32)).eval()
    array([[0., 1., 2.]], dtype=float32)
    """

    def make_node(self, z, b):
        z = _tensor(z, "z", 2, "float32")
        return Apply(self, [z, _tensor(b, "b", 1, "float32")], [z.type()])

    def infer_shape(self, node, shapes):
        return [shapes[0]]

    def L_op(self, inputs, outputs, gradients):
        z, b = inputs
        if isinstance(gradients[0].type, DisconnectedType):
            return [DisconnectedType()()] * 2
        dz, db = ActivationGrad(self.slope, self.nonlinearity, self.openmp)(outputs[0], *gradients)
        return [T.patternbroadcast(dz, z.broadcastable), T.patternbroadcast(db, b.broadcastable)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("activation::forward_numpy(%s, %s, %s, &%s)" % (
            inputs[0], inputs[1], self.c_nonlinearity(sub), outputs[0]), sub)


class ActivationGrad(_ActivationOp):
    """Gradients of `Activation` with respect to z and b.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.activation import Activation
    >>> import theano
    >>> b = theano.shared(np.float32([-1, 0, 1]))
    >>> y = Activation(slope=0)(np.zeros((2, 3), np.float32), b)
    >>> theano.grad(y.sum(), b).eval()  # Theano's rule at zero: the mean of both sides
    array([0., 1., 2.], dtype=float32)
    """

    def make_node(self, y, g):
        y = _tensor(y, "y", 2, "float32")
        return Apply(self, [y, _tensor(g, "g", 2, "float32")], [y.type(), T.fvector()])

    def infer_shape(self, node, shapes):
        return [shapes[0], (shapes[0][1],)]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("Activation has a first derivative only; for a second, take the "
                                  "plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("activation::backward_numpy(%s, %s, %s, &%s, &%s)" % (
            inputs[0], inputs[1], self.c_nonlinearity(sub), outputs[0], outputs[1]), sub)
