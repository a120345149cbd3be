"""Dense layers: products of matrices, and the bias and nonlinearity after them."""

from theano import scalar
from theano.gof import Apply, FunctionGraph, Variable
from theano.tensor import DimShuffle, Dot

from ..ops.activation import Activation
from ..ops.base import NativeOp
from ..ops.conv2d import channels_first, channels_last
from ..ops.product import SparseProduct
from .matching import Match, operands
from .nonlinearity import LOGARITHM, describe, has_logarithm, recognize
from .rewriting import Rewriting, not_float32

__all__ = ["Activations", "Products"]


class Activations(Rewriting):
    """Replaces a bias and the nonlinearity after it by `Activation`.

    In the graph: ``f(z + b)``. z is a matrix and b has a number for each column, or z are maps from an
    Op of this package and b has a number for each channel.
    """

    name = "mnist_cnn_activations"

    def is_root(self, node: Apply) -> bool:
        return (
            len(node.outputs) == 1
            and getattr(node.outputs[0], "ndim", 0) in (2, 4)
            and recognize(node.outputs[0])[0] is not None
        )

    is_main = is_root

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        node = variable.owner
        z, nonlinearity = recognize(variable)
        for maps, b in operands(z, scalar.Add):
            if not all(maps.broadcastable) and b.broadcastable == _BIAS[z.ndim]:
                break
        else:
            return None
        if z.ndim == 4 and not _has_channels_last(maps):
            return None
        why_not = not_float32(maps, b, variable)
        if why_not is None and has_logarithm(fgraph, variable, nonlinearity):
            why_not = LOGARITHM

        def build(maps, b):
            op = Activation(**nonlinearity._asdict())
            if maps.ndim == 4:
                return [channels_first(op(channels_last(maps), b.dimshuffle(1)))]
            return [op(maps, b.dimshuffle(1))]

        return node, why_not or Match(
            [maps, b],
            [variable],
            build,
            {z: "the values before the nonlinearity"},
            "Activation",
            "bias and {} in one pass".format(describe(nonlinearity)),
        )

    def describe(self, node: Apply) -> str:
        return "bias and {}".format(describe(recognize(node.outputs[0])[1]))


_BIAS = {2: (True, False), 4: (True, False, True, True)}


def _has_channels_last(variable):
    node = variable.owner
    return (
        node is not None
        and isinstance(node.op, DimShuffle)
        and node.op.new_order == (0, 3, 1, 2)
        and node.inputs[0].owner is not None
        and isinstance(node.inputs[0].owner.op, NativeOp)
    )


class Products(Rewriting):
    """Replaces a product of two matrices by `SparseProduct`, which skips zeros."""

    name = "mnist_cnn_products"

    def is_main(self, node: Apply) -> bool:
        return isinstance(node.op, Dot) and all(v.ndim == 2 for v in node.inputs)

    is_root = is_main

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        node = variable.owner

        def build(a, b):
            return [SparseProduct()(a, b)]

        match = Match(node.inputs, node.outputs, build, {}, "SparseProduct", "the product skips zeros")
        return node, not_float32(*node.inputs) or match

    def describe(self, node: Apply) -> str:
        return "product of matrices"
