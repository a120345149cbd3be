"""The fast path on a CPU: `fuse` turns a plain Lasagne network into an equal, faster one.

See `docs/fused.md`.
"""
from .layers import (ConvReluPool2DLayer, PhiloxStreams, SparseDenseLayer, available, fuse,
                     is_fused, why_not)
from .updates import nesterov_momentum

__all__ = ["ConvReluPool2DLayer", "PhiloxStreams", "SparseDenseLayer", "available", "fuse",
           "is_fused", "nesterov_momentum", "why_not"]
