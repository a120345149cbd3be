"""A Theano Op for the product of a sparse and a dense matrix, in C++."""

import theano.tensor as T
from theano.gof import Apply

from .base import NativeOp, checked_tensor

__all__ = ["SparseProduct"]


class SparseProduct(NativeOp):
    """Product of two matrices that takes time for the non-zero values of the first alone.

    Notes
    -----
    Called with a (m, k) and b (k, n), both float32. Gives a b, float32 (m, n), equal to
    ``T.dot(a, b)``, NaN and infinity included.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.product import SparseProduct
    >>> SparseProduct()(np.float32([[0, 2]]), np.float32([[1, 1], [3, 4]])).eval()
    array([[6., 8.]], dtype=float32)
    """

    __props__ = ()
    header = "bindings/sparse_product.h"

    def make_node(self, a, b):
        return Apply(
            self,
            [checked_tensor(a, "a", 2, "float32"), checked_tensor(b, "b", 2, "float32")],
            [T.matrix(dtype="float32")],
        )

    def infer_shape(self, node, shapes):
        return [(shapes[0][0], shapes[1][1])]

    def L_op(self, inputs, outputs, gradients):
        a, b = inputs
        (g,) = gradients
        return [T.patternbroadcast(self(g, b.T), a.broadcastable), T.patternbroadcast(self(a.T, g), b.broadcastable)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("sparse_product::multiply_numpy(%s, %s, &%s)" % (tuple(inputs) + tuple(outputs)), sub)
