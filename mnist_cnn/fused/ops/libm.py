"""A Theano Op for the functions of the C library that networks call for each number, in C++ on vectors."""

from theano.gof import Apply

from .base import NativeOp, checked_tensor

__all__ = ["LibmFunction"]


class LibmFunction(NativeOp):
    """tanh or the sigmoid, with the bits of Theano's own C code, which calls libm number by number.

    Parameters
    ----------
    function : {"tanh", "sigmoid"}

    Notes
    -----
    Called with a float32 tensor of one dimension or more. Gives one of the same shape.

    Vectors compute it where libm has the algorithms of glibc 2.28 to 2.40 and the processor AVX2; elsewhere
    libm is called. No gradient: an optimization brings it in after Theano has written the gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.libm import LibmFunction
    >>> LibmFunction("tanh")(np.float32([0, -30])).eval()
    array([ 0., -1.], dtype=float32)
    """

    __props__ = ("function",)
    header = "bindings/libm.h"

    def __init__(self, function: str) -> None:
        super().__init__(openmp=False)  # it has no threads
        self.function = function

    def make_node(self, x):
        x = checked_tensor(x, "x", x.ndim)
        return Apply(self, [x], [x.type()])

    def infer_shape(self, node, shapes):
        return [shapes[0]]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("libm::apply_numpy<libm::%s>" % self.function.capitalize(), inputs, outputs, sub)
