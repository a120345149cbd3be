"""Convolutions and the operations after them: factors and biases for each channel, nonlinearity, pooling."""

import operator

import theano.tensor as T
from theano import scalar
from theano.gof import Apply, FunctionGraph, Variable
from theano.tensor import DimShuffle
from theano.tensor.nnet.abstract_conv import AbstractConv2d

from ..ops.conv2d import Conv2D, Nonlinearity, channels_first, channels_last
from ..ops.pooling import Pooling
from ..ops.stage import ConvReluPool
from .frames import uncropped, unpadded
from .matching import Match, is_elementwise, is_for_each_channel
from .nonlinearity import LOGARITHM, describe, has_logarithm, recognize
from .pooling import describe_pooling, pooling_of
from .rewriting import Rewriting, not_float32
from .ties import are_compared

__all__ = ["Convolutions"]

_LARGEST_FILTER = 11
# The kernels of a whole stage keep an image and the list of its gradients in the cache.
_LARGEST_STAGE = 64
# Of more channels `Conv2D` sums 3x3 filters faster: it has Winograd's algorithm for them.
_MOST_CHANNELS_OF_3X3 = 4
_LINEAR = Nonlinearity()


class Convolutions(Rewriting):
    """Replaces a convolution and the operations after it by one Op.

    In the graph: ``pool(f(scale * conv(x, W) + shift))``, where all but the convolution may be
    missing. A bias is a shift; batch normalization by running averages is both.
    """

    name = "mnist_cnn_convolutions"

    def is_root(self, node: Apply) -> bool:
        return (
            getattr(node.outputs[0], "ndim", None) == 4
            and len(node.outputs) == 1
            and not isinstance(node.op, DimShuffle)
        )

    def is_main(self, node: Apply) -> bool:
        return isinstance(node.op, AbstractConv2d)

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        chain = _Chain(variable, channels_last=False)
        if chain.conv is None:
            chain = _Chain(variable, channels_last=True)
        if chain.conv is None:
            return None
        if has_logarithm(fgraph, variable, chain.nonlinearity):
            return chain.conv, LOGARITHM
        return chain.conv, chain.why_not() or chain.match(fgraph)

    def describe(self, node: Apply) -> str:
        shape = node.op.kshp
        if shape is None or None in tuple(shape):
            return "convolution"
        return "convolution of {1} channel{4} by {0} filters of {2}x{3}".format(
            *tuple(shape[:4]), "" if shape[1] == 1 else "s"
        )


class _Chain:
    """The operations from a convolution to a variable.

    Parameters
    ----------
    output : Theano variable
    channels_last : bool
        Whether the channels' axis is the last, as in Keras, or the second.

    Attributes
    ----------
    conv : Apply or None
        None where the variable comes from no convolution.
    steps : list of pairs
        Operations with a number for each channel, in the order of computation: a function of maps
        and operand, and the operand.
    nonlinearity : Nonlinearity
    pool : Pooling, str or None
        As `pooling_of` gives it.
    x : Theano variable
        The images, without their padding.
    frame, crop : tuple of four int
        Rows and columns of the padding, and of the sums that are cropped: top, bottom, left, right.
        Lasagne 0.1 writes its padding so.
    inner : dict
        As for `Match`.
    """

    def __init__(self, output, channels_last):
        self.output, self.conv, self.pool, self.inner = output, None, None, {}
        self.ends_last = self.last = channels_last
        self.nonlinearity, self.steps = _LINEAR, []
        variable = self._below_pooling(output)
        if variable is output:  # a rectifier after a max-pooling equals one before it
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
        """The variable before its channels' axis was moved; notes the move in `last`."""
        while (
            variable.owner is not None
            and isinstance(variable.owner.op, DimShuffle)
            and variable.owner.op.new_order == ((0, 2, 3, 1) if self.last else (0, 3, 1, 2))
        ):
            variable, self.last = variable.owner.inputs[0], not self.last
        return variable

    def _below_pooling(self, variable):
        """The maps that a variable pools, or the variable itself; sets `pool`."""
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
        """The reason in `explain` why the convolution stays, or None."""
        if isinstance(self.pool, str):
            return self.pool
        op, W = self.conv.op, self.conv.inputs[1]
        if tuple(op.filter_dilation) != (1, 1):
            return "dilation {}".format(tuple(op.filter_dilation))
        if op.num_groups != 1:
            return "{} groups of channels".format(op.num_groups)
        if op.unshared:
            return "unshared filters"
        size = self.size()
        if size is not None and max(size) > _LARGEST_FILTER:
            return "filters of {}x{} are larger than {}x{}".format(*size, *2 * [_LARGEST_FILTER])
        if self.pad() is None:
            return "its result is cropped by more than its padding"
        return not_float32(self.x, W, self.output)

    def size(self):
        """Rows and columns of the filters, where they are known."""
        shape = self.conv.op.kshp
        if shape is not None and None not in tuple(shape)[2:4]:
            return tuple(int(n) for n in tuple(shape)[2:4])
        W = self.conv.inputs[1]
        value = getattr(getattr(W, "container", W), "data", None)  # of a shared variable, a constant
        return None if value is None else value.shape[2:]

    def pad(self):
        """Zeros around an image: (top, bottom, left, right), or 'half' or 'full' of the filters' size.

        None where more is cropped from the result than was padded.
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
        """Whether `ConvReluPool` can do it, whose kernels are compiled for one size."""
        images, shape = self.conv.op.imshp, self.conv.op.kshp
        if images is None or shape is None or None in tuple(images)[1:4] + tuple(shape)[:4]:
            return False
        return (
            self.pool == Pooling((2, 2), (2, 2))
            and self.nonlinearity == Nonlinearity(slope=0)
            and shape[2] == shape[3]
            and (shape[2] != 3 or shape[1] <= _MOST_CHANNELS_OF_3X3)
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
                return [channels_last(y) if ends_last else y]
            conv = Conv2D(pad, pool=pool, ties=ties, stride=op.subsample, **options)
            y = conv.result(channels_last(x), W, b)
            return [y if ends_last else channels_first(y)]

        becomes = "ConvReluPool" if whole else "Conv2D"
        return Match([self.x, W] + operands, [self.output], build, self.inner, becomes, self.words())

    def words(self):
        """The words of `explain` for all that is computed in one pass."""
        words = ["convolution"]
        if self.steps:
            scaled = any(operation is not operator.add for operation, _ in self.steps)
            words.append("scale and bias" if scaled else "bias")
        if self.nonlinearity != _LINEAR:
            words.append(describe(self.nonlinearity))
        if self.pool is not None:
            words.append(describe_pooling(self.pool))
        if len(words) == 1:
            return "the channels of a pixel side by side"
        return "{} and {} in one pass".format(", ".join(words[:-1]), words[-1])


def _subtract_from(maps, operand):
    return operand - maps


def _step_for_each_channel(variable, axis):
    """(maps, operation, operand) of a variable that is an operation with a number for each channel."""
    if not is_elementwise(variable, *_OPERATIONS) or len(variable.owner.inputs) != 2:
        return None
    a, b = variable.owner.inputs
    operation, turned = _OPERATIONS[type(variable.owner.op.scalar_op)]
    if is_for_each_channel(b, axis):
        return a, operation, b
    return (b, turned, a) if turned and is_for_each_channel(a, axis) else None


#: From a scalar Op to its function of maps and operand, and the one where the operand comes first.
_OPERATIONS = {
    scalar.Add: (operator.add, operator.add),
    scalar.Sub: (operator.sub, _subtract_from),
    scalar.Mul: (operator.mul, operator.mul),
    scalar.TrueDiv: (operator.truediv, None),
}


def _with_steps(W, steps):
    """Weights and bias of a convolution that does these steps, too."""
    scale, shift = None, None
    for operation, operand in steps:
        if operand.dtype != "float32":
            operand = T.cast(operand, "float32")
        kept = [k for k, broadcast in enumerate(operand.broadcastable) if not broadcast]
        operand = operand.dimshuffle(*kept)
        if operation in (operator.add, operator.sub, _subtract_from):
            if operation is _subtract_from:
                scale = -1 if scale is None else -scale
                shift = None if shift is None else -shift
            else:
                operand = operand if operation is operator.add else -operand
            shift = operand if shift is None else shift + operand
        else:
            operand = operand if operation is operator.mul else 1 / operand
            scale = operand if scale is None else scale * operand
            shift = None if shift is None else shift * operand
    if scale is not None:
        W = W * (scale.dimshuffle(0, "x", "x", "x") if getattr(scale, "ndim", 0) else scale)
    if shift is None or shift.ndim == 0:
        zeros = T.zeros((W.shape[0],), "float32")
        shift = zeros if shift is None else zeros + shift
    return W, shift
