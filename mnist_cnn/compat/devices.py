"""The device that computes: the CPU, or a GPU or OpenCL device through Theano's back-end."""

import re
import sys

import theano

from ..system.errors import MnistCnnError, say
from . import environment, flags, gpu
from .environment import what_is_missing
from .lean_import import fault_of_compiler

__all__ = ["require_compiler", "use_device", "use_device_or_cpu", "on_device", "require_on_device", "device_parts"]

#: Versions and paths for the device in use, as `mnist_cnn.compat.gpu.prepare` returns them.
device_parts = {}


def require_compiler() -> None:
    """Check that Theano can compile C++.

    Raises
    ------
    MnistCnnError
        When the compiler or Python's header files are missing, or the compiler does not work. Theano would
        continue in Python, where it has no convolution.
    """
    missing = what_is_missing(theano.config.cxx)
    if missing:
        raise MnistCnnError(missing)
    fault = fault_of_compiler()
    if fault:
        raise MnistCnnError(
            "the C++ compiler {} does not work; check it, THEANO_FLAGS and .theanorc: {}".format(
                theano.config.cxx, fault
            )
        )


def _start_device(device):
    """Have functions that are compiled from now on run on a GPU or an OpenCL device."""
    require_compiler()
    device_parts.update(gpu.prepare(device, theano.config.cxx))
    try:
        theano.gpuarray.use(device)
        device_parts["device"] = "{}: {}".format(device, theano.gpuarray.get_context(None).devname.strip())
    except Exception as error:  # pygpu's errors have no common type
        raise MnistCnnError("cannot use the device {}: {}".format(device, " ".join(str(error).split()))) from error
    type(theano.config).device.val = device  # which old code reads
    if device.startswith("opencl"):
        # One kernel declares local memory inside a loop: "Kernel variables in the local address space
        # cannot be declared within a loop".
        theano.compile.mode.instantiated_default_mode = theano.compile.get_default_mode().excluding(
            "local_gpua_crossentropysoftmaxargmax1hotwithbias"
        )


def on_device() -> bool:
    """Whether functions that are compiled now run on a GPU or an OpenCL device."""
    return "theano.gpuarray" in sys.modules and theano.gpuarray.pygpu_activated


def require_on_device(function: theano.compile.function_module.Function) -> None:
    """Check that a compiled function uses the device.

    Parameters
    ----------
    function : Theano function

    Raises
    ------
    MnistCnnError
        When a GPU is in use and Theano moved nothing but transfers to it.
    """
    names = {type(node.op).__name__ for node in function.maker.fgraph.toposort()}
    if on_device() and not any(name.startswith("Gpu") for name in names - {"GpuFromHost"}):
        raise MnistCnnError(
            "Theano has moved nothing to the device {}; check optimizer and optimizer_excluding "
            "in THEANO_FLAGS and .theanorc".format(theano.config.device)
        )


def use_device(device: str | None = None) -> None:
    """Have functions that are compiled from now on run on a device.

    Parameters
    ----------
    device : str, optional
        'cpu', 'cuda', 'cuda0', 'opencl0:0' and the like; by default that of Theano's configuration,
        which is the CPU unless the user set it.

    Raises
    ------
    MnistCnnError
        When the device cannot be used. There is no fallback to the CPU.
    """
    if device is None:
        if flags.device in _faults:
            raise MnistCnnError(_CONFIGURED.format(flags.device, _faults[flags.device]))
        return
    if device == theano.config.device:
        return
    if device == "cpu":
        raise MnistCnnError(
            "Theano's configuration chose {} already; remove 'device' from "
            "THEANO_FLAGS and .theanorc to train on the CPU".format(theano.config.device)
        )
    _start_device(device)


_faults = {}  # from the devices that cannot be used, but were not required, to the reasons
_CONFIGURED = "device={} in THEANO_FLAGS or .theanorc: {}"


def use_device_or_cpu(device: str, force: bool = False) -> None:
    """Have functions that are compiled from now on run on a device, or on the CPU where it cannot be used.

    Theano does so for the device of its configuration. A line on stderr says once that it is the CPU.

    Parameters
    ----------
    device : str
        As for `use_device`, or 'gpu', 'gpu0' and the like, the names of before Theano 0.9.
    force : bool
        Whether a device that cannot be used is an error.

    Raises
    ------
    mnist_cnn.compat.gpu.UnknownDevice
        When no device has that name; it is a ValueError, too.
    OSError
        With `force`, when the device cannot be used.
    """
    if device not in _faults and not on_device():
        try:
            _start_device(re.sub("^gpu", "cuda", device))
        except gpu.UnknownDevice:
            raise
        except MnistCnnError as error:
            _faults[device] = error
            if not force and len(_faults) == 1:
                reason, _, _ = str(error).partition(";")
                say("mnist_cnn: device={} cannot be used, the program runs on the CPU: {}".format(device, reason))
    if force and device in _faults:
        raise OSError(str(_faults[device])) from _faults[device]


def _use_configured_device():
    try:
        if environment.device_is_required:
            _start_device(flags.device)
        else:
            use_device_or_cpu(flags.device, flags.force_device)
    except (MnistCnnError, OSError) as error:
        raise ImportError(_CONFIGURED.format(flags.device, error)) from error


if flags.device != "cpu":
    _use_configured_device()
