"""``theano.sandbox.cuda.basic_ops``: transfers, which change nothing on the CPU, and names of types."""

import numpy as np
import theano.tensor as T
from theano.compile.ops import ViewOp


class _Transfer(ViewOp):
    """An identity; pickled graphs have it as a node, a call makes none."""

    def __call__(self, x):
        return T.as_tensor_variable(x)


class HostFromGpu(_Transfer):
    """The transfer from the GPU."""


class GpuFromHost(_Transfer):
    """The transfer to the GPU."""


class GpuContiguous(_Transfer):
    """A copy in C order, which the CPU's Ops do not need."""


class GpuAllocEmpty:
    """A float32 array of a shape, not initialized."""

    def __call__(self, *shape):
        return T.AllocEmpty("float32")(*shape)


host_from_gpu, gpu_from_host, gpu_contiguous = HostFromGpu(), GpuFromHost(), GpuContiguous()
gpu_alloc_empty = GpuAllocEmpty()
gpu_alloc, gpu_flatten, gpu_join, gpu_shape = T.alloc, T.flatten, T.join, T.shape
as_cuda_ndarray_variable = T.as_tensor_variable


def as_cuda_array(obj):
    """Return a float32 array of an array."""
    return np.asarray(obj, np.float32)


fscalar, fvector, fmatrix, frow, fcol = T.fscalar, T.fvector, T.fmatrix, T.frow, T.fcol
ftensor3, ftensor4 = T.ftensor3, T.ftensor4
scalar, vector, matrix, row, col = fscalar, fvector, fmatrix, frow, fcol
tensor3, tensor4 = ftensor3, ftensor4
