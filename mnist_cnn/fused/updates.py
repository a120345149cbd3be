"""The updates of a training step, found in its graph: each parameter's in one pass over the memory.

Theano computes a rule such as Adam's with several elementwise operations for each parameter, on one thread. Here
the operations whose arrays have one shape, from the gradient to the new values, become one Op.
"""
import theano
import theano.tensor as T
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, InconsistencyError, ParamsType
from theano.gof.opt import Optimizer
from theano.gof.toolbox import ReplaceValidate
from theano.gof.utils import MethodNotDefined
from theano.tensor.elemwise import DimShuffle, Elemwise

from .ops import _NativeOp, _tensor

__all__ = ["ElementwiseUpdate"]


class ElementwiseUpdate(_NativeOp):
    """New values from old ones and gradients of one shape, each number for itself.

    Parameters
    ----------
    arrays, scalars : int
        Number of inputs of either kind.
    program : tuple of (scalar Op, tuple of int)
        Operations in their order. An operand is the number of an array, `arrays` and more for a scalar,
        ``arrays + scalars`` and more for an earlier operation's result.
    results : tuple of int
        The operations whose results are the outputs.
    old : tuple of (int or None)
        For each output the array whose place it takes, if any.
    in_place : int
        Bit k is set where output k overwrites that array. An optimization sets those that it may.

    Notes
    -----
    Called with the arrays, then the scalars, all float32. The arrays have one shape and pattern of
    broadcasting, the scalars a single number. Gives float32 arrays of that shape.

    A result that several operations read is rounded to float32 and kept, as Theano keeps it; what else
    is computed in one expression as Theano does it, so that the roundings are Theano's. All operations read
    the old values.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.updates import ElementwiseUpdate
    >>> from theano import scalar
    >>> descent = ElementwiseUpdate(2, 1, ((scalar.mul, (2, 1)), (scalar.sub, (0, 3))), (1,), (0,))
    >>> descent(np.float32([1, 2]), np.float32([2, 0]), np.float32(.5)).eval()
    array([0., 2.], dtype=float32)
    """

    __props__ = ("arrays", "scalars", "program", "results", "old", "in_place")
    header = "bindings/update.h"
    params_type = ParamsType(in_place=scalar.int64)     # known when it runs: one module for all

    def __init__(self, arrays, scalars, program, results, old, in_place=0, openmp=None):
        super(ElementwiseUpdate, self).__init__(openmp)
        self.arrays, self.scalars, self.program = arrays, scalars, tuple(program)
        self.results, self.old, self.in_place = tuple(results), tuple(old), in_place
        if in_place:
            self.destroy_map = {k: [array] for k, array in enumerate(self.old) if in_place >> k & 1}

    def __str__(self):
        return "ElementwiseUpdate{%s}" % "; ".join(
            "%s(%s)" % (op, ", ".join("abcdefghijklmnopqrstuvwxyz"[k] if k < 26 else str(k) for k in operands))
            for op, operands in self.program)

    def make_node(self, *inputs):
        inputs = [T.as_tensor_variable(value) for value in inputs]
        ndim = inputs[0].ndim
        inputs = [_tensor(value, "input %d" % k, ndim if k < self.arrays else value.ndim, "float32")
                  for k, value in enumerate(inputs)]
        return Apply(self, inputs, [inputs[0].type() for _ in self.results])

    def infer_shape(self, node, shapes):
        return [shapes[0]] * len(node.outputs)

    def c_code_cache_version(self):
        return super(ElementwiseUpdate, self).c_code_cache_version() + tuple(
            op.c_code_cache_version() for op, _ in self.program)

    def c_support_code_apply(self, node, name):
        return _Loops(self).code("Rule_" + name)

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("update::step_numpy<Rule_%s>({%s}, {%s}, {%s}, %s->in_place, {%s})" % (
            name, ", ".join(inputs[:self.arrays]), ", ".join(inputs[self.arrays:]),
            ", ".join("-1" if array is None else str(array) for array in self.old),
            sub["params"], ", ".join("&" + output for output in outputs)), sub)


class _Loops:
    """The program of an `ElementwiseUpdate` as a struct in C++ for csrc/update/elementwise.h.

    Each result that is an output, or that several operations read, has a loop of its own, which the compiler
    makes vectors of. Between the loops the numbers stay in the cache.
    """

    def __init__(self, op):
        self.op, self.first = op, op.arrays + op.scalars    # from there on operands are results
        readers = [sum(self.first + k in operands for _, operands in op.program)
                   for k in range(len(op.program))]
        nodes = []
        for scalar_op, operands in op.program:
            types = [scalar.float32 if k < self.first else nodes[k - self.first].outputs[0].type
                     for k in operands]
            nodes.append(scalar_op.make_node(*[kind() for kind in types]))
        self.kept = [k for k, node in enumerate(nodes) if k in op.results
                     or readers[k] > 1 and node.outputs[0].dtype == "float32"]
        self.expressions = {k: self.expression(k) for k in self.kept}
        # A new value goes to its place at once, unless that has an old one that a later loop reads.
        self.places, self.waiting = {}, []
        for k in self.kept:
            output = op.results.index(k) if k in op.results else None
            later = [self.expressions[n][0] for n in self.kept if n > k]
            if output is not None and not any(op.old[output] in sources for sources in later):
                self.places[k] = "updated[%d]" % output
            else:
                self.places[k] = "locals[%d]" % sum(place.startswith("l") for place in self.places.values())
                if output is not None:
                    self.waiting.append((self.places[k], output))

    def expression(self, k):
        """What a loop computes: (scalar variable of each operand that it reads, scalar result)."""
        sources, made = {}, {}

        def result(n):
            if n not in made:
                scalar_op, operands = self.op.program[n]
                made[n] = scalar_op.make_node(*map(value, operands)).outputs[0]
            return made[n]

        def value(operand):
            n = operand - self.first
            if n >= 0 and n not in self.kept:
                return result(n)
            return sources.setdefault(operand, scalar.float32())

        return sources, result(k)

    def loop(self, k, name):
        sources, result = self.expressions[k]
        before, inside = [], []
        for operand in sources:
            if self.op.arrays <= operand < self.first:
                before.append("const npy_float32 v%d = scalars[%d];" % (operand, operand - self.op.arrays))
                continue
            before.append("const float *from%d = %s;" % (operand, "arrays[%d]" % operand if operand < self.first
                                                         else self.places[operand - self.first]))
            inside.append("const npy_float32 v{0} = from{0}[i];".format(operand))
        # Theano's own way from an expression to C, which it takes for its operations as well
        composite = scalar.Composite(list(sources.values()), [result])
        inside.append(composite.c_code(composite.make_node(*sources.values()), "%s_%d" % (name, k),
                                       ["v%d" % operand for operand in sources], ["to[i]"], {"fail": ""}))
        return "{ %s float *to = %s; UPDATE_LOOP for (int i = 0; i < n; i++) { %s } }" % (
            "\n".join(before), self.places[k], "\n".join(inside))

    def code(self, name):
        return """
        struct %s {
            enum { ARRAYS = %d, SCALARS = %d, UPDATED = %d, LOCALS = %d };
            static void chunk(const float *const *arrays, const float *scalars, float *const *updated,
                              float (*locals)[update::CHUNK], int n) {
                %s
                %s
            }
        };""" % (name, self.op.arrays, self.op.scalars, len(self.op.results),
                 sum(place.startswith("l") for place in self.places.values()),
                 "\n".join(self.loop(k, name) for k in self.kept),
                 "\n".join("std::copy({0}, {0} + n, updated[{1}]);".format(*pair) for pair in self.waiting))


# --- which operations --------------------------------------------------------------------------

def _is_single(variable):
    return all(variable.broadcastable)


def _fits(node):
    """Whether an operation is elementwise on float32 arrays of one shape, and can be written in C."""
    op, output = node.op, node.outputs[0]
    if (type(op) is not Elemwise or len(node.outputs) > 1 or _is_single(output)
            or output.dtype not in ("float32", "bool")):
        return False
    for value in node.inputs:
        inner = value.dtype == "bool" and value.owner is not None and not _is_single(value)
        if not (value.dtype == "float32" or inner):
            return False
        if not _is_single(value) and value.broadcastable != output.broadcastable:
            return False
    if all(map(_is_single, node.inputs)):
        return False
    return _has_c_code(op.scalar_op, [value.dtype for value in node.inputs])


def _has_c_code(op, dtypes):
    """Whether a scalar Op has C code that needs nothing but the code."""
    inputs = [scalar.get_scalar_type(dtype)() for dtype in dtypes]
    try:
        op.c_code(op.make_node(*inputs), "name", ["x"] * len(inputs), ["z"], {"fail": ""})
    except (MethodNotDefined, NotImplementedError):
        return False
    for more in (op.c_support_code, op.c_headers, op.c_libraries):
        try:
            if more():
                return False
        except MethodNotDefined:
            continue
    return bool(op.c_code_cache_version())


def _clients(variable):
    return [node for node, _ in variable.clients]


def _closed(nodes, new_values):
    """Without what is read elsewhere, so that only new values come out."""
    nodes = set(nodes)
    while True:
        open_ends = {node for node in nodes if node.outputs[0] not in new_values
                     and not all(client in nodes for client in _clients(node.outputs[0]))}
        if not open_ends:
            return nodes
        nodes -= open_ends


def _groups(nodes):
    """Nodes that share an array, or of which one reads the other, in their order."""
    group_of, groups = {}, []   # from a node or an array to the list that it is in
    for node in nodes:
        keys = [node.outputs[0]] + [value for value in node.inputs if not _is_single(value)]
        joined = {id(group_of[key]): group_of[key] for key in keys if key in group_of}
        group = sum(joined.values(), []) + [node]
        for member in group:
            for key in [member.outputs[0]] + [value for value in member.inputs if not _is_single(value)]:
                group_of[key] = group
    for node in nodes:
        group = group_of[node.outputs[0]]
        if not any(group is other for other in groups):
            groups.append(group)
    return groups


def _convex(nodes, new_values):
    """Without operations that wait for others which wait for new values, such as a new value's norm."""
    nodes = _closed(nodes, new_values)
    while True:
        reached, ahead = set(), [client for node in nodes for client in _clients(node.outputs[0])]
        while ahead:
            client = ahead.pop()
            if client != "output" and client not in nodes and client not in reached:
                reached.add(client)
                ahead += [other for output in client.outputs for other in _clients(output)]
        late = {node for node in nodes if any(value.owner in reached for value in node.inputs)}
        if not late:
            return nodes
        nodes = _closed(nodes - late, new_values)   # what reads a late one is late itself, next time


def _single(variable):
    """The variable behind dimensions of length 1."""
    while variable.owner and isinstance(variable.owner.op, DimShuffle) and _is_single(variable.owner.inputs[0]):
        variable = variable.owner.inputs[0]
    return variable


class OnePassUpdates(Optimizer):
    """Has all new values of a parameter, of its velocity and so on computed by one Op."""

    def add_requirements(self, fgraph):
        fgraph.attach_feature(ReplaceValidate())

    def apply(self, fgraph):
        if not theano.config.cxx:
            return
        old = {}    # from new values to the shared variables' variables
        for output, place in (getattr(fgraph, "update_mapping", None) or {}).items():
            value = fgraph.outputs[output]
            if value.owner and _fits(value.owner) and value.dtype == "float32":
                old.setdefault(value, fgraph.inputs[place])
        if not old:
            return
        nodes, found = fgraph.toposort(), set()
        for node in reversed(nodes):    # those that read a node come before it
            value = node.outputs[0]
            if value in old or (value.clients and all(client in found for client in _clients(value))
                                and _fits(node)):
                found.add(node)
        for group in _groups([node for node in nodes if node in found]):
            self.replace(fgraph, [node for node in group if node in _convex(group, old)], old)

    def replace(self, fgraph, nodes, old):
        """Put one Op in the place of these nodes, which compute these new values."""
        values = [value for value in fgraph.outputs if value in old and value.owner in nodes]
        values = list(dict.fromkeys(values))
        if not values:
            return
        arrays, singles, order = [], [], []

        def visit(node):
            for value in node.inputs:
                if value.owner in nodes:
                    if value.owner not in order:
                        visit(value.owner)
                else:
                    kind = singles if _is_single(value) else arrays
                    value = _single(value) if kind is singles else value
                    if value not in kind:
                        kind.append(value)
            order.append(node)

        for value in values:
            if value.owner not in order:
                visit(value.owner)

        def operand(value):
            if value.owner in nodes:
                return len(arrays) + len(singles) + order.index(value.owner)
            return len(arrays) + singles.index(_single(value)) if _is_single(value) else arrays.index(value)

        op = ElementwiseUpdate(
            len(arrays), len(singles),
            [(node.op.scalar_op, tuple(map(operand, node.inputs))) for node in order],
            [order.index(value.owner) for value in values],
            [arrays.index(old[value]) if old[value] in arrays else None for value in values])
        fgraph.replace_all_validate(list(zip(values, op(*(arrays + singles), return_list=True))),
                                    reason="mnist_cnn_updates")


class OverwriteOldValues(Optimizer):
    """Has new values written over the old, except where something reads these later."""

    def add_requirements(self, fgraph):
        fgraph.attach_feature(ReplaceValidate())

    def apply(self, fgraph):
        for node in fgraph.toposort():
            if isinstance(node.op, ElementwiseUpdate) and not node.op.in_place:
                bits = [1 << k for k, array in enumerate(node.op.old) if array is not None]
                if not self.overwrite(fgraph, node, sum(bits)):
                    for bit in bits:
                        node = self.overwrite(fgraph, node, node.op.in_place | bit) or node

    def overwrite(self, fgraph, node, in_place):
        """The node that overwrites these, in place of another; None where that cannot be."""
        op = node.op
        new = ElementwiseUpdate(op.arrays, op.scalars, op.program, op.results, op.old, in_place, op.openmp)
        outputs = new(*node.inputs, return_list=True)
        try:
            fgraph.replace_all_validate(list(zip(node.outputs, outputs)), reason="mnist_cnn_updates_in_place")
        except InconsistencyError:
            return None
        return outputs[0].owner


# before Theano makes one operation of several elementwise ones (49); and among what works in place, where 70
# is that of the products, 75 of elementwise operations
optdb.register("mnist_cnn_updates", OnePassUpdates(), 48.9, "fast_run", "mnist_cnn")
optdb.register("mnist_cnn_updates_in_place", OverwriteOldValues(), 70, "fast_run", "inplace", "mnist_cnn")
