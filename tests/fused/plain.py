"""Graphs without the fast path: what its tests compare with, and what became of the parts of one."""

import theano

from mnist_cnn.fused.rewrites.rewriting import rows_of

#: Theano's own operations, whatever the package registers.
PLAIN = theano.compile.get_default_mode().excluding("mnist_cnn")


def fast_and_plain(*args, **kwargs):
    """The arguments of `theano.function`, compiled with the fast path and without."""
    return theano.function(*args, **kwargs), theano.function(*args, mode=PLAIN, **kwargs)


def becomes(function):
    """The Ops that took the places of parts of a compiled graph, None for those that stayed."""
    return [row.becomes for row in rows(function)]


def reasons(function):
    """Why parts of a compiled graph stayed Theano's."""
    return [row.why for row in rows(function) if row.becomes is None]


def rows(function):
    """The rows of `explain`'s table, in the order of the graph."""
    return rows_of_graph(function.maker.fgraph)


def rows_of_graph(fgraph):
    table = rows_of(fgraph) or {}
    return [table[place] for place in sorted(table)]
