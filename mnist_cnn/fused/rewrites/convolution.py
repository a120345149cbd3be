"""Convolutions with what follows them: factors and biases for each channel, nonlinearity, pooling."""

import theano.tensor as T
from theano import scalar
from theano.tensor import DimShuffle
from theano.tensor.nnet.abstract_conv import AbstractConv2d

from ..ops.conv2d import Conv2D, Nonlinearity, first, last
from ..ops.pooling import Pooling
from ..ops.stage import ConvReluPool
from .frames import uncropped, unpadded
from .matching import Match, is_elementwise
from .nonlinearity import LOGARITHM, describe, has_logarithm, recognize
from .pooling import describe_pooling, pooling_of
from .rewriting import Rewriting, in_float32
from .ties import are_compared

__all__ = ["Convolutions"]

_LARGEST_FILTER = 11
# The kernels of a whole stage keep an image and the list of its gradients in the cache.
_LARGEST_STAGE = 64
_LINEAR = Nonlinearity()


class Convolutions(Rewriting):
    """Puts one Op in the place of a convolution and what follows it.

    In the graph: ``pool(f(scale * conv(x, W) + shift))``, where every part but the convolution may
    be missing. A bias is such a shift; batch normalization by running averages is both.

    Examples
    --------
    >>> import mnist_cnn.model  # sets float32
    >>> import theano
    >>> import theano.tensor as T
    >>> from mnist_cnn.fused import explain
    >>> x, W = T.ftensor4("x"), T.ftensor4("W")
    >>> print(explain(theano.function([x, W], T.tanh(T.nnet.conv2d(x, W)))).splitlines()[1])
    convolution  Conv2D   convolution and tanh in one pass
    """

    name = "mnist_cnn_convolutions"

    def is_root(self, node):
        return (
            getattr(node.outputs[0], "ndim", None) == 4
            and len(node.outputs) == 1
            and not isinstance(node.op, DimShuffle)
        )

    def is_main(self, node):
        return isinstance(node.op, AbstractConv2d)

    def match(self, fgraph, variable):
        chain = _Chain(variable, channels_last=False)
        if chain.conv is None:
            chain = _Chain(variable, channels_last=True)
        if chain.conv is None:
            return None
        if has_logarithm(fgraph, variable, chain.nonlinearity):
            return chain.conv, LOGARITHM
        return chain.conv, chain.why_not() or chain.match(fgraph)

    def describe(self, node):
        shape = node.op.kshp
        if shape is None or None in tuple(shape):
            return "convolution"
        return "convolution of {1} channel{4} by {0} filters of {2}x{3}".format(
            *tuple(shape[:4]), "" if shape[1] == 1 else "s"
        )


class _Chain:
    """A variable, taken apart down to the convolution that it comes from, if it does.

    Parameters
    ----------
    output : Theano variable
    channels_last : bool
        Which axis is taken for that of the channels: the last, as Keras has it, or the second.

    Attributes
    ----------
    conv : Apply or None
    steps : list
        Of pairs: an elementwise operation for each channel, and its operand, in the order of the
        computation. The operation takes the maps and the operand.
    nonlinearity : Nonlinearity
    pool : Pooling, str or None
        As `pooling_of` gives it.
    x : Theano variable
        The images, before zeros are put around them.
    frame, crop : tuple of four int
        Those zeros, and what is cropped from the sums: top, bottom, left, right. Lasagne 0.1 writes
        its paddings so.
    inner : dict
        As for `Match`.
    """

    def __init__(self, output, channels_last):
        self.output, self.conv, self.pool, self.inner = output, None, None, {}
        self.ends_last = self.last = channels_last
        self.nonlinearity, self.steps = _LINEAR, []
        variable = self._below_pooling(output)
        if variable is output:  # a rectifier after a max-pooling of sums is one before it
            z, nonlinearity = recognize(output)
            below = None if z is None else self._below_pooling(z)
            if below is not None and below is not z:
                if nonlinearity.nonlinearity != "lines" or getattr(self.pool, "mode", "") != "max":
                    return
                self.nonlinearity, variable = nonlinearity, below
                self.inner[z] = "its maps before the nonlinearity"
        if self.nonlinearity is _LINEAR:
            variable = self._turned(variable)
            z, nonlinearity = recognize(variable)
            if z is not None:
                self.nonlinearity, variable = nonlinearity, z
                self.inner[z] = "its maps before the nonlinearity"
        variable = self._turned(variable)
        while variable.owner is not None:
            whole, self.crop = uncropped(variable)
            if isinstance(whole.owner.op, AbstractConv2d):
                if self.last:
                    return
                self.conv = whole.owner
                self.inner.setdefault(whole, "its sums")
                self.x, self.frame = unpadded(self.conv.inputs[0])
                return
            step = _step_for_each_channel(variable, 3 if self.last else 1)
            if step is None:
                return
            variable, operation, operand = step
            self.steps.insert(0, (operation, operand))
            variable = self._turned(variable)

    def _turned(self, variable):
        """A variable before its axes were put in another order, which is noted."""
        while (
            variable.owner is not None
            and isinstance(variable.owner.op, DimShuffle)
            and variable.owner.op.new_order == ((0, 2, 3, 1) if self.last else (0, 3, 1, 2))
        ):
            variable, self.last = variable.owner.inputs[0], not self.last
        return variable

    def _below_pooling(self, variable):
        """What a variable pools, and the variable itself where it does not; sets `pool`."""
        last, turned = self.last, self._turned(variable)
        pool = None if turned.owner is None or self.last else pooling_of(turned.owner)
        if pool is None:
            self.last = last
            return variable
        self.pool = pool
        below = turned.owner.inputs[0]
        self.inner[below] = "its unpooled maps"
        return self._turned(below)

    def why_not(self):
        """The words of `explain` for a convolution that stays, or None."""
        if isinstance(self.pool, str):
            return self.pool
        op, W = self.conv.op, self.conv.inputs[1]
        if tuple(op.filter_dilation) != (1, 1):
            return "dilation {}".format(tuple(op.filter_dilation))
        if op.num_groups != 1:
            return "{} groups of channels".format(op.num_groups)
        if op.unshared:
            return "filters of their own for each position"
        size = self.size()
        if size is not None and max(size) > _LARGEST_FILTER:
            return "filters of {}x{} are larger than {}x{}".format(*size, *2 * [_LARGEST_FILTER])
        if self.pad() is None:
            return "its result is cropped by more than its padding"
        return in_float32(self.x, W, self.output)

    def size(self):
        """Rows and columns of the filters, where they are known."""
        shape = self.conv.op.kshp
        if shape is not None and None not in tuple(shape)[2:4]:
            return tuple(int(n) for n in tuple(shape)[2:4])
        W = self.conv.inputs[1]
        value = getattr(getattr(W, "container", W), "data", None)  # of a shared variable, a constant
        return None if value is None else value.shape[2:]

    def pad(self):
        """Zeros around an image: (top, bottom, left, right), or a word for what the filters' size says.

        None where more is cropped from the result than zeros were added.
        """
        mode, size = self.conv.op.border_mode, self.size()
        if mode in ("half", "full") and (size is None or not any(self.crop + self.frame)):
            return mode
        if mode in ("half", "full"):
            mode = tuple(n // 2 if mode == "half" else n - 1 for n in size)
        if not isinstance(mode, tuple):
            mode = (0, 0) if mode == "valid" else (mode, mode)
        pairs = [pair if isinstance(pair, tuple) else (pair, pair) for pair in mode]
        pad = tuple(
            int(n) + added - cropped
            for n, added, cropped in zip([n for pair in pairs for n in pair], self.frame, self.crop)
        )
        return pad if min(pad) >= 0 else None

    def is_stage(self):
        """Whether the kernels with sizes known as they are compiled can do it."""
        images, shape = self.conv.op.imshp, self.conv.op.kshp
        if images is None or shape is None or None in tuple(images)[1:4] + tuple(shape)[:4]:
            return False
        return (
            self.pool == Pooling((2, 2), (2, 2))
            and self.nonlinearity == Nonlinearity(slope=0)
            and shape[2] == shape[3]
            and self.pad() == (0, 0, 0, 0)
            and tuple(self.conv.op.subsample) == (1, 1)
            and all(shape[2] < n <= _LARGEST_STAGE for n in tuple(images)[2:4])
        )

    def match(self, fgraph):
        op, W = self.conv.op, self.conv.inputs[1]
        steps, operands = [step for step, _ in self.steps], [operand for _, operand in self.steps]
        pad, pool, size = self.pad(), self.pool, self.size()
        whole, ends_last = self.is_stage(), self.ends_last
        ties = not whole and are_compared(fgraph, self.output)
        if whole:
            stage = ConvReluPool(op.kshp[1], op.kshp[0], size[0])
        options = self.nonlinearity._asdict()

        def build(x, W, *operands):
            W, b = _with_steps(W, zip(steps, operands))
            if not op.filter_flip:
                W = W[:, :, ::-1, ::-1]
            if whole:
                y = stage(x, W, b)[0]
                return [last(y) if ends_last else y]
            conv = Conv2D(pad, pool=pool, ties=ties, stride=op.subsample, **options)
            y = conv.result(last(x), W, b)
            return [y if ends_last else first(y)]

        becomes = "ConvReluPool" if whole else "Conv2D"
        return Match([self.x, W] + operands, [self.output], build, self.inner, becomes, self.words())

    def words(self):
        """What is computed in one pass."""
        words = ["convolution"]
        if self.steps:
            scaled = any(operation is not _add for operation, _ in self.steps)
            words.append("scale and bias" if scaled else "bias")
        if self.nonlinearity != _LINEAR:
            words.append(describe(self.nonlinearity))
        if self.pool is not None:
            words.append(describe_pooling(self.pool))
        if len(words) == 1:
            return "the channels of a pixel side by side"
        return "{} and {} in one pass".format(", ".join(words[:-1]), words[-1])


def _add(maps, operand):
    return maps + operand


def _subtract(maps, operand):
    return maps - operand


def _subtract_from(maps, operand):
    return operand - maps


def _multiply(maps, operand):
    return maps * operand


def _divide(maps, operand):
    return maps / operand


def _step_for_each_channel(variable, axis):
    """(maps, operation, operand) of a variable that is an operation with a number a channel."""
    if not is_elementwise(variable, scalar.Add, scalar.Sub, scalar.Mul, scalar.TrueDiv):
        return None
    if len(variable.owner.inputs) != 2:
        return None
    a, b = variable.owner.inputs
    if _is_for_each_channel(b, axis):
        kinds = {scalar.Add: _add, scalar.Sub: _subtract, scalar.Mul: _multiply, scalar.TrueDiv: _divide}
        return a, kinds[type(variable.owner.op.scalar_op)], b
    kinds = {scalar.Add: _add, scalar.Sub: _subtract_from, scalar.Mul: _multiply}
    operation = kinds.get(type(variable.owner.op.scalar_op))
    if operation is not None and _is_for_each_channel(a, axis):
        return b, operation, a
    return None


def _is_for_each_channel(variable, axis):
    return all(broadcast or k == axis for k, broadcast in enumerate(variable.broadcastable))


def _with_steps(W, steps):
    """Weights and bias that do what the steps do after the convolution."""
    scale, shift = None, None
    for operation, operand in steps:
        if operand.dtype != "float32":
            operand = T.cast(operand, "float32")
        kept = [k for k, broadcast in enumerate(operand.broadcastable) if not broadcast]
        operand = operand.dimshuffle(*kept)
        if operation in (_add, _subtract, _subtract_from):
            if operation is _subtract_from:
                scale = -1 if scale is None else -scale
                shift = None if shift is None else -shift
            else:
                operand = operand if operation is _add else -operand
            shift = operand if shift is None else shift + operand
        else:
            operand = operand if operation is _multiply else 1 / operand
            scale = operand if scale is None else scale * operand
            shift = None if shift is None else shift * operand
    if scale is not None:
        W = W * (scale.dimshuffle(0, "x", "x", "x") if getattr(scale, "ndim", 0) else scale)
    if shift is None or shift.ndim == 0:
        zeros = T.zeros((W.shape[0],), "float32")
        shift = zeros if shift is None else zeros + shift
    return W, shift
