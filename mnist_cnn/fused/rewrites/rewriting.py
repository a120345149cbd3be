"""What the optimizations of this package have in common, and what they report to `explain`."""

from collections import OrderedDict, namedtuple

from theano.gof.opt import Optimizer
from theano.gof.toolbox import ReplaceValidate

from ..availability import why_not
from .matching import index_by_op, substitute

__all__ = ["Rewriting", "Row", "in_float32", "rows_of", "tell_of_float64"]


class Row(namedtuple("Row", "part becomes why")):
    """A line of `explain`'s table.

    Parameters
    ----------
    part : str
        What the program asks for, in its own terms.
    becomes : str or None
        The Op in its place; None where Theano's own stay.
    why : str
        The reason for either.
    """


def rows_of(fgraph):
    """The table of a graph's parts, in the order of its optimization; kept with the graph.

    Parameters
    ----------
    fgraph : FunctionGraph

    Returns
    -------
    OrderedDict
        From an integer, the place in the graph as it was written, to a Row.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.rewriting import rows_of
    >>> from theano.gof import FunctionGraph
    >>> rows_of(FunctionGraph([], []))
    OrderedDict()
    """
    if not hasattr(fgraph, "mnist_cnn_rows"):
        fgraph.mnist_cnn_rows = OrderedDict()
        for k, node in enumerate(fgraph.toposort()):
            node.tag.mnist_cnn_place = k
    return fgraph.mnist_cnn_rows


def in_float32(*variables):
    """Why variables cannot be computed with, or None where all are float32.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.rewriting import in_float32
    >>> import theano.tensor as T
    >>> in_float32(T.fmatrix()), in_float32(T.fmatrix(), T.dmatrix())
    (None, 'it computes in float64')
    """
    for variable in variables:
        if variable.dtype != "float32":
            return "it computes in {}".format(variable.dtype)
    return None


_listeners = []


def tell_of_float64(listener):
    """Call a function once, with the first part that only its float64 keeps from the fast path.

    Parameters
    ----------
    listener : callable
        Takes the part's words.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.rewriting import tell_of_float64
    >>> import theano
    >>> import theano.tensor as T
    >>> tell_of_float64(print)
    >>> a, b = T.dmatrices("a", "b")
    >>> f = theano.function([a, b], T.dot(a, b))
    product of matrices
    """
    _listeners.append(listener)


class Rewriting(Optimizer):
    """An optimization that puts a fast Op in the place of a part of the graph, or leaves it whole.

    The graph is gone through from its outputs to its inputs, so that the largest part comes first.
    Where something else reads an inner value of a part, the part stays as it is; then smaller parts
    of it are tried.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.dense import Products
    >>> from mnist_cnn.fused.rewrites.rewriting import Rewriting
    >>> issubclass(Products, Rewriting), Products.name
    (True, 'mnist_cnn_products')
    """

    #: of the registered optimization
    name: str | None = None

    def add_requirements(self, fgraph):
        fgraph.attach_feature(ReplaceValidate())

    def is_root(self, node):
        """Whether a part may end with a node."""
        raise NotImplementedError

    def is_main(self, node):
        """Whether `explain` has a line for a node."""
        raise NotImplementedError

    def match(self, fgraph, variable):
        """The part that ends with a variable.

        Parameters
        ----------
        fgraph : FunctionGraph
        variable : Theano variable

        Returns
        -------
        main : Apply
            The part's main node; there is nothing to unpack, but None, where there is no part.
        match : Match or str
            A text says why a part that was recognized stays.
        """
        raise NotImplementedError

    def describe(self, node):
        """The words of `explain` for a main node."""
        raise NotImplementedError

    def apply(self, fgraph):
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
            match = self.match(fgraph, node.outputs[0])
            if match is None:
                continue
            main, match = match
            if unavailable:
                match = unavailable
            if not isinstance(match, str):
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
