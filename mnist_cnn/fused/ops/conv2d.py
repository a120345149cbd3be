"""Theano Ops for convolutions of any size, with a nonlinearity and a pooling, in C++.

Their images lie with the channels of a pixel side by side, (batch, rows, columns, channels).
`last` and `first` go from Lasagne's order to that one and back. Theano's optimizer cancels a
`last` after a `first`, also with elementwise operations between, so that nothing is transposed
between layers.
All sizes are known to the C++ code at run time, so that Theano compiles one module for all layers.
"""

import json
import os
from collections import namedtuple

import numpy as np
import theano.tensor as T
from theano import config
from theano.gof import Apply, ParamsType, local_optimizer
from theano.gradient import DisconnectedType
from theano.scalar import bool as bool_t, float64 as float64_t, int64 as int64_t
from theano.tensor.opt import register_canonicalize

from .base import NativeOp, checked_tensor, with_op
from .pooling import Pooling

__all__ = ["Conv2D", "Conv2DGrad", "first", "last"]


def last(x):
    """(batch, channels, rows, columns) to (batch, rows, columns, channels).

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.conv2d import last
    >>> import theano.tensor as T
    >>> last(T.as_tensor_variable(np.zeros((2, 3, 28, 30)))).eval().shape
    (2, 28, 30, 3)
    """
    return x.dimshuffle(0, 2, 3, 1)


def first(x):
    """(batch, rows, columns, channels) to (batch, channels, rows, columns).

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.conv2d import first, last
    >>> import theano.tensor as T
    >>> first(last(T.as_tensor_variable(np.zeros((2, 3, 28, 30))))).eval().shape
    (2, 3, 28, 30)
    """
    return x.dimshuffle(0, 3, 1, 2)


_NO_CODES = T.constant(np.zeros((0, 0, 0, 0), "uint8"))

# The names of csrc/conv2d/nonlinearity.h, in their order.
NONLINEARITIES = ("lines", "tanh", "sigmoid", "elu")
SPELLINGS = ("abs", "maximum", "maximum_second", "switch", "switch_ge", "switch_le", "switch_lt", "product")


class Nonlinearity(namedtuple("Nonlinearity", "slope nonlinearity spelling")):
    """f, as the parameters of an Op that has one."""

    __slots__ = ()
    params = dict(kind=int64_t, slope=float64_t, spelling=int64_t)

    def __new__(cls, slope=1, nonlinearity="lines", spelling="abs"):
        if not 0 <= slope <= 1:
            raise ValueError("slope: wanted a number from 0 to 1, got %r" % (slope,))
        for name, value, known in (("nonlinearity", nonlinearity, NONLINEARITIES), ("spelling", spelling, SPELLINGS)):
            if value not in known:
                raise ValueError("%s: wanted one of %s, got %r" % (name, ", ".join(known), value))
        if nonlinearity != "lines" and slope != 1:
            raise ValueError("slope: %s has none, got %r" % (nonlinearity, slope))
        if spelling == "product" and slope not in (0, 1):
            raise ValueError("slope: a product has 0, got %r" % (slope,))
        return super().__new__(cls, float(slope), nonlinearity, spelling)

    def values(self):
        """Of `params`."""
        return dict(
            kind=NONLINEARITIES.index(self.nonlinearity), slope=self.slope, spelling=SPELLINGS.index(self.spelling)
        )

    @staticmethod
    def c_value(sub):
        return (
            "conv2d::Nonlinearity((conv2d::Kind){0}->kind, (float){0}->slope, (conv2d::Spelling){0}->spelling)".format(
                sub["params"]
            )
        )


class _Conv2DOp(NativeOp):
    # What an Op does not give, y or dx or the pooled, is an output all the same, an empty array: so
    # all Conv2Ds, and all their gradients, are one C++ module.
    params_type = ParamsType(
        full=bool_t,
        codes=bool_t,
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
        # csrc/bindings/conv2d.h knows the words by their numbers
        top, bottom, left, right = {"half": (-1,) * 4, "full": (-2,) * 4}.get(self.pad, self.pad)
        nothing = dict(Pooling((1, 1), (1, 1)).values(), rows=0)
        return self.params_type.get_params(
            self,
            full=self.full(),
            codes=self.codes(),
            top=top,
            bottom=bottom,
            left=left,
            right=right,
            down=self.stride[0],
            across=self.stride[1],
            ties=self.ties,
            **dict(self.f.values(), **(self.pool.values() if self.pool else nothing)),
        )

    def has_codes(self):
        """Whether a byte a window tells the gradient all that it needs of y."""
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
        """The C++ arguments: padding, stride, what follows the sums, where the ways are kept."""
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


class Conv2D(_Conv2DOp):
    """Convolution, bias, nonlinearity and pooling, in one pass.

    Equal to ``pool(f(conv2d(padded x, W) + b))`` with flipped filters. (For others, give
    ``W[:, :, ::-1, ::-1]``: no copy is made of it.)

    Parameters
    ----------
    pad : tuple of four int, or {'half', 'full'}
        Rows and columns of zeros around an image: (top, bottom, left, right). Or by the filters'
        size, which may be known at run time alone: half of it, rounded down, or all of it but one.
    slope : float
        With 'lines', in [0, 1]: f(z) is z where z > 0, and ``slope * z`` elsewhere. So 1 is no
        nonlinearity, 0 the rectifier, between is a leaky rectifier.
    nonlinearity : {'lines', 'tanh', 'sigmoid', 'elu'}
        f.
    pool : Pooling, optional
        The pooling that follows.
    ties : bool
        Whether what follows may compare y's values, so that equal patches have to give equal
        ones. The pooling does without.
    spelling : str
        With 'lines', which of the plain graph's forms f equals where z is 0, infinite or NaN. Its
        derivative at 0 is

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
        Of the convolution: rows and columns.
    keep_y, keep_codes : bool
        Whether to give y where there is a pooling, and the codes where there can be some. An
        optimization turns off what nothing uses.

    Notes
    -----
    Called with x (batch, rows, columns, channels), W (filters, channels, rows, columns) and b
    (filters,), all float32. Gives y and the pooled, both (batch, rows', columns', filters); the
    pooled is for use only where there is a pooling, y only where it is kept. In y the sign of a
    zero tells the gradient whether it was negative before the nonlinearity. The third output, uint8
    and of the pooled's shape, are codes: which positions of a window get its gradient. 'lines'
    and a max-pooling of 2x2 have them, and their gradient looks at them in place of y.

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
        pad,
        slope=1,
        nonlinearity="lines",
        pool=None,
        ties=False,
        spelling="abs",
        stride=(1, 1),
        keep_y=True,
        keep_codes=True,
        openmp=None,
    ):
        super().__init__(pad, slope, nonlinearity, pool, ties, spelling, stride, openmp)
        self.keep_y = bool(keep_y) or not pool
        self.keep_codes = bool(keep_codes) and self.has_codes()

    def full(self):
        return self.keep_y

    def codes(self):
        return self.keep_codes

    def make_node(self, x, W, b):
        x, W, b = (
            checked_tensor(x, "x", 4, "float32"),
            checked_tensor(W, "W", 4, "float32"),
            checked_tensor(b, "b", 1, "float32"),
        )
        shape = (x.broadcastable[0], False, False, False)
        maps, codes = T.TensorType("float32", shape), T.TensorType("uint8", shape)
        return Apply(self, [x, W, b], [maps(), maps(), codes()])

    def result(self, x, W, b):
        """The last thing that it computes: the pooled, or y."""
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
        x, W, b = inputs
        used, other = gradients[1::-1] if self.pool else gradients[:2]
        if not isinstance(other.type, DisconnectedType):
            raise NotImplementedError("Conv2D with a pooling has no gradient through y itself")
        if isinstance(used.type, DisconnectedType):
            return [DisconnectedType()()] * 3
        y, pooled, codes = outputs
        dW, db, dx = Conv2DGrad(self.pad, wrt_x=True, **self.options())(
            x,
            W,
            pooled if self.has_codes() else y,
            pooled if self.pool else y,
            codes if self.has_codes() else _NO_CODES,
            used,
        )
        return [
            T.patternbroadcast(dx, x.broadcastable),
            T.patternbroadcast(dW, W.broadcastable),
            T.patternbroadcast(db, b.broadcastable),
        ]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "conv2d::forward_numpy(%s, %s, &%s)" % (", ".join(inputs), self.c_options(sub), ", &".join(outputs)), sub
        )


class Conv2DGrad(_Conv2DOp):
    """Gradients of `Conv2D` with respect to W, b and x.

    Parameters
    ----------
    pad, slope, nonlinearity, pool, ties, spelling, stride
        As for `Conv2D`.
    wrt_x : bool
        Whether to compute the third output. An optimization turns it off where nothing uses it.

    Notes
    -----
    Called with x, W, y, the pooled (y again where nothing pools), the codes, and the gradient of
    the pooled. Where there are codes y is not looked at, and any maps will do; where there are
    none, any codes.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.conv2d import Conv2D
    >>> import theano
    >>> x, W = np.ones((1, 4, 4, 3), np.float32), np.ones((2, 3, 3, 3), np.float32)
    >>> b = theano.shared(np.zeros(2, np.float32))
    >>> y = Conv2D(pad=(1, 1, 1, 1), slope=0).result(x, W, b)
    >>> theano.grad(y.sum(), b).eval()  # 4 x 4 positions
    array([16., 16.], dtype=float32)
    """

    __props__ = ("pad", "f", "pool", "ties", "stride", "wrt_x")
    header = "bindings/conv2d_backward.h"

    def __init__(
        self,
        pad,
        slope=1,
        nonlinearity="lines",
        pool=None,
        ties=False,
        spelling="abs",
        stride=(1, 1),
        wrt_x=True,
        openmp=None,
    ):
        super().__init__(pad, slope, nonlinearity, pool, ties, spelling, stride, openmp)
        self.wrt_x = bool(wrt_x)

    def full(self):
        return self.wrt_x

    def codes(self):
        return self.has_codes()

    def make_node(self, x, W, y, pooled, codes, g):
        inputs = [
            checked_tensor(value, name, 4, dtype)
            for value, name, dtype in (
                (x, "x", "float32"),
                (W, "W", "float32"),
                (y, "y", "float32"),
                (pooled, "pooled", "float32"),
                (codes, "codes", "uint8"),
                (g, "g", "float32"),
            )
        ]
        return Apply(self, inputs, [T.tensor4(dtype="float32"), T.vector(dtype="float32"), T.tensor4(dtype="float32")])

    def infer_shape(self, node, shapes):
        return [shapes[1], (shapes[1][0],), shapes[0]]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("Conv2D has a first derivative only; for a second, take the plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "conv2d::backward_numpy(%s, %s, &%s)" % (", ".join(inputs), self.c_options(sub), ", &".join(outputs)), sub
        )


@register_canonicalize
@local_optimizer([Conv2DGrad])
def local_conv2d_no_unused_dx(node):
    """Leaves the gradient with respect to x out where nothing uses it."""
    op = node.op
    if isinstance(op, Conv2DGrad) and op.wrt_x and not node.outputs[2].clients:
        return with_op(node, Conv2DGrad(op.pad, wrt_x=False, **op.options()))
    return False


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
    return with_op(node, Conv2D(op.pad, keep_y=keep_y, keep_codes=keep_codes, **op.options()))
