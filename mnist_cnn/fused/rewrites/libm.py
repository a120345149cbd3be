"""tanh and sigmoids that no other pattern took, such as the gates of recurrent layers.

Theano has fused them with the operations around them, and calls libm for each number. Here an Op computes them on
vectors before, to the same bits.

The compiler makes a product and the sum that reads it one fused multiply-add, or rounds the product first; the calls
and branches of the loop decide. So a loop with such a sum stays as it is, and fetches the numbers where it called libm.
"""

from collections import Counter

import theano
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, Constant, Variable, local_optimizer
from theano.tensor.elemwise import Elemwise
from theano.tensor.nnet.sigm import ScalarSigmoid
from theano.tensor.opt import in2out

from ..ops.libm import LibmFunction

__all__ = []

_FUNCTIONS = {scalar.Tanh: "tanh", ScalarSigmoid: "sigmoid"}


def _function(node):
    return _FUNCTIONS.get(type(node.op)) if node.inputs[0].dtype == "float32" else None


class FetchedTanh(scalar.BinaryScalarOp):
    """The function of x is y, computed already: for a loop that is translated like one that computes it."""

    def impl(self, x, y):
        return y

    def c_support_code(self):
        # as libm's functions in the compiler's eyes: not looked into, without effects
        return """
        #if defined(__clang__)
        #define MNIST_CNN_FETCHED __attribute__((noinline, const))
        #else
        #define MNIST_CNN_FETCHED __attribute__((noipa, const))
        #endif
        MNIST_CNN_FETCHED static float mnist_cnn_fetched(float x, float y) noexcept { return y; }
        """

    def c_code(self, node, name, inputs, outputs, sub):
        return "{} = mnist_cnn_fetched({}, {});".format(outputs[0], *inputs)

    def c_code_cache_version(self):
        return (3,)


class FetchedSigmoid(FetchedTanh):
    """The same with the branches of Theano's sigmoid."""

    def c_code(self, node, name, inputs, outputs, sub):
        return "{0} = {1} < -88.0f ? 0.0 : {1} > 15.0f ? 1.0f : mnist_cnn_fetched({1}, {2});".format(
            outputs[0], *inputs
        )


_FETCHED = {"tanh": FetchedTanh(scalar.upcast_out), "sigmoid": FetchedSigmoid(scalar.upcast_out)}


_PRODUCTS = (scalar.Mul, scalar.Sqr, scalar.Neg)


def _added_products(op):
    """The products that a sum reads."""
    return {
        value.owner
        for node in op.fgraph.apply_nodes
        if isinstance(node.op, (scalar.Add, scalar.Sub))
        for value in node.inputs
        if value.owner is not None and isinstance(value.owner.op, _PRODUCTS)
    }


def _is_shared(op, product):
    """Whether a product, or one of two of its factors, is read twice: in the argument of a function and elsewhere.

    The compiler would compute it once, and not fuse it.
    """

    def factors(node):
        return Counter(node.inputs * (2 if isinstance(node.op, scalar.Sqr) else 1))

    others = op.fgraph.apply_nodes - {product}
    return len(product.outputs[0].clients) > 1 or any(
        isinstance(node.op, _PRODUCTS) and sum((factors(node) & factors(product)).values()) > 1 for node in others
    )


class _Loop:
    """The operations of a `Composite`, some of whose results are tensors."""

    def __init__(self, op, inputs):
        self.fetches = bool(_added_products(op))
        self.inputs = dict(zip(op.fgraph.inputs, inputs))
        self.computed = {}  # {a function's result in the Composite: tensor}

    def tensor(self, variable: Variable) -> Variable:
        """The tensor of a variable, by one elementwise operation."""
        tensors = {**self.inputs, **self.computed}
        if variable in tensors:
            return tensors[variable]
        leaves: dict[Variable, Variable] = {}
        made: dict[Variable, Variable] = {}

        def leaf(value):
            return leaves.setdefault(value, value.type())

        def make(value):
            if isinstance(value, Constant):
                return value
            if value in self.inputs or value in self.computed and not self.fetches:
                return leaf(value)
            if value not in made:
                node = value.owner
                inputs = list(map(make, node.inputs))
                if value in self.computed:
                    made[value] = _FETCHED[_function(node)](*inputs, leaf(value))
                else:
                    made[value] = node.op.make_node(*inputs).outputs[0]
            return made[value]

        result = make(variable)
        return Elemwise(scalar.Composite(list(leaves.values()), [result]))(*[tensors[value] for value in leaves])


@local_optimizer([Elemwise])
def _use_vectors(node: Apply) -> list[Variable] | None:
    """Replace the functions of libm in an elementwise operation by the Op that computes them on vectors."""
    if not isinstance(node.op, Elemwise) or not theano.config.cxx or all(node.outputs[0].broadcastable):
        return None
    op = node.op.scalar_op
    if type(op) in _FUNCTIONS and node.inputs[0].dtype == "float32":
        return [LibmFunction(_FUNCTIONS[type(op)])(node.inputs[0])]
    if not isinstance(op, scalar.Composite) or len(op.fgraph.outputs) > 1:
        return None
    functions = [inner for inner in op.fgraph.toposort() if _function(inner)]
    if not functions or any(_is_shared(op, product) for product in _added_products(op)):
        return None
    loop = _Loop(op, node.inputs)
    for inner in functions:
        loop.computed[inner.outputs[0]] = LibmFunction(_function(inner))(loop.tensor(inner.inputs[0]))
    return [loop.tensor(op.fgraph.outputs[0])]


# after Theano has fused elementwise operations (49), before it looks for what can be in place (50)
optdb.register("mnist_cnn_libm", in2out(_use_vectors, ignore_newtrees=True), 49.2, "fast_run", "mnist_cnn")
