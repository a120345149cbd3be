"""Theano Ops for convolutions of any size, with a nonlinearity and a pooling, in C++.

Their images have the channels last, (batch, rows, columns, channels). Theano's optimizer cancels
`channels_last` after `channels_first`, also with elementwise operations between, so that nothing is
transposed between layers. The C++ code takes all sizes at run time: Theano compiles one module for all layers.
"""

import json
import os
from collections import namedtuple
from collections.abc import Mapping
from typing import Any

import numpy as np
import theano.tensor as T
from theano import config
from theano.gof import Apply, ParamsType, Variable, local_optimizer
from theano.scalar import bool as bool_t, float64 as float64_t, int64 as int64_t
from theano.tensor.opt import register_canonicalize

from .base import DifferentiableOp, GradientOp, NativeOp, checked_tensor, is_disconnected, with_changes
from .pooling import Pooling

__all__ = ["Conv2D", "Conv2DGrad", "channels_first", "channels_last"]


def channels_last(x: Variable) -> Variable:
    """(batch, channels, rows, columns) to (batch, rows, columns, channels)."""
    return x.dimshuffle(0, 2, 3, 1)


def channels_first(x: Variable) -> Variable:
    """(batch, rows, columns, channels) to (batch, channels, rows, columns)."""
    return x.dimshuffle(0, 3, 1, 2)


_NO_CODES = T.constant(np.zeros((0, 0, 0, 0), "uint8"))

# The enums of csrc/conv2d/nonlinearity.h, in their order.
NONLINEARITIES = ("lines", "tanh", "sigmoid", "elu")
SPELLINGS = ("abs", "maximum", "maximum_second", "switch", "switch_ge", "switch_le", "switch_lt", "product")


class Nonlinearity(namedtuple("Nonlinearity", "slope nonlinearity spelling")):
    """The nonlinearity of an Op, f, as its parameters."""

    __slots__ = ()
    params = dict(kind=int64_t, slope=float64_t, spelling=int64_t)

    def __new__(cls, slope=1, nonlinearity="lines", spelling="abs"):
        if not 0 <= slope <= 1:
            raise ValueError("slope: wanted a number from 0 to 1, got %r" % (slope,))
        for name, value, known in (("nonlinearity", nonlinearity, NONLINEARITIES), ("spelling", spelling, SPELLINGS)):
            if value not in known:
                raise ValueError("%s: wanted one of %s, got %r" % (name, ", ".join(known), value))
        if nonlinearity != "lines" and slope != 1:
            raise ValueError("slope: wanted none for %s, got %r" % (nonlinearity, slope))
        if spelling == "product" and slope not in (0, 1):
            raise ValueError("slope: wanted 0 for a product, got %r" % (slope,))
        return super().__new__(cls, float(slope), nonlinearity, spelling)

    def values(self) -> dict[str, Any]:
        """The values of `params`."""
        return dict(
            kind=NONLINEARITIES.index(self.nonlinearity), slope=self.slope, spelling=SPELLINGS.index(self.spelling)
        )

    @staticmethod
    def c_value(sub: Mapping[str, str]) -> str:
        return (
            "conv2d::Nonlinearity((conv2d::Kind){0}->kind, (float){0}->slope, (conv2d::Spelling){0}->spelling)".format(
                sub["params"]
            )
        )


class _Conv2DOp(NativeOp):
    # An output that is not computed (y, dx, the pooled) is an empty array: so one C++ module serves all
    # Conv2Ds, and one all their gradients.
    params_type = ParamsType(
        full=bool_t,
        codes=bool_t,
        weights=bool_t,
        top=int64_t,
        bottom=int64_t,
        left=int64_t,
        right=int64_t,
        down=int64_t,
        across=int64_t,
        ties=bool_t,
        **dict(Nonlinearity.params, **Pooling.params),
    )

    def __init__(
        self, pad, slope=1, nonlinearity="lines", pool=None, ties=False, spelling="abs", stride=(1, 1), openmp=None
    ):
        super().__init__(openmp)
        self.pad = pad if pad in ("half", "full") else tuple(int(n) for n in pad)
        self.f, self.stride = Nonlinearity(slope, nonlinearity, spelling), tuple(map(int, stride))
        self.pool, self.ties = pool and Pooling(*pool), bool(ties)
        if pad not in ("half", "full") and (len(self.pad) != 4 or min(self.pad) < 0):
            raise ValueError("pad: wanted half, full or four numbers from 0, got %r" % (pad,))
        if len(self.stride) != 2 or min(self.stride) < 1:
            raise ValueError("stride: wanted two numbers from 1, got %r" % (stride,))

    def get_params(self, node):
        # the numbers of csrc/bindings/conv2d.h for the words
        top, bottom, left, right = {"half": (-1,) * 4, "full": (-2,) * 4}.get(self.pad, self.pad)
        nothing = dict(Pooling((1, 1), (1, 1)).values(), rows=0)
        return self.params_type.get_params(
            self,
            full=self.full(),
            codes=self.codes(),
            weights=self.weights(),
            top=top,
            bottom=bottom,
            left=left,
            right=right,
            down=self.stride[0],
            across=self.stride[1],
            ties=self.ties,
            **dict(self.f.values(), **(self.pool.values() if self.pool else nothing)),
        )

    def weights(self):
        """Whether the gradients with respect to W and b are computed."""
        return False

    def has_codes(self):
        """Whether one byte for each window tells the gradient all that it needs of y."""
        return (
            self.pool is not None
            and self.pool.mode == "max"
            and self.pool.pad == (0, 0)
            and self.pool.size == self.pool.stride == (2, 2)
            and self.f.nonlinearity == "lines"
        )

    def options(self):
        return dict(pool=self.pool, ties=self.ties, stride=self.stride, openmp=self.openmp, **self.f._asdict())

    def c_options(self, sub):
        """The C++ arguments: padding, stride, the operations after the sums, the file of measured ways."""
        return (
            "conv2d::Pad{{(int){0}->top, (int){0}->bottom, (int){0}->left, (int){0}->right}}, "
            "conv2d::Pair{{(int){0}->down, (int){0}->across}}, "
            "conv2d::After{{{1}, {2}, (bool){0}->ties}}, {0}->full, {0}->codes, {3}"
        ).format(
            sub["params"],
            Nonlinearity.c_value(sub),
            Pooling.c_value(sub),
            json.dumps(os.path.join(config.compiledir, "conv2d_ways.txt")),
        )


class Conv2D(DifferentiableOp, _Conv2DOp):
    """Convolution, bias, nonlinearity and pooling, in one pass.

    Equal to ``pool(f(conv2d(padded x, W) + b))`` with flipped filters. (For unflipped ones, give
    ``W[:, :, ::-1, ::-1]``, which is not copied.)

    Parameters
    ----------
    pad : tuple of four int, or {'half', 'full'}
        Rows and columns of zeros around an image: (top, bottom, left, right); or 'half' the filters'
        size, rounded down, or the 'full' size minus one.
    slope : float
        For 'lines', in [0, 1]: f(z) is z where z > 0, and ``slope * z`` elsewhere. 1 is the
        identity, 0 the rectifier, a number between a leaky rectifier.
    nonlinearity : {'lines', 'tanh', 'sigmoid', 'elu'}
        f.
    pool : Pooling, optional
    ties : bool
        Whether later operations, other than the pooling, may compare values of y. Then equal
        patches give equal values.
    spelling : str
        For 'lines', the expression that f equals where z is 0, infinite or NaN, with its
        derivative at 0:

        =================  =====================================  ===============
        'abs'              ``a * z + (1 - a) * abs(z)``           ``a = (1 + slope) / 2``
        'maximum'          ``T.maximum(z, slope * z)``            1
        'maximum_second'   ``T.maximum(slope * z, z)``            slope
        'switch'           ``T.switch(z > 0, z, slope * z)``      slope
        'switch_ge'        ``T.switch(z >= 0, z, slope * z)``     1
        'switch_le'        ``T.switch(z <= 0, slope * z, z)``     slope
        'switch_lt'        ``T.switch(z < 0, slope * z, z)``      1
        'product'          ``z * (z > 0)``                        0
        =================  =====================================  ===============

        (With slope 0, ``slope * z`` is a plain 0.)
    stride : tuple of two int
        Rows and columns between the filters' positions.
    keep_y, keep_codes : bool
        Whether to write y where there is a pooling, and the codes where there can be some. An
        optimization turns off what nothing uses.

    Notes
    -----
    Called with x (batch, rows, columns, channels), W (filters, channels, rows, columns) and b
    (filters,), all float32. Gives y, the pooled (empty where nothing pools) and codes, all of the
    form (batch, rows', columns', filters). In y the sign of a zero tells the gradient whether it was
    negative before the nonlinearity. The codes, uint8, say which positions of a window get its
    gradient; 'lines' with a max-pooling of 2x2 has them, and its gradient reads them in place of y.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.conv2d import Conv2D
    >>> x, W = np.ones((1, 4, 4, 3), np.float32), np.ones((2, 3, 3, 3), np.float32)
    >>> y = Conv2D(pad=(1, 1, 1, 1), slope=0).result(x, W, np.zeros(2, np.float32))
    >>> y.eval()[0, :, :, 0]  # three channels times 4, 6 or 9 pixels
    array([[12., 18., 18., 12.],
           [18., 27., 27., 18.],
           [18., 27., 27., 18.],
           [12., 18., 18., 12.]], dtype=float32)
    """

    __props__ = ("pad", "f", "pool", "ties", "stride", "keep_y", "keep_codes")
    header = "bindings/conv2d_forward.h"

    def __init__(
        self,
        pad: tuple[int, int, int, int] | str,
        *args: Any,
        keep_y: bool = True,
        keep_codes: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(pad, *args, **kwargs)
        self.keep_y = bool(keep_y) or not self.pool
        self.keep_codes = bool(keep_codes) and self.has_codes()

    def full(self) -> bool:
        return self.keep_y

    def codes(self) -> bool:
        return self.keep_codes

    def make_node(self, x, W, b):
        inputs = [checked_tensor(x, "x", 4), checked_tensor(W, "W", 4), checked_tensor(b, "b", 1)]
        shape = (inputs[0].broadcastable[0], False, False, False)
        maps, codes = T.TensorType("float32", shape), T.TensorType("uint8", shape)
        return Apply(self, inputs, [maps(), maps(), codes()])

    def result(self, x: Variable, W: Variable, b: Variable) -> Variable:
        """The pooled, or y where nothing pools."""
        y, pooled, _ = self(x, W, b)
        return pooled if self.pool else y

    def infer_shape(self, node, shapes):
        (n, rows, columns, _), (filters, _, height, width), _ = shapes
        top, bottom, left, right = {
            "half": 2 * (height // 2,) + 2 * (width // 2,),
            "full": 2 * (height - 1,) + 2 * (width - 1,),
        }.get(self.pad, self.pad)
        y = (
            n,
            (rows + top + bottom - height) // self.stride[0] + 1,
            (columns + left + right - width) // self.stride[1] + 1,
            filters,
        )
        return [y] + 2 * [self.pool.out_shape(y) if self.pool else y]

    def L_op(self, inputs, outputs, gradients):
        used, other = gradients[1::-1] if self.pool else gradients[:2]
        if not is_disconnected(other):
            raise NotImplementedError("Conv2D with a pooling has no gradient through y itself")
        return super().L_op(inputs, outputs, [used])

    def differentiate(self, inputs, outputs, gradient):
        x, W, _ = inputs
        y, pooled, codes = outputs
        dW, db, dx = Conv2DGrad(self.pad, wrt_x=True, **self.options())(
            x,
            W,
            pooled if self.has_codes() else y,
            pooled if self.pool else y,
            codes if self.has_codes() else _NO_CODES,
            gradient,
        )
        return [dx, dW, db]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("conv2d::forward_numpy", [*inputs, self.c_options(sub)], outputs, sub)


class Conv2DGrad(GradientOp, _Conv2DOp):
    """Gradients of `Conv2D` with respect to W, b and x.

    Parameters
    ----------
    pad, slope, nonlinearity, pool, ties, spelling, stride
        As for `Conv2D`.
    wrt_x : bool
        Whether to compute the third output. An optimization turns it off where nothing uses it.
    wrt_W : bool
        Whether to compute the first two outputs, likewise.

    Notes
    -----
    Called with x, W, y, the pooled (y again where nothing pools), the codes, and the gradient of
    the pooled. With codes y is not read, and any maps will do; without them any codes will do.
    """

    __props__ = ("pad", "f", "pool", "ties", "stride", "wrt_x", "wrt_W")
    header = "bindings/conv2d_backward.h"

    def __init__(
        self, pad: tuple[int, int, int, int] | str, *args: Any, wrt_x: bool = True, wrt_W: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(pad, *args, **kwargs)
        self.wrt_x, self.wrt_W = bool(wrt_x), bool(wrt_W)

    def full(self) -> bool:
        return self.wrt_x

    def weights(self) -> bool:
        return self.wrt_W

    def codes(self) -> bool:
        return self.has_codes()

    def make_node(self, x, W, y, pooled, codes, g):
        inputs = [
            checked_tensor(x, "x", 4),
            checked_tensor(W, "W", 4),
            checked_tensor(y, "y", 4),
            checked_tensor(pooled, "pooled", 4),
            checked_tensor(codes, "codes", 4, "uint8"),
            checked_tensor(g, "g", 4),
        ]
        return Apply(self, inputs, [T.ftensor4(), T.fvector(), T.ftensor4()])

    def infer_shape(self, node, shapes):
        return [shapes[1], (shapes[1][0],), shapes[0]]

    def c_code(self, node, name, inputs, outputs, sub):
        arguments = [*inputs, self.c_options(sub), "%s->weights" % sub["params"]]
        return self.call("conv2d::backward_numpy", arguments, outputs, sub)


@register_canonicalize
@local_optimizer([Conv2DGrad])
def local_conv2d_no_unused_gradients(node):
    """Leaves the gradients out that nothing uses: that with respect to x, or those with respect to W and b."""
    op = node.op
    if not isinstance(op, Conv2DGrad):
        return False
    dW, db, dx = (bool(output.clients) for output in node.outputs)
    wrt_x, wrt_W = op.wrt_x and dx, op.wrt_W and (dW or db)
    if (op.wrt_x, op.wrt_W) == (wrt_x, wrt_W):
        return False
    return with_changes(node, wrt_x=wrt_x, wrt_W=wrt_W)


@register_canonicalize
@local_optimizer([Conv2D])
def local_conv2d_no_unused_outputs(node):
    """Writes no maps that nothing but the pooling reads, and no codes that no gradient reads."""
    op = node.op
    if not isinstance(op, Conv2D):
        return False
    y, _, codes = node.outputs
    keep_y, keep_codes = bool(y.clients) or not op.pool, bool(codes.clients) and op.keep_codes
    if (op.keep_y, op.keep_codes) == (keep_y, keep_codes):
        return False
    return with_changes(node, keep_y=keep_y, keep_codes=keep_codes)
