"""From a plain Lasagne network to an equal one of fast layers."""
import copy

import lasagne
from lasagne.random import get_rng

from .blocks import FastBatchNormLayer, FastConv2DLayer, FastPool2DLayer, SparseDenseLayer
from .layers import ConvReluPool2DLayer, PhiloxStreams, available, why_not
from .profile import profile
from .runs import plan, sources

__all__ = ["explain", "fuse", "is_fused"]

_BLOCKS = {"convolution": FastConv2DLayer, "pooling": FastPool2DLayer,
           "batch norm": FastBatchNormLayer, "dense": SparseDenseLayer}
_FAST = tuple(_BLOCKS.values()) + (ConvReluPool2DLayer,)


def fuse(network):
    """The equal network of fast layers.

    Parameters
    ----------
    network : Layer, or list of Layer
        The output layer(s) of a plain Lasagne network.

    Returns
    -------
    Layer, or list of Layer
        New layers **with the same shared parameters**: training either network trains both.
        A square convolution of stride 1 without padding whose rectified output goes into a 2x2
        max-pooling alone becomes, with it, one `ConvReluPool2DLayer`. Other square convolutions
        of stride 1 become `FastConv2DLayer`, and every `DenseLayer` a `SparseDenseLayer`, with
        the biases, the batch normalization (of Lasagne's master), the nonlinearity and the
        pooling that follow. Other poolings become `FastPool2DLayer`, other batch normalizations
        `FastBatchNormLayer`; `DropoutLayer` keeps its probability and draws from
        `PhiloxStreams`; every other layer is a copy. `explain` says which is which, and why.
        `network` itself stays as it was, and is returned as it is where `available` says no.

    Examples
    --------
    >>> from mnist_cnn.fused import fuse
    >>> from mnist_cnn.model import build_cnn
    >>> network = build_cnn()
    >>> fast = fuse(network)
    >>> type(fast).__name__, fast.W is network.W
    ('SparseDenseLayer', True)
    """
    if not available():
        return network
    outputs = list(network) if isinstance(network, (list, tuple)) else [network]
    parts = plan(outputs)
    read_channels_last = [source for part in parts
                          if part.kind in ("stage", "convolution", "pooling", "batch norm")
                          for source in sources(part.layers[0])]

    fused = {}
    for part in parts:
        first, last = part.layers[0], part.layers[-1]
        name = last.name
        if part.kind == "stage":
            new = ConvReluPool2DLayer(fused[first.input_layer], first, name=name,
                                      channels_last=last in read_channels_last)
        elif part.kind in _BLOCKS:
            new = _BLOCKS[part.kind](fused[first.input_layer], part.layers, name=name,
                                     **part.options)
        else:
            new = copy.copy(last)
            if getattr(last, "input_layer", None) is not None:
                new.input_layer = fused[last.input_layer]
            if hasattr(last, "input_layers"):
                new.input_layers = [fused.get(source) for source in last.input_layers]
            if part.kind == "dropout":
                new._srng = PhiloxStreams(get_rng().randint(1, 2147462579))
        fused[last] = new
    result = [fused[layer] for layer in outputs]
    return result if isinstance(network, (list, tuple)) else result[0]


def is_fused(network):
    """Whether a network has fast layers.

    Parameters
    ----------
    network : Layer, or list of Layer
        The output layer(s).

    Returns
    -------
    bool

    Examples
    --------
    >>> from mnist_cnn.fused import fuse, is_fused
    >>> from mnist_cnn.model import build_cnn
    >>> is_fused(build_cnn()), is_fused(fuse(build_cnn()))
    (False, True)
    """
    return any(isinstance(layer, _FAST) for layer in lasagne.layers.get_all_layers(network))


def explain(network, batch_size=None):
    """Say what `fuse` makes of each layer, and why.

    Parameters
    ----------
    network : Layer, or list of Layer
        The output layer(s) of a plain Lasagne network.
    batch_size : int, optional
        With it, the table also has the milliseconds that such a batch takes (`profile`).

    Returns
    -------
    str
        A table with a line a layer: its name or class, its output's shape, what it becomes, why.

    Examples
    --------
    >>> from mnist_cnn import model  # sets float32
    >>> from mnist_cnn.fused import explain
    >>> from lasagne.layers import Conv2DLayer, InputLayer
    >>> print(explain(Conv2DLayer(InputLayer((None, 1, 28, 28)), 32, 5, stride=2)))
    layer        output           becomes  why
    InputLayer   (*, 1, 28, 28)   itself   nothing to compute
    Conv2DLayer  (*, 32, 12, 12)  itself   stride (2, 2) is not (1, 1)
    """
    outputs = list(network) if isinstance(network, (list, tuple)) else [network]
    reason = why_not()
    parts = plan(outputs)
    head, times, foot = [], {}, []
    if batch_size is not None and not reason:
        head, times, foot = profile(fuse(outputs), parts, batch_size)
    rows = [["layer", "output", "becomes"] + head + ["why"]]
    for part in parts:
        for layer in part.layers:
            whole = layer is part.layers[-1]
            shape = ", ".join("*" if n is None else str(n) for n in layer.output_shape)
            becomes, why = _BECOMES.get(part.kind, "itself"), part.why
            if not whole:
                becomes, why = "part of the next", ""
            if reason:
                becomes, why = "itself", reason
            rows.append([layer.name or type(layer).__name__, "({})".format(shape), becomes] +
                        times.get(part if whole else None, [""] * len(head)) + [why])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    lines = ["  ".join([cell.rjust(width) if 3 <= k < len(row) - 1 else cell.ljust(width)
                        for k, (cell, width) in enumerate(zip(row, widths))] + [row[-1]]).rstrip()
             for row in rows]
    return "\n".join(lines + foot)


_BECOMES = dict({kind: block.__name__ for kind, block in _BLOCKS.items()},
                stage="ConvReluPool2DLayer", dropout="itself, new masks")
