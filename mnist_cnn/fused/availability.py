"""Whether the fast path can run on this machine."""

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
    if not theano.config.cxx:
        return "there is no C++ compiler"
    if on_device():
        return "the device is {}".format(theano.config.device)
    return None
