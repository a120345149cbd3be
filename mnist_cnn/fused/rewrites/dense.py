"""Dense layers: products of matrices, and the bias and nonlinearity after them."""

import theano.tensor as T
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, FunctionGraph, Variable, local_optimizer
from theano.tensor import DimShuffle, Dot
from theano.tensor.blas import _dot22, _dot22scalar, gemm_inplace
from theano.tensor.opt import in2out

from ..ops.activation import Activation, ActivationOfSum, ActivationOfSumGrad
from ..ops.base import NativeOp
from ..ops.conv2d import channels_first, channels_last
from ..ops.product import (
    DenseDot22,
    DenseDot22Scalar,
    DenseGemm,
    Dot22OfZeros,
    GemmOfZeros,
    MayHaveZeros,
    SparseProduct,
)
from .matching import Match, is_elementwise, operands
from .nonlinearity import LOGARITHM, describe, has_logarithm, recognize
from .rewriting import ReplacingOptimizer, Rewriting, not_float32
from .zeros import density

__all__ = ["Activations", "DenseProducts", "Products", "ProductsOfZeros"]


class Activations(Rewriting):
    """Replaces a nonlinearity, and a sum before it, by `Activation` or `ActivationOfSum`.

    In the graph: ``f(z + b)``. z is a matrix and b has a number for each column, or z are maps from an
    Op of this package and b has a number for each channel, or for each value as z has it. Or ``f(z)``
    of such maps.
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
        terms = _terms(z)
        if terms is None or z.ndim == 4 and not _has_channels_last(terms[0]):
            return None
        why_not = not_float32(*terms, variable)
        if why_not is None and has_logarithm(fgraph, variable, nonlinearity):
            why_not = LOGARITHM
        has_bias = len(terms) == 2 and not _is_whole(terms[1])

        def build(*terms):
            op = (Activation if has_bias else ActivationOfSum)(**nonlinearity._asdict())
            if not has_bias:
                return [channels_first(op(*map(channels_last, terms)))]
            maps, b = terms
            if maps.ndim == 4:
                return [channels_first(op(channels_last(maps), b.dimshuffle(1)))]
            return [op(maps, b.dimshuffle(1))]

        return node, why_not or Match(
            list(terms),
            [variable],
            build,
            {} if len(terms) == 1 else {z: "the values before the nonlinearity"},
            "Activation" if has_bias else "ActivationOfSum",
            "{} in one pass".format(_describe(terms, nonlinearity)),
        )

    def describe(self, node: Apply) -> str:
        z, nonlinearity = recognize(node.outputs[0])
        return _describe(_terms(z), nonlinearity)


def _describe(terms, nonlinearity):
    before = "" if len(terms) == 1 else "sum and " if _is_whole(terms[1]) else "bias and "
    return before + describe(nonlinearity)


def _terms(z):
    """(z, b) of ``z + b``, where of two maps the first lies with its channels last; (z,) of such maps; or None."""
    for maps, b in operands(z, scalar.Add):
        if not all(maps.broadcastable) and b.broadcastable == _BIAS[z.ndim]:
            return maps, b
    for maps, b in operands(z, scalar.Add):
        if _is_whole(maps) and maps.broadcastable == b.broadcastable and _has_channels_last(maps):
            return maps, b
    return (z,) if _is_whole(z) and _has_channels_last(z) else None


def _is_whole(maps):
    """Whether a variable has a value for each place of maps."""
    return maps.ndim == 4 and not any(maps.broadcastable[1:])


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


@local_optimizer([ActivationOfSumGrad])
def _add_gradients(node: Apply) -> list[Variable] | None:
    """Have the pass of the gradient add those of two branches."""
    if not isinstance(node.op, ActivationOfSumGrad) or len(node.inputs) > 2:
        return None
    y, total = node.inputs
    if not is_elementwise(total, scalar.Add) or len(total.owner.inputs) != 2 or len(total.clients) > 1:
        return None
    if any(term.type != total.type for term in total.owner.inputs):
        return None
    new = node.op.make_node(y, *total.owner.inputs)
    new.tag = node.tag
    return new.outputs


# before Theano fuses elementwise operations (49)
optdb.register("mnist_cnn_sums_of_gradients", in2out(_add_gradients), 48.9, "fast_run", "mnist_cnn")


class Products(Rewriting):
    """Replaces a product of two matrices by `SparseProduct`, which skips zeros, where its left factor has many.

    Of other products Theano makes one call of BLAS, together with the sum or the plain SGD that follows. Where the left
    factor may have many zeros, such as a program's data, or a sum follows, it is marked, and `ProductsOfZeros` replaces
    that call by one which counts them first.
    """

    name = "mnist_cnn_products"

    def is_main(self, node: Apply) -> bool:
        return isinstance(node.op, Dot) and all(v.ndim == 2 for v in node.inputs)

    is_root = is_main

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        node = variable.owner
        why_not = not_float32(*node.inputs)
        if why_not is not None:
            return node, why_not
        share = density(fgraph, node.inputs[0])
        if share.least > MOST:
            return node, "no rectifier or mask makes zeros in its left factor, and BLAS is faster without"
        if share.most <= MOST and not _is_joined(fgraph, variable):
            becomes, why = "SparseProduct", "the product skips zeros"

            def build(a, b):
                return [SparseProduct()(a, b)]
        else:
            becomes, why = "SparseProduct or BLAS", "skips zeros, where a call finds enough of them"

            def build(a, b):
                return [T.dot(MayHaveZeros()(a), b)]

        return node, Match(node.inputs, node.outputs, build, {}, becomes, why)

    def describe(self, node: Apply) -> str:
        return "product of matrices"


#: The share of values that are not zero up to which `SparseProduct` is faster than BLAS.
MOST = 0.5


def _is_joined(fgraph, variable):
    """Whether Theano joins a product with what follows: another matrix that is added, or plain SGD."""
    first = variable
    while True:
        clients = fgraph.clients(variable)
        if len(clients) != 1:
            return False
        node = clients[0][0]
        if node == "output":
            return variable is not first
        result = node.outputs[0]
        is_sum = is_elementwise(result, scalar.Add) and not any(any(term.broadcastable) for term in node.inputs)
        if is_sum and variable is first:
            return True
        if not is_elementwise(result, scalar.Add, scalar.Sub, scalar.Mul, scalar.TrueDiv, scalar.Neg):
            return False
        variable = result


class ProductsOfZeros(ReplacingOptimizer):
    """Has BLAS's calls count the zeros of the factors that `Products` marked, and removes the marks."""

    name = "mnist_cnn_products_of_zeros"

    def apply(self, fgraph: FunctionGraph) -> None:
        for mark in [node for node in fgraph.toposort() if isinstance(node.op, MayHaveZeros)]:
            readers = _readers(fgraph, mark)
            turned = [node for turn in readers if isinstance(turn.op, DimShuffle) for node in _readers(fgraph, turn)]
            for reader in readers + turned:
                if reader.op in _OF_ZEROS:
                    new = _OF_ZEROS[reader.op](*reader.inputs)
                    new.owner.tag.mnist_cnn_place = getattr(mark.tag, "mnist_cnn_place", None)
                    fgraph.replace_validate(reader.outputs[0], new, reason=self.name)
            fgraph.replace_validate(mark.outputs[0], mark.inputs[0], reason=self.name)


def _readers(fgraph, node):
    return [reader for reader, _ in fgraph.clients(node.outputs[0]) if reader != "output"]


_OF_ZEROS = {_dot22: Dot22OfZeros(), gemm_inplace: GemmOfZeros()}

# after Theano's products in place (70)
optdb.register(ProductsOfZeros.name, ProductsOfZeros(), 71, "fast_run", "mnist_cnn")


class DenseProducts(ReplacingOptimizer):
    """Has products that skip nothing computed here where BLAS is slow, and all threads share them beside fast layers.

    BLAS has one thread here, since Theano's convolutions call it from several (`mnist_cnn.compat.flags`).
    """

    name = "mnist_cnn_dense_products"

    def apply(self, fgraph: FunctionGraph) -> None:
        # Without fast layers one thread multiplies: OpenMP's threads of other operations would fight with the pool's.
        has_threads = any(isinstance(node.op, NativeOp) and node.op.openmp for node in fgraph.apply_nodes)
        for node in fgraph.toposort():
            if node.op in _DENSE and node.outputs[0].dtype == "float32":
                new = _DENSE[node.op](openmp=None if has_threads else False)(*node.inputs)
                fgraph.replace_validate(node.outputs[0], new, reason=self.name)


_DENSE = {_dot22: DenseDot22, _dot22scalar: DenseDot22Scalar, gemm_inplace: DenseGemm}

optdb.register(DenseProducts.name, DenseProducts(), 72, "fast_run", "mnist_cnn")
