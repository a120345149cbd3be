"""Dense layers: products of matrices, and the bias and nonlinearity that follow."""

from theano import scalar
from theano.tensor import DimShuffle, Dot

from ..ops.activation import Activation
from ..ops.base import NativeOp
from ..ops.conv2d import first, last
from ..ops.product import SparseProduct
from .matching import Match, is_elementwise
from .nonlinearity import LOGARITHM, describe, has_logarithm, recognize
from .rewriting import Rewriting, in_float32

__all__ = ["Activations", "Products"]


class Activations(Rewriting):
    """Puts `Activation` in the place of a bias and the nonlinearity after it.

    In the graph: ``f(z + b)`` with a matrix z and a number b for each column, or maps z that an Op
    of this package made and a number b for each channel.

    Examples
    --------
    >>> import mnist_cnn.model  # sets float32
    >>> import theano
    >>> import theano.tensor as T
    >>> from mnist_cnn.fused import explain
    >>> z, b = T.fmatrix("z"), T.fvector("b")
    >>> print(explain(theano.function([z, b], T.tanh(z + b))).splitlines()[1])
    bias and tanh  Activation  bias and tanh in one pass
    """

    name = "mnist_cnn_activations"

    def is_root(self, node):
        return (
            len(node.outputs) == 1
            and getattr(node.outputs[0], "ndim", 0) in (2, 4)
            and recognize(node.outputs[0])[0] is not None
        )

    is_main = is_root

    def match(self, fgraph, variable):
        node = variable.owner
        z, nonlinearity = recognize(variable)
        if not is_elementwise(z, scalar.Add) or len(z.owner.inputs) != 2:
            return None
        for maps, b in (z.owner.inputs, z.owner.inputs[::-1]):
            if not all(maps.broadcastable) and b.broadcastable == _BIAS[z.ndim]:
                break
        else:
            return None
        if z.ndim == 4 and not _has_channels_last(maps):
            return None
        if in_float32(maps, b, variable):
            return node, in_float32(maps, b, variable)
        if has_logarithm(fgraph, variable, nonlinearity):
            return node, LOGARITHM

        def build(maps, b):
            op = Activation(**nonlinearity._asdict())
            if maps.ndim == 4:
                return [first(op(last(maps), b.dimshuffle(1)))]
            return [op(maps, b.dimshuffle(1))]

        return node, Match(
            [maps, b],
            [variable],
            build,
            {z: "the values before the nonlinearity"},
            "Activation",
            "bias and {} in one pass".format(describe(nonlinearity)),
        )

    def describe(self, node):
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
    """Puts `SparseProduct`, which skips zeros, in the place of a product of two matrices.

    Examples
    --------
    >>> import mnist_cnn.model  # sets float32
    >>> import theano
    >>> import theano.tensor as T
    >>> from mnist_cnn.fused import explain
    >>> a, b = T.fmatrices("a", "b")
    >>> print(explain(theano.function([a, b], T.dot(a, b))).splitlines()[1])
    product of matrices  SparseProduct  the product skips zeros
    """

    name = "mnist_cnn_products"

    def is_main(self, node):
        return isinstance(node.op, Dot) and all(v.ndim == 2 for v in node.inputs)

    is_root = is_main

    def match(self, fgraph, variable):
        node = variable.owner
        if in_float32(*node.inputs):
            return node, in_float32(*node.inputs)

        def build(a, b):
            return [SparseProduct()(a, b)]

        return node, Match(node.inputs, node.outputs, build, {}, "SparseProduct", "the product skips zeros")

    def describe(self, node):
        return "product of matrices"
