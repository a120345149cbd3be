"""Theano Ops for a convolution stage and its gradient, in C++.

The sizes of the filters are constants of their code, which pays at the tutorial's few pixels; see
`docs/fused.md`.
"""

import theano.tensor as T
from theano import scalar
from theano.gof import Apply, local_optimizer
from theano.gof.params_type import ParamsType
from theano.tensor.opt import register_canonicalize

from .base import DifferentiableOp, GradientOp, NativeOp, checked_tensor, with_changes

__all__ = ["ConvReluPool", "ConvReluPoolGrad"]


class _ConvReluPoolOp(NativeOp):
    header = "bindings/convolution.h"

    def __init__(self, channels, filters, size, openmp=None):
        super().__init__(openmp)
        for name, value in (("channels", channels), ("filters", filters), ("size", size)):
            if int(value) != value or value < 1:
                raise ValueError("%s: wanted a positive integer, got %r" % (name, value))
        self.channels, self.filters, self.size = int(channels), int(filters), int(size)

    def template(self):
        return "%d, %d, %d" % (self.channels, self.filters, self.size)


class ConvReluPool(DifferentiableOp, _ConvReluPoolOp):
    """Convolution, bias, rectifier and 2x2 max-pooling in one pass over the images.

    Equal to ``pool_2d(rectify(conv2d(x, W) + b), (2, 2), ignore_border=True)``, where the
    convolution is `valid` with stride 1 and flips its filters.

    Parameters
    ----------
    channels, filters, size : int
        `W` has the shape ``(filters, channels, size, size)``.
    channels_last : bool
        The order of `y` in memory; its axes stay. True puts the channels of a pixel side by
        side, for a next stage, False the pixels of a channel, for a dense layer.
    codes : bool
        Whether to write the second output, which is empty otherwise. An optimization turns it off
        where no gradient uses it.

    Notes
    -----
    Called with x (batch, channels, rows, columns), W and b, all float32. Gives y
    (batch, filters, rows', columns') and codes, a uint8 4D tensor that tells the
    gradient which positions reached the maximum.
    """

    __props__ = ("channels", "filters", "size", "channels_last", "codes")
    params_type = ParamsType(codes=scalar.bool)  # read at run time: one module for both

    def __init__(
        self,
        channels: int,
        filters: int,
        size: int,
        channels_last: bool = False,
        codes: bool = True,
        openmp: bool | None = None,
    ) -> None:
        super().__init__(channels, filters, size, openmp)
        self.channels_last, self.codes = bool(channels_last), bool(codes)

    def make_node(self, x, W, b):
        inputs = [checked_tensor(x, "x", 4), checked_tensor(W, "W", 4), checked_tensor(b, "b", 1)]
        y = T.TensorType("float32", (inputs[0].broadcastable[0], self.filters == 1, False, False))
        return Apply(self, inputs, [y(), T.TensorType("uint8", (False,) * 4)()])

    def infer_shape(self, node, shapes):
        n, _, rows, columns = shapes[0]
        rows, columns = [(length - self.size + 1) // 2 for length in (rows, columns)]
        codes = (n, rows, columns, self.filters) if self.codes else (0,) * 4
        return [(n, self.filters, rows, columns), codes]

    def connection_pattern(self, node):
        return [[True, False]] * 3

    def differentiate(self, inputs, outputs, gradient):
        if not self.codes:
            raise NotImplementedError("ConvReluPool without codes has no gradient")
        x, W, _ = inputs
        grad = ConvReluPoolGrad(self.channels, self.filters, self.size, True, self.openmp)
        dW, db, dx = grad(x, W, outputs[1], gradient)
        return [dx, dW, db]

    def c_code(self, node, name, inputs, outputs, sub):
        function = "convolution::forward_numpy<%s>" % self.template()
        arguments = [*inputs, *("&" + output for output in outputs)]
        arguments += ["true" if self.channels_last else "false", "%s->codes" % sub["params"]]
        return self.call(function, arguments, [], sub)


class ConvReluPoolGrad(GradientOp, _ConvReluPoolOp):
    """Gradients of `ConvReluPool` with respect to W, b and, if asked for, x.

    Parameters
    ----------
    channels, filters, size : int
        As for `ConvReluPool`.
    wrt_x : bool
        Whether to compute the third output. An optimization turns it off where nothing uses it.
    """

    __props__ = ("channels", "filters", "size", "wrt_x")

    def __init__(self, channels: int, filters: int, size: int, wrt_x: bool = True, openmp: bool | None = None) -> None:
        super().__init__(channels, filters, size, openmp)
        self.wrt_x = wrt_x

    def make_node(self, x, W, codes, g):
        inputs = [
            checked_tensor(x, "x", 4),
            checked_tensor(W, "W", 4),
            checked_tensor(codes, "codes", 4, "uint8"),
            checked_tensor(g, "g", 4),
        ]
        return Apply(self, inputs, [T.ftensor4(), T.fvector()] + ([T.ftensor4()] if self.wrt_x else []))

    def infer_shape(self, node, shapes):
        return [shapes[1], (shapes[1][0],), shapes[0]][: len(node.outputs)]

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = [*inputs, *("&" + output for output in outputs)] + ([] if self.wrt_x else ["NULL"])
        wrt_x = "true" if self.wrt_x else "false"
        return self.call("convolution::backward_numpy<%s, %s>" % (self.template(), wrt_x), arguments, [], sub)


@register_canonicalize
@local_optimizer([ConvReluPool])
def local_no_unused_codes(node):
    """Leaves the codes out where no gradient uses them."""
    if isinstance(node.op, ConvReluPool) and node.op.codes and not node.outputs[1].clients:
        return with_changes(node, codes=False)
    return False


@register_canonicalize
@local_optimizer([ConvReluPoolGrad])
def local_no_unused_dx(node):
    """Leaves the gradient with respect to x out where nothing uses it."""
    if isinstance(node.op, ConvReluPoolGrad) and node.op.wrt_x and not node.outputs[2].clients:
        return with_changes(node, wrt_x=False) + [node.outputs[2]]
    return False
