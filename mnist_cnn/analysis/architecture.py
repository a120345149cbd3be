"""A network's layers as a table: their output shapes and numbers of parameters."""

from collections import namedtuple

import lasagne
import numpy as np

__all__ = ["Row", "layer_rows", "summary_table"]

#: A layer: its name, kind, output shape without the batch axis, number of learned parameters.
Row = namedtuple("Row", "name kind shape parameters")


def layer_rows(network: lasagne.layers.Layer) -> list[Row]:
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
        parameters = sum(int(np.prod(param.get_value(borrow=True).shape)) for param in layer.params)
        rows.append(Row(name, kind, tuple(layer.output_shape[1:]), parameters))
    return rows


def summary_table(network: lasagne.layers.Layer) -> str:
    """Format a network's layers as a table.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    str
        A line for each layer, and the sum.

    Examples
    --------
    >>> from mnist_cnn.analysis.architecture import summary_table
    >>> from mnist_cnn.model import build_cnn
    >>> print(summary_table(build_cnn()))
         layer             output            parameters
      0  Input             1 x 28 x 28                0
      1  Conv2D 5 x 5      32 x 24 x 24             832
      2  MaxPool2D 2 x 2   32 x 12 x 12               0
      3  Conv2D 5 x 5      32 x 8 x 8            25,632
      4  MaxPool2D 2 x 2   32 x 4 x 4                 0
      5  Dropout 0.5       32 x 4 x 4                 0
      6  Dense             256                  131,328
      7  Dropout 0.5       256                        0
      8  Dense             10                     2,570
         all                                    160,362
    """
    rows = layer_rows(network)
    lines = ["{:>3}  {:18}{:16}{:>12}".format("", "layer", "output", "parameters")]
    lines += [
        "{:>3}  {:18}{:16}{:>12,}".format(row.name, row.kind, " x ".join(map(str, row.shape)), row.parameters)
        for row in rows
    ]
    lines.append("{:>3}  {:34}{:>12,}".format("", "all", sum(row.parameters for row in rows)))
    return "\n".join(lines)
