"""Whether the fast path can run on this machine."""
import platform

import theano

from ..compat import on_device

__all__ = ["why_not"]


def why_not():
    """Say why the fast path cannot run here.

    Returns
    -------
    str or None
        A few words; None where it can.

    Examples
    --------
    >>> from mnist_cnn.fused import why_not
    >>> print(why_not())
    None
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "the processor is {}, not x86-64".format(platform.machine())
    if not theano.config.cxx:
        return "there is no C++ compiler"
    if on_device():
        return "the device is {}".format(theano.config.device)
    return None
