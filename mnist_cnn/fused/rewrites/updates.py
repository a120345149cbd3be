"""The updates of a training step: for each parameter one pass over the memory.

Theano computes an update such as Adam's by several elementwise operations for each parameter, on one thread. Here
all operations on arrays of one shape, from the gradient to the new values, become one Op.
"""

from collections.abc import Mapping, Sequence

import theano
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, FunctionGraph, InconsistencyError, Variable
from theano.gof.utils import MethodNotDefined
from theano.tensor.elemwise import DimShuffle, Elemwise

from ..ops.update import ElementwiseUpdate
from .rewriting import ReplacingOptimizer

# --- which operations --------------------------------------------------------------------------


def _is_single(variable):
    return all(variable.broadcastable)


def _fits(node):
    """Whether an operation is elementwise on float32 arrays of one shape, and has C code."""
    op, output = node.op, node.outputs[0]
    if (
        type(op) is not Elemwise
        or len(node.outputs) > 1
        or _is_single(output)
        or output.dtype not in ("float32", "bool")
    ):
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
    """Whether a scalar Op has C code that needs no headers or libraries."""
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
    """The nodes whose results nothing else reads, except new values."""
    nodes = set(nodes)
    while True:
        open_ends = {
            node
            for node in nodes
            if node.outputs[0] not in new_values and not all(client in nodes for client in _clients(node.outputs[0]))
        }
        if not open_ends:
            return nodes
        nodes -= open_ends


def _groups(nodes):
    """Groups of nodes that share an array, or of which one reads the other, in their order."""
    group_of, groups = {}, []  # from a node's result or an array to its group
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
    """The nodes without those that depend on new values through other operations, such as a norm of them."""
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
        nodes = _closed(nodes - late, new_values)  # the readers of a late node are late, too: next time


def _single(variable):
    """The variable behind dimensions of length 1."""
    while variable.owner and isinstance(variable.owner.op, DimShuffle) and _is_single(variable.owner.inputs[0]):
        variable = variable.owner.inputs[0]
    return variable


class OnePassUpdates(ReplacingOptimizer):
    """Has one Op compute all new values of a parameter: itself, its velocity and so on."""

    def apply(self, fgraph: FunctionGraph) -> None:
        if not theano.config.cxx:
            return
        old = {}  # from new values to the old ones
        for output, place in (getattr(fgraph, "update_mapping", None) or {}).items():
            value = fgraph.outputs[output]
            if value.owner and _fits(value.owner) and value.dtype == "float32":
                old.setdefault(value, fgraph.inputs[place])
        if not old:
            return
        nodes, found = fgraph.toposort(), set()
        for node in reversed(nodes):  # a node's readers come before it
            value = node.outputs[0]
            if value in old or (value.clients and all(client in found for client in _clients(value)) and _fits(node)):
                found.add(node)
        for group in _groups([node for node in nodes if node in found]):
            self.replace(fgraph, [node for node in group if node in _convex(group, old)], old)

    def replace(self, fgraph: FunctionGraph, nodes: Sequence[Apply], old: Mapping[Variable, Variable]) -> None:
        """Replace nodes that compute new values by one Op."""
        values = list(dict.fromkeys(value for value in fgraph.outputs if value in old and value.owner in nodes))
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
            len(arrays),
            len(singles),
            [(node.op.scalar_op, tuple(map(operand, node.inputs))) for node in order],
            [order.index(value.owner) for value in values],
            [arrays.index(old[value]) if old[value] in arrays else None for value in values],
        )
        fgraph.replace_all_validate(
            list(zip(values, op(*(arrays + singles), return_list=True))), reason="mnist_cnn_updates"
        )


class OverwriteOldValues(ReplacingOptimizer):
    """Has new values overwrite the old ones, except where another node reads these later."""

    def apply(self, fgraph: FunctionGraph) -> None:
        for node in fgraph.toposort():
            if isinstance(node.op, ElementwiseUpdate) and not node.op.in_place:
                bits = [1 << k for k, array in enumerate(node.op.old) if array is not None]
                if not self.overwrite(fgraph, node, sum(bits)):
                    for bit in bits:
                        node = self.overwrite(fgraph, node, node.op.in_place | bit) or node

    def overwrite(self, fgraph: FunctionGraph, node: Apply, in_place: int) -> Apply | None:
        """Replace a node by one that overwrites these arrays; None where the graph forbids it."""
        op = node.op
        new = ElementwiseUpdate(op.arrays, op.scalars, op.program, op.results, op.old, in_place, op.openmp)
        outputs = new(*node.inputs, return_list=True)
        try:
            fgraph.replace_all_validate(list(zip(node.outputs, outputs)), reason="mnist_cnn_updates_in_place")
        except InconsistencyError:
            return None
        return outputs[0].owner


# before Theano fuses elementwise operations (49); in place after the products (70), before elementwise
# operations (75)
optdb.register("mnist_cnn_updates", OnePassUpdates(), 48.9, "fast_run", "mnist_cnn")
optdb.register("mnist_cnn_updates_in_place", OverwriteOldValues(), 70, "fast_run", "inplace", "mnist_cnn")
