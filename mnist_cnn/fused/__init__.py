"""The fast path on a CPU: `fuse` turns a plain Lasagne network into an equal, faster one.

See `docs/fused.md`.
"""
from .layers import ConvReluPool2DLayer, PhiloxStreams, SparseDenseLayer, available, fuse

__all__ = ["ConvReluPool2DLayer", "PhiloxStreams", "SparseDenseLayer", "available", "fuse"]
