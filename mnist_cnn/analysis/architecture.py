"""A network's layers as a table: what each gives, and how many numbers it learns."""

from collections import namedtuple

import lasagne
import numpy as np

__all__ = ["Row", "layer_rows", "summary_table"]

#: A layer: its name, what it is, its output's shape without the batch, its learned numbers.
Row = namedtuple("Row", "name kind shape parameters")


def layer_rows(network):
    """List a network's layers in order from the input.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    list of Row
    """
    rows = []
    for number, layer in enumerate(lasagne.layers.get_all_layers(network)):
        kind = type(layer).__name__.replace("Layer", "")
        for word in ("filter_size", "pool_size", "p"):
            value = getattr(layer, word, None)
            if value is not None:
                kind += " {}".format(value if word == "p" else "{} x {}".format(*value))
        name = layer.name or str(number)
        rows.append(Row(name, kind, tuple(layer.output_shape[1:]),
                        sum(int(np.prod(param.get_value(borrow=True).shape))
                            for param in layer.params)))
    return rows


def summary_table(network):
    """Format a network's layers for print.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    str
        A line a layer, and the sum.
    """
    rows = layer_rows(network)
    lines = ["{:>3}  {:18}{:16}{:>12}".format("", "layer", "output", "parameters")]
    lines += ["{:>3}  {:18}{:16}{:>12,}".format(
        row.name, row.kind, " x ".join(map(str, row.shape)), row.parameters) for row in rows]
    lines.append("{:>3}  {:34}{:>12,}".format("", "all", sum(row.parameters for row in rows)))
    return "\n".join(lines)
