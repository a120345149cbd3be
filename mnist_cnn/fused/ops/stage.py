"""Theano Ops for a convolution stage and its gradient, in C++.

The sizes of the filters are constants of their code, as the tutorial's few pixels reward. `docs/fused.md`
explains it.
"""

import theano.tensor as T
from theano import scalar
from theano.gof import Apply, local_optimizer
from theano.gof.params_type import ParamsType
from theano.gradient import DisconnectedType
from theano.tensor.opt import register_canonicalize

from .base import NativeOp, checked_tensor, with_op

__all__ = ["ConvReluPool", "ConvReluPoolGrad"]


class _ConvReluPoolOp(NativeOp):
    header = "bindings/convolution.h"

    def template(self):
        return "%d, %d, %d" % (self.channels, self.filters, self.size)


class ConvReluPool(_ConvReluPoolOp):
    """Convolution, bias, rectifier and 2x2 max-pooling in one pass over the images.

    Equal to ``pool_2d(rectify(conv2d(x, W) + b), (2, 2), ignore_border=True)``, where the
    convolution is `valid` with stride 1 and flips its filters.

    Parameters
    ----------
    channels, filters, size : int
        `W` has the shape ``(filters, channels, size, size)``.
    channels_last : bool
        How `y` lies in memory, whatever its axes are called: True puts the channels of a
        pixel side by side, as the next stage reads them, False puts the pixels of a
        channel side by side, as a dense layer reads them.
    codes : bool
        Whether to write the second output, which is empty otherwise. An optimization turns it off
        where nothing uses it, as in a network that is asked for answers alone.

    Notes
    -----
    Called with x (batch, channels, rows, columns), W and b, all float32. Gives y
    (batch, filters, rows', columns') and codes, a uint8 4D tensor that tells the
    gradient which positions reached the maximum.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.stage import ConvReluPool
    >>> x, W = np.ones((1, 1, 28, 28), np.float32), np.ones((32, 1, 5, 5), np.float32)
    >>> y, codes = ConvReluPool(channels=1, filters=32, size=5)(x, W, np.zeros(32, np.float32))
    >>> y.eval().shape, y.eval().max()
    ((1, 32, 12, 12), 25.0)
    """

    __props__ = ("channels", "filters", "size", "channels_last", "codes")
    params_type = ParamsType(codes=scalar.bool)  # known when it runs: one module for both

    def __init__(self, channels, filters, size, channels_last=False, codes=True, openmp=None):
        super().__init__(openmp)
        for name, value in (("channels", channels), ("filters", filters), ("size", size)):
            if int(value) != value or value < 1:
                raise ValueError("%s: wanted a positive integer, got %r" % (name, value))
        self.channels, self.filters, self.size = int(channels), int(filters), int(size)
        self.channels_last, self.codes = bool(channels_last), bool(codes)

    def make_node(self, x, W, b):
        x, W, b = (
            checked_tensor(x, "x", 4, "float32"),
            checked_tensor(W, "W", 4, "float32"),
            checked_tensor(b, "b", 1, "float32"),
        )
        maps = x.broadcastable[0]
        return Apply(
            self,
            [x, W, b],
            [T.TensorType("float32", (maps, self.filters == 1, False, False))(), T.TensorType("uint8", (False,) * 4)()],
        )

    def infer_shape(self, node, shapes):
        n, _, rows, columns = shapes[0]
        rows, columns = [(length - self.size + 1) // 2 for length in (rows, columns)]
        codes = (n, rows, columns, self.filters) if self.codes else (0,) * 4
        return [(n, self.filters, rows, columns), codes]

    def connection_pattern(self, node):
        return [[True, False]] * 3

    def L_op(self, inputs, outputs, gradients):
        x, W, b = inputs
        if not self.codes:
            raise NotImplementedError("ConvReluPool without codes has no gradient")
        if isinstance(gradients[0].type, DisconnectedType):
            return [DisconnectedType()()] * 3
        grad = ConvReluPoolGrad(self.channels, self.filters, self.size, True, self.openmp)
        dW, db, dx = grad(x, W, outputs[1], gradients[0])
        return [
            T.patternbroadcast(dx, x.broadcastable),
            T.patternbroadcast(dW, W.broadcastable),
            T.patternbroadcast(db, b.broadcastable),
        ]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "convolution::forward_numpy<%s>(%s, %s, %s, &%s, &%s, %s, %s->codes)"
            % (
                (self.template(),)
                + tuple(inputs)
                + tuple(outputs)
                + ("true" if self.channels_last else "false", sub["params"])
            ),
            sub,
        )


class ConvReluPoolGrad(_ConvReluPoolOp):
    """Gradients of `ConvReluPool` with respect to W, b and, if asked for, x.

    Parameters
    ----------
    channels, filters, size : int
        As for `ConvReluPool`.
    wrt_x : bool
        Whether to compute the third output. An optimization turns it off where nothing
        uses it, as in the first stage of a network in training.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.stage import ConvReluPool
    >>> import theano
    >>> x, W = np.ones((1, 1, 28, 28), np.float32), np.ones((32, 1, 5, 5), np.float32)
    >>> b = theano.shared(np.zeros(32, np.float32))
    >>> y, _ = ConvReluPool(channels=1, filters=32, size=5)(x, W, b)
    >>> theano.grad(y.sum(), b).eval()[0]  # 12 x 12 windows, four equal positions in each
    576.0
    """

    __props__ = ("channels", "filters", "size", "wrt_x")

    def __init__(self, channels, filters, size, wrt_x=True, openmp=None):
        super().__init__(openmp)
        self.channels, self.filters, self.size, self.wrt_x = channels, filters, size, wrt_x

    def make_node(self, x, W, codes, g):
        x, W = checked_tensor(x, "x", 4, "float32"), checked_tensor(W, "W", 4, "float32")
        codes, g = checked_tensor(codes, "codes", 4, "uint8"), checked_tensor(g, "g", 4, "float32")
        outputs = [T.tensor4(dtype="float32"), T.vector(dtype="float32")]
        if self.wrt_x:
            outputs.append(T.tensor4(dtype="float32"))
        return Apply(self, [x, W, codes, g], outputs)

    def infer_shape(self, node, shapes):
        return [shapes[1], (shapes[1][0],), shapes[0]][: len(node.outputs)]

    def L_op(self, inputs, outputs, gradients):
        raise NotImplementedError("ConvReluPool has a first derivative only; for a second, take the plain network")

    def c_code(self, node, name, inputs, outputs, sub):
        outputs = ["&" + o for o in outputs] + ["NULL"] * (3 - len(outputs))
        return self.call(
            "convolution::backward_numpy<%s, %s>(%s)"
            % (self.template(), "true" if self.wrt_x else "false", ", ".join(list(inputs) + outputs)),
            sub,
        )


@register_canonicalize
@local_optimizer([ConvReluPool])
def local_no_unused_codes(node):
    """Leaves the codes out where no gradient uses them."""
    if isinstance(node.op, ConvReluPool) and node.op.codes and not node.outputs[1].clients:
        op = ConvReluPool(node.op.channels, node.op.filters, node.op.size, node.op.channels_last, False, node.op.openmp)
        return with_op(node, op)
    return False


@register_canonicalize
@local_optimizer([ConvReluPoolGrad])
def local_no_unused_dx(node):
    """Leaves the gradient with respect to x out where nothing uses it."""
    if isinstance(node.op, ConvReluPoolGrad) and node.op.wrt_x and not node.outputs[2].clients:
        op = ConvReluPoolGrad(node.op.channels, node.op.filters, node.op.size, False, node.op.openmp)
        return with_op(node, op) + [node.outputs[2]]
    return False
