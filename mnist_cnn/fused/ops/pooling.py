"""Theano Ops for poolings of any size, in C++."""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import theano.tensor as T
from theano.gof import Apply, ParamsType
from theano.scalar import bool as bool_t, int64 as int64_t
from theano.tensor.signal.pool import Pool

from .base import DifferentiableOp, GradientOp, NativeOp, checked_tensor

__all__ = ["Pooling", "Pool2D", "Pool2DGrad"]

# The enum of csrc/pooling/pooling.h, in its order.
MODES = ("max", "average_inc_pad", "average_exc_pad", "sum")


class Pooling(namedtuple("Pooling", "size stride ignore_border mode pad")):
    """The parameters of `Pool2D`."""

    __slots__ = ()
    params = dict(
        rows=int64_t,
        columns=int64_t,
        stride_rows=int64_t,
        stride_columns=int64_t,
        pad_rows=int64_t,
        pad_columns=int64_t,
        ignore_border=bool_t,
        mode=int64_t,
    )

    def __new__(cls, size, stride, ignore_border=True, mode="max", pad=(0, 0)):
        size, stride, pad = [tuple(int(n) for n in pair) for pair in (size, stride, pad)]
        for name, pair, least in (("size", size, 1), ("stride", stride, 1), ("pad", pad, 0)):
            if len(pair) != 2 or min(pair) < least:
                raise ValueError("%s: wanted two numbers from %d, got %r" % (name, least, pair))
        if mode not in MODES:
            raise ValueError("mode: wanted one of %s, got %r" % (", ".join(MODES), mode))
        if any(pad) and not ignore_border:
            raise ValueError("pad: wanted none without ignore_border, got %r" % (pad,))
        if pad[0] >= size[0] or pad[1] >= size[1]:
            raise ValueError("pad: wanted less than the window's %r, got %r" % (size, pad))
        return super().__new__(cls, size, stride, bool(ignore_border), mode, pad)

    def out_shape(self, shape: Sequence) -> tuple:
        """The pooled maps' (batch, rows, columns, channels), from the images'."""
        rows, columns = Pool.out_shape(shape[1:3], self.size, self.ignore_border, self.stride, self.pad)
        return shape[0], rows, columns, shape[3]

    def values(self) -> dict[str, Any]:
        """The values of `params`."""
        return dict(
            rows=self.size[0],
            columns=self.size[1],
            stride_rows=self.stride[0],
            stride_columns=self.stride[1],
            pad_rows=self.pad[0],
            pad_columns=self.pad[1],
            ignore_border=self.ignore_border,
            mode=MODES.index(self.mode),
        )

    @staticmethod
    def c_value(sub: Mapping[str, str]) -> str:
        return (
            "pooling::Window{{(int){0}->rows, (int){0}->columns, (int){0}->stride_rows, "
            "(int){0}->stride_columns, (int){0}->pad_rows, (int){0}->pad_columns, "
            "(bool){0}->ignore_border, (pooling::Mode){0}->mode}}".format(sub["params"])
        )


class _Pool2DOp(NativeOp):
    header = "bindings/pooling.h"
    __props__ = ("window",)
    params_type = ParamsType(**Pooling.params)

    def __init__(self, size, stride, ignore_border=True, mode="max", pad=(0, 0), openmp=None):
        super().__init__(openmp)
        self.window = Pooling(size, stride, ignore_border, mode, pad)

    def get_params(self, node):
        return self.params_type.get_params(self, **self.window.values())


class Pool2D(DifferentiableOp, _Pool2DOp):
    """Pooling, as ``theano.tensor.signal.pool`` has it.

    Parameters
    ----------
    size, stride : tuple of two int
        Rows and columns of the window, and between windows.
    ignore_border : bool
        Whether a window that reaches over the border is left out; else it is cut.
    mode : {'max', 'average_inc_pad', 'average_exc_pad', 'sum'}
        'average_inc_pad' counts the padding's zeros in the mean.
    pad : tuple of two int
        Rows above and below, columns left and right, fewer than the window has. They are never the
        maximum.

    Notes
    -----
    Called with x float32 (batch, rows, columns, channels), gives y (batch, rows', columns',
    channels). Where several pixels equal the maximum, each gets the whole gradient, as in Theano.
    """

    def make_node(self, x):
        x = checked_tensor(x, "x", 4)
        broadcastable = (x.broadcastable[0], False, False, x.broadcastable[3])
        return Apply(self, [x], [T.TensorType("float32", broadcastable)()])

    def infer_shape(self, node, shapes):
        return [self.window.out_shape(shapes[0])]

    def differentiate(self, inputs, outputs, gradient):
        return [Pool2DGrad(*self.window, openmp=self.openmp)(inputs[0], outputs[0], gradient)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("pooling::forward_numpy", [*inputs, Pooling.c_value(sub)], outputs, sub)


class Pool2DGrad(GradientOp, _Pool2DOp):
    """Gradient of `Pool2D`, whose parameters it has."""

    def make_node(self, x, y, g):
        inputs = [checked_tensor(x, "x", 4), checked_tensor(y, "y", 4), checked_tensor(g, "g", 4)]
        return Apply(self, inputs, [T.ftensor4()])

    def infer_shape(self, node, shapes):
        return [shapes[0]]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("pooling::backward_numpy", [*inputs, Pooling.c_value(sub)], outputs, sub)
