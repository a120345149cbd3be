"""Theano Ops for convolutions and poolings of any size, in C++: the general form of `ops`.

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
from theano.tensor.signal.pool import Pool

from .ops import _NativeOp, _tensor, _with_op

__all__ = ["Conv2D", "Conv2DGrad", "Pool2D", "Pool2DGrad", "Pooling", "first", "last"]


def last(x):
    """(batch, channels, rows, columns) to (batch, rows, columns, channels).

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.conv2d import last
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
    >>> from mnist_cnn.fused.conv2d import first, last
    >>> import theano.tensor as T
    >>> first(last(T.as_tensor_variable(np.zeros((2, 3, 28, 30))))).eval().shape
    (2, 3, 28, 30)
    """
    return x.dimshuffle(0, 3, 1, 2)


_NO_CODES = T.constant(np.zeros((0, 0, 0, 0), "uint8"))

# The names of csrc/conv2d/nonlinearity.h, in its order.
NONLINEARITIES = ("lines", "tanh", "sigmoid", "elu")


class Pooling(namedtuple("Pooling", "size stride ignore_border average")):
    """What `Pool2D` does, as its parameters: two tuples of two int, and two bool."""


class _Conv2DOp(_NativeOp):
    # What an Op does not give, y or dx or the pooled, is an output all the same, which stays None:
    # so all Conv2Ds, and all their gradients, are one C++ module.
    params_type = ParamsType(
        full=bool_t, codes=bool_t, top=int64_t, bottom=int64_t, left=int64_t, right=int64_t,
        kind=int64_t, slope=float64_t, ties=bool_t, rows=int64_t, columns=int64_t,
        stride_rows=int64_t, stride_columns=int64_t, ignore_border=bool_t, average=bool_t)

    def __init__(self, pad, slope=1, nonlinearity="lines", pool=None, ties=False, openmp=None):
        super(_Conv2DOp, self).__init__(openmp)
        self.pad, self.slope = tuple(int(n) for n in pad), float(slope)
        self.nonlinearity, self.pool, self.ties = nonlinearity, pool, bool(ties)
        if len(self.pad) != 4 or min(self.pad) < 0:
            raise ValueError("pad: wanted four numbers from 0, got %r" % (pad,))
        if not 0 <= self.slope <= 1:
            raise ValueError("slope: wanted a number from 0 to 1, got %r" % (slope,))
        if nonlinearity not in NONLINEARITIES:
            raise ValueError("nonlinearity: wanted one of %s, got %r"
                             % (", ".join(NONLINEARITIES), nonlinearity))
        if nonlinearity != "lines" and self.slope != 1:
            raise ValueError("slope: %s has none, got %r" % (nonlinearity, slope))

    def get_params(self, node):
        top, bottom, left, right = self.pad
        size, stride, ignore_border, average = self.pool or ((0, 0), (1, 1), True, False)
        return self.params_type.get_params(
            self, full=self.full(), codes=self.codes(), top=top, bottom=bottom, left=left,
            right=right, slope=self.slope, ties=self.ties,
            kind=NONLINEARITIES.index(self.nonlinearity), rows=size[0], columns=size[1],
            stride_rows=stride[0], stride_columns=stride[1], ignore_border=ignore_border,
            average=average)

    def has_codes(self):
        """Whether a byte a window tells the gradient all that it needs of y."""
        return (self.pool is not None and not self.pool.average and
                self.pool.size == self.pool.stride == (2, 2) and
                self.nonlinearity == "lines" and self.slope == 0)

    def options(self):
        return dict(slope=self.slope, nonlinearity=self.nonlinearity, pool=self.pool,
                    ties=self.ties, openmp=self.openmp)

    def c_options(self, sub):
        """The C++ arguments: the padding, what follows the sums, and where the ways are kept."""
        return (
            "conv2d::Pad{{(int){0}->top, (int){0}->bottom, (int){0}->left, (int){0}->right}}, "
            "conv2d::After{{{{(conv2d::Kind){0}->kind, (float){0}->slope}}, "
            "{{(int){0}->rows, (int){0}->columns, (int){0}->stride_rows, (int){0}->stride_columns, "
            "(bool){0}->ignore_border, (bool){0}->average}}, (bool){0}->ties}}, {0}->full, "
            "{0}->codes, {1}"
            ).format(sub["params"], json.dumps(os.path.join(config.compiledir, "conv2d_ways.txt")))

    def __str__(self):
        what = self.nonlinearity if self.nonlinearity != "lines" else "slope %g" % self.slope
        return "%s{pad=%s, %s%s}" % (type(self).__name__, self.pad, what,
                                     ", " + str(tuple(self.pool)) if self.pool else "")


class Conv2D(_Conv2DOp):
    """Convolution, bias, nonlinearity and pooling, in one pass.

    Equal to ``pool(f(conv2d(padded x, W) + b))`` with stride 1 and flipped filters.

    Parameters
    ----------
    pad : tuple of four int
        Rows and columns of zeros around an image: (top, bottom, left, right).
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
    keep_y, keep_codes : bool
        Whether to give y where there is a pooling, and the codes where there can be some. An
        optimization turns off what nothing uses.

    Notes
    -----
    Called with x (batch, rows, columns, channels), W (filters, channels, size, size) and b
    (filters,), all float32. Gives y and the pooled, both (batch, rows', columns', filters); the
    pooled is for use only where there is a pooling, y only where it is kept. In y the sign of a
    zero tells the gradient whether it was negative before the nonlinearity. The third output, uint8
    and of the pooled's shape, are codes: which positions of a window get its gradient. A rectifier
    and a max-pooling of 2x2 have them, and their gradient looks at them in place of y.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.conv2d import Conv2D
    >>> x, W = np.ones((1, 4, 4, 3), np.float32), np.ones((2, 3, 3, 3), np.float32)
    >>> y = Conv2D(pad=(1, 1, 1, 1), slope=0).result(x, W, np.zeros(2, np.float32))
    >>> y.eval()[0, :, :, 0]  # three channels times 4, 6 or 9 pixels
    array([[12., 18., 18., 12.],
           [18., 27., 27., 18.],
           [18., 27., 27., 18.],
           [12., 18., 18., 12.]], dtype=float32)
    """

    __props__ = ("pad", "slope", "nonlinearity", "pool", "ties", "keep_y", "keep_codes")

    header = "bindings/conv2d_forward.h"

    def __init__(self, pad, slope=1, nonlinearity="lines", pool=None, ties=False, keep_y=True,
                 keep_codes=True, openmp=None):
        super(Conv2D, self).__init__(pad, slope, nonlinearity, pool, ties, openmp)
        self.keep_y = bool(keep_y) or not pool
        self.keep_codes = bool(keep_codes) and self.has_codes()

    def full(self):
        return self.keep_y

    def codes(self):
        return self.keep_codes

    def make_node(self, x, W, b):
        x, W, b = (_tensor(x, "x", 4, "float32"), _tensor(W, "W", 4, "float32"),
                   _tensor(b, "b", 1, "float32"))
        shape = (x.broadcastable[0], False, False, False)
        maps, codes = T.TensorType("float32", shape), T.TensorType("uint8", shape)
        return Apply(self, [x, W, b], [maps(), maps(), codes()])

    def result(self, x, W, b):
        """The last thing that it computes: the pooled, or y."""
        y, pooled, _ = self(x, W, b)
        return pooled if self.pool else y

    def infer_shape(self, node, shapes):
        (n, rows, columns, _), (filters, _, size, _), _ = shapes
        top, bottom, left, right = self.pad
        rows, columns = rows + top + bottom - size + 1, columns + left + right - size + 1
        pooled = (rows, columns)
        if self.pool:
            pooled = Pool.out_shape(pooled, self.pool.size, self.pool.ignore_border,
                                    self.pool.stride)
        return [(n, rows, columns, filters)] + 2 * [(n, pooled[0], pooled[1], filters)]

    def L_op(self, inputs, outputs, gradients):
        x, W, b = inputs
        used, other = gradients[1::-1] if self.pool else gradients[:2]
        if not isinstance(other.type, DisconnectedType):
            raise NotImplementedError("Conv2D with a pooling has no gradient through y itself")
        if isinstance(used.type, DisconnectedType):
            return [DisconnectedType()()] * 3
        y, pooled, codes = outputs
        dW, db, dx = Conv2DGrad(self.pad, wrt_x=True, **self.options())(
            x, W, pooled if self.has_codes() else y, pooled if self.pool else y,
            codes if self.has_codes() else _NO_CODES, used)
        return [T.patternbroadcast(dx, x.broadcastable), T.patternbroadcast(dW, W.broadcastable),
                T.patternbroadcast(db, b.broadcastable)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("conv2d::forward_numpy(%s, %s, &%s)" % (
            ", ".join(inputs), self.c_options(sub), ", &".join(outputs)), sub)


class Conv2DGrad(_Conv2DOp):
    """Gradients of `Conv2D` with respect to W, b and x.

    Parameters
    ----------
    pad, slope, nonlinearity, pool, ties
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
    >>> from mnist_cnn.fused.conv2d import Conv2D
    >>> import theano
    >>> x, W = np.ones((1, 4, 4, 3), np.float32), np.ones((2, 3, 3, 3), np.float32)
    >>> b = theano.shared(np.zeros(2, np.float32))
    >>> y = Conv2D(pad=(1, 1, 1, 1), slope=0).result(x, W, b)
    >>> theano.grad(y.sum(), b).eval()  # 4 x 4 positions
    array([16., 16.], dtype=float32)
    """

    __props__ = ("pad", "slope", "nonlinearity", "pool", "ties", "wrt_x")
    header = "bindings/conv2d_backward.h"

    def __init__(self, pad, slope=1, nonlinearity="lines", pool=None, ties=False, wrt_x=True,
                 openmp=None):
        super(Conv2DGrad, self).__init__(pad, slope, nonlinearity, pool, ties, openmp)
        self.wrt_x = bool(wrt_x)

    def full(self):
        return self.wrt_x

    def codes(self):
        return self.has_codes()

    def make_node(self, x, W, y, pooled, codes, g):
        inputs = [_tensor(value, name, 4, dtype) for value, name, dtype in
                  ((x, "x", "float32"), (W, "W", "float32"), (y, "y", "float32"),
                   (pooled, "pooled", "float32"), (codes, "codes", "uint8"), (g, "g", "float32"))]
        return Apply(self, inputs, [T.tensor4(dtype="float32"), T.vector(dtype="float32"),
                                    T.tensor4(dtype="float32")])

    def infer_shape(self, node, shapes):
        return [shapes[1], (shapes[1][0],), shapes[0]]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("Conv2D has a first derivative only; for a second, take the "
                                  "plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("conv2d::backward_numpy(%s, %s, &%s)" % (
            ", ".join(inputs), self.c_options(sub), ", &".join(outputs)), sub)


@register_canonicalize
@local_optimizer([Conv2DGrad])
def local_conv2d_no_unused_dx(node):
    """Leaves the gradient with respect to x out where nothing uses it."""
    op = node.op
    if isinstance(op, Conv2DGrad) and op.wrt_x and not node.outputs[2].clients:
        return _with_op(node, Conv2DGrad(op.pad, wrt_x=False, **op.options()))
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
    return _with_op(node, Conv2D(op.pad, keep_y=keep_y, keep_codes=keep_codes, **op.options()))


class _Pool2DOp(_NativeOp):
    header = "bindings/pooling.h"
    __props__ = ("size", "stride", "ignore_border", "average")
    params_type = ParamsType(rows=int64_t, columns=int64_t, stride_rows=int64_t,
                             stride_columns=int64_t, ignore_border=bool_t, average=bool_t)

    def __init__(self, size, stride, ignore_border=True, average=False, openmp=None):
        super(_Pool2DOp, self).__init__(openmp)
        self.size, self.stride = tuple(map(int, size)), tuple(map(int, stride))
        self.ignore_border, self.average = bool(ignore_border), bool(average)
        for name, values in (("size", self.size), ("stride", self.stride)):
            if len(values) != 2 or min(values) < 1:
                raise ValueError("%s: wanted two numbers from 1, got %r" % (name, values))

    def get_params(self, node):
        return self.params_type.get_params(
            self, rows=self.size[0], columns=self.size[1], stride_rows=self.stride[0],
            stride_columns=self.stride[1], ignore_border=self.ignore_border, average=self.average)

    def c_window(self, sub):
        return ("pooling::Window{{(int){0}->rows, (int){0}->columns, (int){0}->stride_rows, "
                "(int){0}->stride_columns, (bool){0}->ignore_border, (bool){0}->average}}").format(
                    sub["params"])


class Pool2D(_Pool2DOp):
    """Max- or average-pooling.

    Parameters
    ----------
    size, stride : tuple of two int
        Of the window: rows and columns.
    ignore_border : bool
        Whether a window that reaches over the border is left out; else it is cut.
    average : bool
        The mean of a window in place of its maximum; of a cut window, over the pixels that it has.

    Notes
    -----
    Called with x float32 (batch, rows, columns, channels), gives y (batch, rows', columns',
    channels).
    Where several pixels equal the maximum, each gets the whole gradient, as in Theano.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.conv2d import Pool2D
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    >>> Pool2D(size=(2, 2), stride=(2, 2))(x).eval()[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """

    def make_node(self, x):
        x = _tensor(x, "x", 4, "float32")
        broadcastable = (x.broadcastable[0], False, False, x.broadcastable[3])
        return Apply(self, [x], [T.TensorType("float32", broadcastable)()])

    def infer_shape(self, node, shapes):
        n, rows, columns, channels = shapes[0]
        rows, columns = Pool.out_shape((rows, columns), self.size, self.ignore_border, self.stride)
        return [(n, rows, columns, channels)]

    def L_op(self, inputs, outputs, gradients):
        if isinstance(gradients[0].type, DisconnectedType):
            return [DisconnectedType()()]
        op = Pool2DGrad(self.size, self.stride, self.ignore_border, self.average, self.openmp)
        dx = op(inputs[0], outputs[0], gradients[0])
        return [T.patternbroadcast(dx, inputs[0].broadcastable)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("pooling::forward_numpy(%s, %s, &%s)" % (
            inputs[0], self.c_window(sub), outputs[0]), sub)


class Pool2DGrad(_Pool2DOp):
    """Gradient of `Pool2D`, whose parameters it has.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.conv2d import Pool2D
    >>> import theano
    >>> x = theano.shared(np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1))
    >>> y = Pool2D(size=(2, 2), stride=(2, 2), average=True)(x)
    >>> theano.grad(y.sum(), x).eval()[0, :, :, 0]
    array([[0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """

    def make_node(self, x, y, g):
        inputs = [_tensor(value, name, 4, "float32")
                  for value, name in ((x, "x"), (y, "y"), (g, "g"))]
        return Apply(self, inputs, [T.tensor4(dtype="float32")])

    def infer_shape(self, node, shapes):
        return [shapes[0]]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("Pool2D has a first derivative only; for a second, take the "
                                  "plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("pooling::backward_numpy(%s, %s, &%s)" % (
            ", ".join(inputs), self.c_window(sub), outputs[0]), sub)
