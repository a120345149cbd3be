"""``theano.sandbox.cuda``: Theano's first GPU back-end, whose functions compute on the CPU here.

Theano 0.10 removed it. `use` starts today's back-end where there is one.
"""

from theano.gof import Op

from ... import devices
from . import basic_ops, blas, dnn, fftconv, rng_curand, type, var  # noqa: F401
from .basic_ops import as_cuda_array, as_cuda_ndarray_variable, gpu_contiguous, gpu_from_host, host_from_gpu  # noqa: F401
from .dnn import dnn_available, dnn_version  # noqa: F401
from .rng_curand import CURAND_RandomStreams  # noqa: F401
from .type import CudaNdarrayType  # noqa: F401
from .var import CudaNdarrayConstant, CudaNdarraySharedVariable, CudaNdarrayVariable, float32_shared_constructor  # noqa: F401

cuda_available = cuda_enabled = False
cuda_initialization_error_message = "Theano 0.10 removed this GPU back-end"

CudaNdarray = as_cuda_array
shared_constructor = float32_shared_constructor


class GpuOp(Op):
    """The base class of a program's own GPU Ops, which cannot be compiled here."""


def use(device, force=False, **kwargs):
    """Have functions that are compiled from now on run on a GPU, or on the CPU where there is none.

    Parameters
    ----------
    device : str
        'cpu', 'gpu', 'gpu0' and the like, or a name of today's: 'cuda0'.
    force : bool
        Whether a device that cannot be used is an error; by default one line on stderr tells of it.
    **kwargs
        Options of the first back-end, without effect.

    Raises
    ------
    EnvironmentError
        With `force`, when the device cannot be used.
    ValueError
        When no device has that name.
    """
    if device != "cpu":
        devices.use_device_or_cpu(device, force)


use.device_number = None  # type: ignore[attr-defined]


def unuse():
    """Go back to the CPU, where everything is already."""
