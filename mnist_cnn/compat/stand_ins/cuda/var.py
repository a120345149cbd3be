"""``theano.sandbox.cuda.var``: pickled variables of the GPU are read as those of the CPU."""

import numpy as np
import theano
from theano.tensor import TensorConstant, TensorVariable
from theano.tensor.sharedvar import TensorSharedVariable


class _OnCpu:
    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__class__ = type(self).__mro__[2]  # its own base class, after this one


class CudaNdarrayVariable(_OnCpu, TensorVariable):
    """A variable on the GPU; a pickle gives a `TensorVariable`."""


class CudaNdarrayConstant(_OnCpu, TensorConstant):
    """A constant on the GPU; a pickle gives a `TensorConstant`."""


class CudaNdarraySharedVariable(_OnCpu, TensorSharedVariable):
    """A shared variable on the GPU; a pickle gives a `TensorSharedVariable`."""


def float32_shared_constructor(
    value, name=None, strict=False, allow_downcast=None, borrow=False, broadcastable=None, target="gpu"
):
    """Make a float32 shared variable; the arguments are those of `theano.shared`."""
    value = np.asarray(value, np.float32)
    return theano.shared(value, name, strict, allow_downcast=allow_downcast, borrow=borrow, broadcastable=broadcastable)


cuda_shared_constructor = float32_shared_constructor
