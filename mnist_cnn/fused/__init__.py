"""The fast path on a CPU: `fuse` turns a plain Lasagne network into an equal, faster one.

See `docs/fused.md`.
"""
from . import one_pool, random  # noqa: F401  optimizations, registered as they are imported
from .blocks import FastBatchNormLayer, FastConv2DLayer, FastPool2DLayer, SparseDenseLayer
from .distortion import compile_move_pixels
from .layers import ConvReluPool2DLayer, PhiloxStreams, available, why_not
from .plan import explain, fuse, is_fused
from .updates import nesterov_momentum

__all__ = ["ConvReluPool2DLayer", "FastBatchNormLayer", "FastConv2DLayer", "FastPool2DLayer",
           "PhiloxStreams", "SparseDenseLayer", "available", "compile_move_pixels", "explain",
           "fuse", "is_fused", "nesterov_momentum", "why_not"]
