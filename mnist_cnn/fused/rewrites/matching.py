"""Finds parts of a Theano graph and replaces them by equal ones, gradients included.

A pattern describes a forward computation alone. Its gradients need no patterns: Theano writes the
gradient of the recognized part (``theano.grad``), and this expression is looked up in the graph,
variable by variable. So each way to write a rectifier has its own gradient.
"""

from collections.abc import Callable, Mapping, Sequence

import theano
from theano import scalar
from theano.gof import Apply, Constant, FunctionGraph, Op, Variable
from theano.gof.graph import ancestors, clone_get_equiv
from theano.gof.opt import copy_stack_trace
from theano.tensor import Elemwise, NotScalarConstantError, Shape, get_scalar_constant_value, patternbroadcast
from theano.tensor.elemwise import CAReduce
from theano.tensor.opt import Shape_i

__all__ = [
    "Match",
    "Unifier",
    "constant_value",
    "index_by_op",
    "is_elementwise",
    "is_for_each_channel",
    "operands",
    "substitute",
]


class Match:
    """A recognized part of a graph.

    Parameters
    ----------
    inputs : list of Theano variables
        The part's inputs.
    outputs : list of Theano variables
        The part's outputs. Gradients flow through the first of them alone.
    build : callable
        From variables in the place of `inputs` to a list of equal expressions for `outputs`.
    inner : dict
        From an inner variable, which other nodes may read, to its name in `explain`.
    becomes, why : str
        For `explain`: the Op that replaces the part, and the gain.
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        build: Callable[..., Sequence[Variable]],
        inner: Mapping[Variable, str] | None = None,
        becomes: str = "",
        why: str = "",
    ) -> None:
        self.inputs, self.outputs, self.build = list(inputs), list(outputs), build
        self.inner, self.becomes, self.why = dict(inner or {}), becomes, why


def is_elementwise(variable: Variable, *kinds: type) -> bool:
    """Whether a variable is the result of an elementwise operation of these classes of theano.scalar."""
    node = variable.owner
    return node is not None and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kinds)


def operands(variable: Variable, *kinds: type) -> tuple[tuple[Variable, Variable], ...]:
    """The two operands of an elementwise operation of these classes, in both orders.

    Returns
    -------
    tuple of pairs of Theano variables
        Empty for any other variable.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.matching import operands
    >>> import theano.tensor as T
    >>> from theano import scalar
    >>> x, y = T.fvectors("x", "y")
    >>> operands(x + y, scalar.Add), operands(x * y, scalar.Add)
    (((x, y), (y, x)), ())
    """
    if not is_elementwise(variable, *kinds) or len(variable.owner.inputs) != 2:
        return ()
    a, b = variable.owner.inputs
    return (a, b), (b, a)


def is_for_each_channel(variable: Variable, axis: int = 1) -> bool:
    """Whether a variable has one number for each channel, or one for all."""
    return all(broadcast or k == axis for k, broadcast in enumerate(variable.broadcastable))


def constant_value(variable: Variable) -> float | None:
    """The number that a variable always has, or None.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.matching import constant_value
    >>> import theano.tensor as T
    >>> constant_value(T.constant(.5).dimshuffle("x", "x")), constant_value(T.fmatrix())
    (0.5, None)
    """
    if not all(variable.broadcastable):
        return None
    try:
        return get_scalar_constant_value(variable).item()
    except NotScalarConstantError:
        return None


def substitute(
    fgraph: FunctionGraph, match: Match, index: dict[Op, list[Apply]], place: int
) -> tuple[set[Apply] | None, str | None]:
    """Replace a match, and the gradients through it that the graph has.

    Parameters
    ----------
    fgraph : FunctionGraph
    match : Match
    index : dict
        As `index_by_op` makes it; kept up to date.
    place : int
        The tag of the new nodes, for `explain`.

    Returns
    -------
    set of Apply, or None
        The nodes that are replaced; None where the graph stays, since it reads an inner value.
    str or None
        The name of that value.
    """
    forward = _nodes_between(match.inputs, match.outputs)
    gradients = _gradients(match, forward, index)
    replaced = set(match.outputs)
    matched = set(forward)
    for found in gradients.values():
        for variable, nodes in found.values():
            replaced.add(variable)
            matched |= nodes
    kept = _still_read(fgraph, match, forward, matched, replaced)
    if kept is not None:
        return None, match.inner.get(kept, "its inner values")

    pairs = [(old, patternbroadcast(new, old.broadcastable)) for old, new in _replacements(match, gradients)]
    for old, new in pairs:
        copy_stack_trace(old, new)
    before = set(fgraph.apply_nodes)
    fgraph.replace_all_validate(pairs, reason="mnist_cnn")
    for node in fgraph.apply_nodes - before:
        node.tag.mnist_cnn_place = place
        index.setdefault(node.op, []).append(node)
    return before - fgraph.apply_nodes, None


def index_by_op(fgraph: FunctionGraph) -> dict[Op, list[Apply]]:
    """From each Op to the nodes that apply it."""
    index = {}
    for node in fgraph.toposort():
        index.setdefault(node.op, []).append(node)
    return index


def _nodes_between(inputs, outputs):
    """The nodes on the paths from `inputs` to `outputs`, in the order of computation."""
    nodes, depends = [], dict.fromkeys(inputs, True)

    def visit(variable):
        if variable not in depends:
            node = variable.owner
            depends[variable] = node is not None and not _asks_for_shape(node) and any([visit(v) for v in node.inputs])  # noqa: C419  all are visited
            if depends[variable] and node not in nodes:
                nodes.append(node)
        return depends[variable]

    for variable in outputs:
        visit(variable)
    return nodes


def _gradients(match, forward, index):
    """The gradients through a match that a graph has.

    Returns
    -------
    dict
        From a gradient of the first output, as the graph has it, to a dict from the number of an
        input to its gradient and the nodes that lead there.
    """
    found = _look_up(match, index, False)
    if any(isinstance(node.op, CAReduce) for node in forward):
        # Theano differentiated equal sums one by one, and its optimizer has merged them since.
        for incoming, more in _look_up(match, index, True).items():
            for k, gradient in more.items():
                found.setdefault(incoming, {}).setdefault(k, gradient)
    return found


def _look_up(match, index, sums_apart):
    fresh = {variable: variable.type() for variable in match.inputs if not isinstance(variable, Constant)}
    copies = list(fresh.items())
    output = _copy(match.outputs[0], dict(fresh), sums_apart, copies)
    incoming = output.type()
    wrt = [k for k, variable in enumerate(match.inputs) if variable in fresh]
    with theano.change_flags(compute_test_value="off"):
        wanted = theano.grad(
            None,
            [fresh[match.inputs[k]] for k in wrt],
            known_grads={output: incoming},
            disconnected_inputs="ignore",
            return_disconnected="none",
            null_gradients="return",
            add_names=False,
        )
    known = {copy: variable for variable, copy in copies}
    found = {}
    # Gradients that read a value of the match determine the incoming gradient; a sum of it alone does not.
    for anchored in (True, False):
        for k, pattern in zip(wrt, wanted):
            if (
                pattern is None
                or pattern.owner is None
                or known.keys().isdisjoint(ancestors([pattern], known)) is anchored
            ):
                continue
            for node in index.get(pattern.owner.op, ()):
                unifier = Unifier(known, incoming)
                actual = node.outputs[pattern.index or 0]
                if (
                    getattr(actual, "clients", None)
                    and unifier.unify(pattern, actual)
                    and (anchored or unifier.incoming in found)
                ):
                    found.setdefault(unifier.incoming, {})[k] = (actual, unifier.nodes())
    found.pop(None, None)
    return found


def _copy(variable, memo, sums_apart, copies):
    """A copy of what computes a variable; adds pairs of a variable and its copy to `copies`."""
    if variable in memo:
        return memo[variable]
    node = variable.owner
    if node is None:
        return variable
    new = node.clone_with_new_inputs([_copy(v, memo, sums_apart, copies) for v in node.inputs])
    copies += zip(node.outputs, new.outputs)
    if not (sums_apart and isinstance(node.op, CAReduce)):
        memo.update(zip(node.outputs, new.outputs))
    return new.outputs[node.outputs.index(variable)]


class Unifier:
    """Matches a pattern with a graph, variable by variable.

    Parameters
    ----------
    known : dict
        From a variable of the pattern to its counterpart in the graph.
    free : Theano variable, optional
        A variable of the pattern that matches any of its type.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.matching import Unifier
    >>> import theano.tensor as T
    >>> a, free, x, y = T.fvectors("a", "free", "x", "y")
    >>> unifier = Unifier({a: x}, free)
    >>> unifier.unify(T.exp(a) * free, abs(y) * T.exp(x)), unifier.incoming.owner.inputs
    (True, [y])
    """

    def __init__(self, known: Mapping[Variable, Variable], free: Variable | None = None) -> None:
        self.known, self.free = known, free
        self.bound = []

    @property
    def incoming(self) -> Variable | None:
        return dict(self.bound).get(self.free)

    def nodes(self) -> set[Apply]:
        """The nodes of the graph that match the pattern's."""
        return {actual.owner for pattern, actual in self.bound if pattern is not self.free}

    def unify(self, pattern: Variable, actual: Variable) -> bool:
        """Whether two variables are equal; binds the free variable."""
        if pattern in self.known:
            return self.known[pattern] is actual
        for earlier, variable in self.bound:
            if earlier is pattern:
                return variable is actual
        if self.free is not None and pattern is self.free:
            if actual.type.ndim != pattern.ndim or actual.dtype != pattern.dtype:
                return False
            self.bound.append((pattern, actual))
            return True
        if isinstance(pattern, Constant):
            return isinstance(actual, Constant) and pattern.equals(actual)
        if pattern.owner is None or actual.owner is None:
            return pattern is actual
        mine, other = pattern.owner, actual.owner
        if (
            mine.op != other.op
            or len(mine.inputs) != len(other.inputs)
            or mine.outputs.index(pattern) != other.outputs.index(actual)
        ):
            return False
        orders = [other.inputs]
        if len(other.inputs) == 2 and is_elementwise(actual, scalar.Add, scalar.Mul):
            orders.append(other.inputs[::-1])
        for order in orders:
            mark = len(self.bound)
            if all(self.unify(a, b) for a, b in zip(mine.inputs, order)):
                self.bound.append((pattern, actual))
                return True
            del self.bound[mark:]
        return is_elementwise(actual, scalar.Add) and self._unify_terms(pattern, actual)

    def _unify_terms(self, pattern, actual):
        """Whether two sums of three terms or more are equal, in any order and with any brackets."""
        mine, other = self._terms(pattern), self._terms(actual)
        if len(mine) != len(other) or len(mine) < 3:
            return False

        def pair(mine, other):
            if not mine:
                return True
            for k, candidate in enumerate(other):
                mark = len(self.bound)
                if self.unify(mine[0], candidate) and pair(mine[1:], other[:k] + other[k + 1 :]):
                    return True
                del self.bound[mark:]
            return False

        mark = len(self.bound)
        if not pair(mine, other):
            return False
        waiting = [actual]
        while waiting:  # the sums in brackets
            variable = waiting.pop()
            self.bound.insert(mark, (object(), variable))
            waiting += [term for term in variable.owner.inputs if term not in other and term.owner is not None]
        self.bound.append((pattern, actual))
        return True

    def _terms(self, variable):
        """The terms of a sum, and of the sums in it."""
        op, terms, waiting = variable.owner.op, [], list(variable.owner.inputs)
        while waiting:
            term = waiting.pop()
            if term in self.known or term.owner is None or term.owner.op != op:
                terms.append(term)
            else:
                waiting += term.owner.inputs
        return terms


def _still_read(fgraph, match, forward, matched, replaced):
    """An inner variable of the match that other nodes read, or None."""
    dying = set(matched)

    def read(variable):
        return any(
            node == "output" or node not in dying and not _asks_for_shape(node) for node, _ in fgraph.clients(variable)
        )

    changed = True
    while changed:
        changed = False
        for node in list(dying):
            if node not in forward and any(variable not in replaced and read(variable) for variable in node.outputs):
                dying.remove(node)
                changed = True
    for node in forward:
        for variable in node.outputs:
            if variable not in replaced and read(variable):
                return variable
    return None


def _asks_for_shape(node):
    return isinstance(node.op, (Shape, Shape_i))


def _replacements(match, gradients):
    """Pairs of an old and a new variable: the outputs, and their gradients."""
    fresh = [variable.type() for variable in match.inputs]
    outputs = match.build(*fresh)
    olds, news, memo = list(match.outputs), list(outputs), dict(zip(fresh, match.inputs))
    for incoming, found in gradients.items():
        free = match.outputs[0].type()
        memo[free] = patternbroadcast(incoming, free.broadcastable)
        wrt = sorted(found)
        with theano.change_flags(compute_test_value="off"):
            results = theano.grad(
                None,
                [fresh[k] for k in wrt],
                known_grads={outputs[0]: free},
                disconnected_inputs="ignore",
                add_names=False,
            )
        olds += [found[k][0] for k in wrt]
        news += results
    copies = clone_get_equiv(list(memo), news, copy_inputs=False, memo=memo)
    return [(old, copies[new]) for old, new in zip(olds, news)]
