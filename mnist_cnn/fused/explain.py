"""The parts of a compiled function: which are on the fast path, why others are not, and their times."""

import time

import numpy as np
import theano
from theano.compile.function_module import Function

from .availability import why_not

__all__ = ["explain", "why_nothing"]


def why_nothing(function: Function) -> str | None:
    """Say why no part of a compiled function is on the fast path.

    Parameters
    ----------
    function : Theano function

    Returns
    -------
    str or None
        The most frequent reason; None where some part is.

    Examples
    --------
    >>> from mnist_cnn.fused import why_nothing
    >>> import theano
    >>> import theano.tensor as T
    >>> a, b = T.dmatrices("a", "b")
    >>> why_nothing(theano.function([a, b], T.dot(a, b)))
    'it computes in float64'
    """
    if why_not():
        return why_not()
    rows = getattr(function.maker.fgraph, "mnist_cnn_rows", None)
    if rows is None:
        return "it was compiled without the optimizations of mnist_cnn"
    if any(row.becomes for row in rows.values()):
        return None
    reasons = [row.why for row in rows.values()]
    return max(reasons, key=reasons.count) if reasons else "it has no part that the fast path knows"


def explain(function: Function, *batch: np.ndarray, repeats: int = 20) -> str:
    """Say what computes each part of a compiled function, and why.

    Parameters
    ----------
    function : Theano function
    *batch : arrays
        The function's inputs. With them the table also has the milliseconds of each part, its
        gradients included. The function's shared variables stay as they are.
    repeats : int
        Calls that are measured.

    Returns
    -------
    str
        A table with a line for each part.

    Examples
    --------
    >>> from mnist_cnn.fused import explain
    >>> import theano
    >>> import theano.tensor as T
    >>> x, W = T.ftensor4("x"), T.ftensor4("W")
    >>> y = T.nnet.relu(T.nnet.conv2d(x, W, filter_shape=(32, 1, 5, 5)))
    >>> z = T.nnet.conv2d(x, W, filter_shape=(32, 1, 5, 5), filter_dilation=(2, 2))
    >>> print(explain(theano.function([x, W], [y, z])))
    part                                           becomes   why
    convolution of 1 channel by 32 filters of 5x5  Conv2D    convolution and rectifier in one pass
    convolution of 1 channel by 32 filters of 5x5  Theano's  dilation (2, 2)
    """
    rows = getattr(function.maker.fgraph, "mnist_cnn_rows", {})
    if not rows:
        return "Theano's own operations: {}".format(why_nothing(function))
    head, spent, foot = ["part", "becomes", "why"], {}, []
    if batch:
        spent, whole = _milliseconds(function, rows, batch, repeats)
        head.insert(2, "ms")
        foot = ["Other operations: {:.2f} ms. The whole: {:.2f} ms.".format(spent.get(None, 0), whole)]
    table = [head]
    for place in sorted(rows):
        row = rows[place]
        cells = [row.part, row.becomes or "Theano's", row.why]
        if batch:
            cells.insert(2, "{:.2f}".format(spent[place]) if place in spent else "")
        table.append(cells)
    widths = [max(len(row[k]) for row in table) for k in range(len(head) - 1)]
    lines = [
        "  ".join(
            [cell.rjust(width) if k == 2 else cell.ljust(width) for k, (cell, width) in enumerate(zip(row, widths))]
            + row[-1:]
        )
        for row in table
    ]
    return "\n".join(lines + foot)


def _milliseconds(function, rows, batch, repeats):
    """(milliseconds of a call by the place of a row, None for all other nodes; the whole call's)."""
    stats = theano.compile.ProfileStats(atexit_print=False)
    shared = {
        variable: theano.shared(variable.get_value(borrow=False), broadcastable=variable.broadcastable)
        for variable in function.get_shared()
        if isinstance(variable.type, theano.tensor.TensorType)
    }
    measured = function.copy(swap=shared, profile=stats)
    measured(*batch)  # a first call, which chooses the kernels' algorithms, is not counted
    before, start = dict(stats.apply_time), time.perf_counter()
    for _ in range(repeats):
        measured(*batch)
    whole = 1e3 * (time.perf_counter() - start) / repeats
    spent = {}
    for node, seconds in stats.apply_time.items():
        place = getattr(node.tag, "mnist_cnn_place", None)
        place = place if place in rows else None
        spent[place] = spent.get(place, 0) + 1e3 * (seconds - before.get(node, 0)) / repeats
    return spent, whole
