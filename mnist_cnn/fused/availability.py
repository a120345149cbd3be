"""Whether the fast path can run on this machine."""

import theano

from ..compat import on_device

__all__ = ["why_not"]


def why_not() -> str | None:
    """The reason why the fast path cannot run here, or None where it can."""
    if not theano.config.cxx:
        return "there is no C++ compiler"
    if on_device():
        return "the device is {}".format(theano.config.device)
    return None
