"""The base class of the optimizations, and their report for `explain`."""

from collections import OrderedDict, namedtuple
from collections.abc import Callable

from theano.gof import Apply, FunctionGraph, Variable
from theano.gof.opt import Optimizer
from theano.gof.toolbox import ReplaceValidate

from ..availability import why_not
from .matching import Match, index_by_op, substitute

__all__ = ["ReplacingOptimizer", "Rewriting", "Row", "not_float32", "rows_of", "tell_of_float64"]


class Row(namedtuple("Row", "part becomes why")):
    """A line of `explain`'s table.

    Parameters
    ----------
    part : str
        The part in the program's terms.
    becomes : str or None
        The Op that replaces it; None where Theano's own stay.
    why : str
        The gain, or the reason why Theano's own stay.
    """


def rows_of(fgraph: FunctionGraph) -> dict[int, Row]:
    """The rows of `explain` for a graph, by the place of a part in the graph as the program wrote it."""
    if not hasattr(fgraph, "mnist_cnn_rows"):
        fgraph.mnist_cnn_rows = OrderedDict()
        for k, node in enumerate(fgraph.toposort()):
            node.tag.mnist_cnn_place = k
    return fgraph.mnist_cnn_rows


def not_float32(*variables: Variable) -> str | None:
    """The reason in `explain` why variables keep a part from the fast path; None where all are float32."""
    for variable in variables:
        if variable.dtype != "float32":
            return "it computes in {}".format(variable.dtype)
    return None


_listeners = []


def tell_of_float64(listener: Callable[[str], object]) -> None:
    """Call a function once, for the first part that only float64 keeps from the fast path.

    Parameters
    ----------
    listener : callable
        Takes the part's description.
    """
    _listeners.append(listener)


class ReplacingOptimizer(Optimizer):
    """An optimization that replaces variables of a graph."""

    def add_requirements(self, fgraph):
        fgraph.attach_feature(ReplaceValidate())


class Rewriting(ReplacingOptimizer):
    """An optimization that replaces parts of a graph by fast Ops.

    It goes from the graph's outputs to its inputs, so that the largest part comes first. Where
    another node reads an inner value of a part, the part stays; then smaller parts of it are tried.
    """

    #: of the registered optimization
    name: str | None = None

    def is_root(self, node: Apply) -> bool:
        """Whether a part may end with a node."""
        raise NotImplementedError

    def is_main(self, node: Apply) -> bool:
        """Whether `explain` has a line for a node."""
        raise NotImplementedError

    def match(self, fgraph: FunctionGraph, variable: Variable) -> tuple[Apply, Match | str] | None:
        """The part that ends with a variable.

        Parameters
        ----------
        fgraph : FunctionGraph
        variable : Theano variable

        Returns
        -------
        main : Apply
            The part's main node. Where there is no part, None is returned in place of the pair.
        match : Match or str
            A text says why a recognized part stays.
        """
        raise NotImplementedError

    def describe(self, node: Apply) -> str:
        """The part's name in `explain`, from its main node."""
        raise NotImplementedError

    def apply(self, fgraph: FunctionGraph) -> None:
        rows = rows_of(fgraph)
        nodes = fgraph.toposort()
        mains = [node for node in nodes if self.is_main(node)]
        if not mains:
            return
        unavailable = why_not()
        index = index_by_op(fgraph)
        reasons, gone = {}, set()
        for node in reversed(nodes):
            if node in gone or not self.is_root(node):
                continue
            found = self.match(fgraph, node.outputs[0])
            if found is None:
                continue
            main, match = found
            match = unavailable or match
            if isinstance(match, Match):
                replaced, inner = substitute(fgraph, match, index, main.tag.mnist_cnn_place)
                if replaced is not None:
                    gone |= replaced
                    rows[main.tag.mnist_cnn_place] = Row(self.describe(main), match.becomes, match.why)
                    continue
                match = "{} are read elsewhere as well".format(inner)
            reasons[main] = match
            if match == "it computes in float64":
                while _listeners:
                    _listeners.pop()(self.describe(main))
        for main in mains:
            if main not in gone and main in reasons:
                rows[main.tag.mnist_cnn_place] = Row(self.describe(main), None, reasons[main])
