"""What computes: the CPU, or a GPU or OpenCL device through Theano's back-end."""

import sys

import theano

from ..system.errors import MnistCnnError
from . import flags, gpu
from .environment import what_is_missing
from .lean_import import fault_of_compiler

__all__ = ["require_compiler", "use_device", "on_device", "require_on_device", "device_parts"]

#: What was found for the device in use, as `mnist_cnn.compat.gpu.prepare` returns it.
device_parts = {}


def require_compiler():
    """Check that Theano can compile C++.

    Raises
    ------
    MnistCnnError
        When the compiler or Python's header files are missing, or it does not work. Theano would go on in Python,
        where it has no convolution.

    Examples
    --------
    >>> from mnist_cnn.compat import require_compiler
    >>> require_compiler()  # says nothing where there is one
    """
    missing = what_is_missing(theano.config.cxx)
    if missing:
        raise MnistCnnError(missing)
    fault = fault_of_compiler()
    if fault:
        raise MnistCnnError(
            "the C++ compiler {} does not work; look at it and at THEANO_FLAGS and .theanorc: {}".format(
                theano.config.cxx, fault
            )
        )


def _start_device(device):
    """Have all that is compiled from now on run on a GPU or an OpenCL device."""
    require_compiler()
    device_parts.update(gpu.prepare(device, theano.config.cxx))
    try:
        theano.gpuarray.use(device)
        device_parts["device"] = "{}: {}".format(device, theano.gpuarray.get_context(None).devname.strip())
    except Exception as error:  # pygpu's errors have no common type
        raise MnistCnnError("cannot use the device {}: {}".format(device, " ".join(str(error).split()))) from error
    type(theano.config).device.val = device  # what old code asks
    if device.startswith("opencl"):
        # One kernel, of the softmax with its cross-entropy, declares local memory inside a loop:
        # "Kernel variables in the local address space cannot be declared within a loop".
        theano.compile.mode.instantiated_default_mode = theano.compile.get_default_mode().excluding(
            "local_gpua_crossentropysoftmaxargmax1hotwithbias"
        )


def on_device():
    """Whether what is compiled now runs on a GPU or an OpenCL device.

    Examples
    --------
    >>> from mnist_cnn.compat import on_device
    >>> on_device()
    False
    """
    return "theano.gpuarray" in sys.modules and theano.gpuarray.pygpu_activated


def require_on_device(function):
    """Check that a function does its work where it should.

    Parameters
    ----------
    function : Theano function
        Compiled for training or for a measurement.

    Raises
    ------
    MnistCnnError
        When a GPU is in use and nothing but transfers was moved to it.

    Examples
    --------
    >>> from mnist_cnn.compat import require_on_device
    >>> import theano
    >>> require_on_device(theano.function([], []))  # on the CPU there is nothing to check
    """
    names = {type(node.op).__name__ for node in function.maker.fgraph.toposort()}
    if on_device() and not any(name.startswith("Gpu") for name in names - {"GpuFromHost"}):
        raise MnistCnnError(
            "Theano has moved nothing to the device {}; look at the optimizer and its exclusions "
            "in THEANO_FLAGS and .theanorc".format(theano.config.device)
        )


def use_device(device=None):
    """Have what is compiled from now on run on a device.

    Parameters
    ----------
    device : str, optional
        'cpu', 'cuda', 'cuda0', 'opencl0:0' and the like; by default what Theano's own
        configuration says, which is the CPU unless the user set it.

    Raises
    ------
    MnistCnnError
        When the device cannot be used. Theano never goes on on the CPU where another device was
        asked for.

    Examples
    --------
    >>> from mnist_cnn.compat import use_device
    >>> use_device("cpu")  # where it is already
    """
    if device is None or device == theano.config.device:
        return
    if device == "cpu":
        raise MnistCnnError(
            "Theano's configuration chose {} already; take 'device' out of "
            "THEANO_FLAGS and .theanorc to train on the CPU".format(theano.config.device)
        )
    _start_device(device)


if flags.device != "cpu":  # what the user's configuration asks for
    try:
        use_device(flags.device)
    except MnistCnnError as error:
        raise ImportError("device={} in THEANO_FLAGS or .theanorc: {}".format(flags.device, error)) from error
