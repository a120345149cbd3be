"""A Theano Op for the product of a sparse and a dense matrix, in C++."""

import theano.tensor as T
from theano.gof import Apply

from .base import DifferentiableOp, checked_tensor

__all__ = ["SparseProduct"]


class SparseProduct(DifferentiableOp):
    """Product of two matrices that takes time for the non-zero values of the first alone.

    Notes
    -----
    Called with a (m, k) and b (k, n), both float32. Gives a b, float32 (m, n), equal to
    ``T.dot(a, b)``, NaN and infinity included.
    """

    __props__ = ()
    header = "bindings/sparse_product.h"

    def make_node(self, a, b):
        return Apply(self, [checked_tensor(a, "a", 2), checked_tensor(b, "b", 2)], [T.fmatrix()])

    def infer_shape(self, node, shapes):
        return [(shapes[0][0], shapes[1][1])]

    def differentiate(self, inputs, outputs, gradient):
        a, b = inputs
        return [self(gradient, b.T), self(a.T, gradient)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("sparse_product::multiply_numpy", inputs, outputs, sub)
