"""A Theano Op for the sum of all numbers of a tensor, in C++ on vectors."""

import theano.tensor as T
from theano.gof import Apply

from .base import NativeOp, checked_tensor

__all__ = ["DoubleSum"]


class DoubleSum(NativeOp):
    """The sum of all numbers of a tensor, of their squares or their magnitudes, in double precision.

    Parameters
    ----------
    term : {"itself", "square", "magnitude"}

    Notes
    -----
    Called with a float32 tensor of one dimension or more. Gives a float32 scalar.

    Up to 1,024 numbers are added in their order, as Theano does it. More are added in 32 partial sums, so that the
    result may differ from Theano's in its last bit. No gradient: an optimization brings it in after Theano has
    written the gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.double_sum import DoubleSum
    >>> float(DoubleSum("square")(np.float32([3, -4])).eval())
    25.0
    """

    __props__ = ("term",)
    header = "bindings/double_sum.h"

    def __init__(self, term: str = "itself") -> None:
        super().__init__(openmp=False)  # it has no threads
        self.term = term

    def make_node(self, x):
        x = checked_tensor(x, "x", x.ndim)
        return Apply(self, [x], [T.fscalar()])

    def infer_shape(self, node, shapes):
        return [()]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("sums::sum_numpy<sums::%s>" % self.term.capitalize(), inputs, outputs, sub)
