"""tanh and sigmoids that no other pattern took, such as the gates of recurrent layers.

Theano has fused them with the operations around them, and calls libm for each number. Here those operations are cut
where they ask for a tanh or a sigmoid, which an Op computes on vectors, to the same bits.

The compiler may round a product before it adds it, or make both one fused multiply-add. `_products_alone` has it
choose as GCC 12 did in Theano's loops of Lasagne's and Keras' LSTM, whose results keep their bits. Not every loop is
translated so: elsewhere the last bit of a sum of products may change.
"""

from collections.abc import Sequence

import theano
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, Constant, Variable, local_optimizer
from theano.tensor.elemwise import Elemwise
from theano.tensor.nnet.sigm import ScalarSigmoid
from theano.tensor.opt import in2out

from ..ops.libm import LibmFunction

__all__ = ["Rounded"]

_FUNCTIONS = {scalar.Tanh: "tanh", ScalarSigmoid: "sigmoid"}
_PRODUCTS, _SUMS = (scalar.Mul, scalar.Sqr), (scalar.Add, scalar.Sub)
_OTHERS = (scalar.TrueDiv, scalar.Identity)


class Rounded(scalar.UnaryScalarOp):
    """A product as a number of its own, which the compiler makes no part of a fused multiply-add."""

    def impl(self, x):
        return x

    def c_code(self, node, name, inputs, outputs, sub):
        return '{z} = {x}; __asm__("" : "+m"({z}));'.format(x=inputs[0], z=outputs[0])

    def c_code_cache_version(self):
        return (1,)


_rounded = Rounded(scalar.same_out)


def _function(node):
    return _FUNCTIONS.get(type(node.op))


def _products_alone(nodes: Sequence[Apply], output: Variable) -> set[Variable]:
    """The products that Theano's C code, in one loop, rounds before it adds them.

    Mostly GCC makes a product and the sums that read it fused multiply-adds, where all its readers are sums of its own
    basic block, and none of them adds another product so. A sigmoid's code, with its branches, begins a new block.
    """
    block, blocks = 0, {}
    readers: dict[Variable, list[tuple[Apply, int]]] = {}
    for node in nodes:
        block += _function(node) == "sigmoid"
        blocks[node] = block
        for place, value in enumerate(node.inputs):
            readers.setdefault(value, []).append((node, place))
    alone, taken = set(), set()
    for node in nodes:
        product = node.outputs[0]
        if not isinstance(node.op, _PRODUCTS):
            continue
        sums = [(reader, max(place, 1)) for reader, place in readers.get(product, []) if isinstance(reader.op, _SUMS)]
        if (
            product is not output
            and len(set(sums)) == len(readers[product])
            and all(blocks[reader] == blocks[node] for reader, _ in sums)
            and not taken & set(sums)
        ):
            taken |= set(sums)
        elif sums:
            alone.add(product)
    return alone


def _is_known(node):
    known = isinstance(node.op, (*_PRODUCTS, *_SUMS, *_OTHERS)) or _function(node)
    return known and all(value.dtype == "float32" for value in node.inputs + node.outputs)


class _Pieces:
    """The operations of a `Composite`, cut at the functions of libm."""

    def __init__(self, values, alone):
        self.values, self.alone = values, alone  # {variable of the Composite: tensor that is computed already}

    def piece(self, variable: Variable) -> Variable:
        """The tensor of a variable: from the tensors before it by one elementwise operation."""
        if variable in self.values:
            return self.values[variable]
        leaves: dict[Variable, Variable] = {}
        made: dict[Variable, Variable] = {}

        def make(value):
            if isinstance(value, Constant):
                return value
            if value in self.values:
                return leaves.setdefault(value, value.type())
            if value not in made:
                result = value.owner.op.make_node(*map(make, value.owner.inputs)).outputs[0]
                made[value] = _rounded(result) if value in self.alone else result
            return made[value]

        result = make(variable)
        op = scalar.Composite(list(leaves.values()), [result])
        return Elemwise(op)(*[self.values[leaf] for leaf in leaves])


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
    nodes, (output,) = op.fgraph.toposort(), op.fgraph.outputs
    if not any(map(_function, nodes)) or not all(map(_is_known, nodes)):
        return None
    pieces = _Pieces(dict(zip(op.fgraph.inputs, node.inputs)), _products_alone(nodes, output))
    for inner in nodes:
        if _function(inner):
            pieces.values[inner.outputs[0]] = LibmFunction(_function(inner))(pieces.piece(inner.inputs[0]))
    return [pieces.piece(output)]


# after Theano has fused elementwise operations (49), before it looks for what can be in place (50)
optdb.register("mnist_cnn_libm", in2out(_use_vectors, ignore_newtrees=True), 49.2, "fast_run", "mnist_cnn")
