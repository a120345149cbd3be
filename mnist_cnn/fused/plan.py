"""From a plain Lasagne network to an equal one of fast layers."""
import copy

import lasagne
import theano.tensor as T
from lasagne.layers import (Conv2DLayer, DenseLayer, DropoutLayer, GlobalPoolLayer, InputLayer,
                            MaxPool2DLayer, Pool2DLayer)
from lasagne.nonlinearities import rectify
from lasagne.random import get_rng

from .layers import (ConvReluPool2DLayer, FastConv2DLayer, FastGlobalPoolLayer, FastPool2DLayer,
                     PhiloxStreams, SparseDenseLayer, available, why_not)

__all__ = ["explain", "fuse", "is_fused"]

_FAST = (ConvReluPool2DLayer, FastConv2DLayer, FastPool2DLayer, FastGlobalPoolLayer,
         SparseDenseLayer)
_LARGEST_FILTER = 11
# The kernels of a whole stage keep an image and the list of its gradients in the cache.
_LARGEST_STAGE = 64


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
        max-pooling alone becomes, with it, one `ConvReluPool2DLayer`; other square convolutions
        of stride 1 become `FastConv2DLayer`, poolings `FastPool2DLayer` and
        `FastGlobalPoolLayer`, every `DenseLayer` a `SparseDenseLayer`; `DropoutLayer` keeps its
        probability and draws from `PhiloxStreams`; every other layer is a copy. `explain` says
        which is which, and why. `network` itself stays as it was, and is returned as it is where
        `available` says no.

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
    layers = lasagne.layers.get_all_layers(outputs)
    plan = {layer: (kind, why) for layer, kind, why in _plan(outputs)}
    read_channels_last = [
        source for layer, (kind, _) in plan.items()
        if kind in ("stage", "convolution", "pooling", "global pooling")
        for source in _sources(layer.input_layer if kind == "stage" else layer)]

    fused = {}
    for layer in layers:
        kind, _ = plan[layer]
        if kind == "within":
            continue
        if kind == "stage":
            conv = layer.input_layer
            fused[layer] = ConvReluPool2DLayer(fused[conv.input_layer], conv,
                                               channels_last=layer in read_channels_last,
                                               name=layer.name)
        elif kind == "convolution":
            fused[layer] = FastConv2DLayer(fused[layer.input_layer], layer, name=layer.name)
        elif kind == "pooling":
            fused[layer] = FastPool2DLayer(fused[layer.input_layer], layer, name=layer.name)
        elif kind == "global pooling":
            fused[layer] = FastGlobalPoolLayer(fused[layer.input_layer], layer, name=layer.name)
        elif kind == "dense":
            fused[layer] = SparseDenseLayer(fused[layer.input_layer], layer, name=layer.name)
        else:
            new = fused[layer] = copy.copy(layer)
            if getattr(layer, "input_layer", None) is not None:
                new.input_layer = fused[layer.input_layer]
            if hasattr(layer, "input_layers"):
                new.input_layers = [fused.get(source) for source in layer.input_layers]
            if kind == "dropout":
                new._srng = PhiloxStreams(get_rng().randint(1, 2147462579))
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


def explain(network):
    """Say what `fuse` makes of each layer, and why.

    Parameters
    ----------
    network : Layer, or list of Layer
        The output layer(s) of a plain Lasagne network.

    Returns
    -------
    str
        A table with a line a layer: its name or class, its output's shape, what it becomes, why.

    Examples
    --------
    >>> from mnist_cnn.fused import explain
    >>> from lasagne.layers import Conv2DLayer, InputLayer
    >>> print(explain(Conv2DLayer(InputLayer((None, 1, 28, 28)), 32, 5, stride=2)))
    layer        output           becomes  why
    InputLayer   (*, 1, 28, 28)   itself   nothing to compute
    Conv2DLayer  (*, 32, 12, 12)  itself   stride (2, 2) is not (1, 1)
    """
    outputs = list(network) if isinstance(network, (list, tuple)) else [network]
    reason = why_not()
    rows = [("layer", "output", "becomes", "why")]
    for layer, kind, why in _plan(outputs):
        shape = "({})".format(", ".join("*" if n is None else str(n) for n in layer.output_shape))
        becomes = _BECOMES.get(kind, "itself")
        if reason:
            becomes, why = "itself", reason
        rows.append((layer.name or type(layer).__name__, shape, becomes, why))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    return "\n".join("  ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[3]])
                     for row in rows)


_BECOMES = {"within": "part of the next", "stage": "ConvReluPool2DLayer",
            "convolution": "FastConv2DLayer", "pooling": "FastPool2DLayer",
            "global pooling": "FastGlobalPoolLayer", "dense": "SparseDenseLayer",
            "dropout": "itself, new masks"}


def _plan(outputs):
    """For each layer: (layer, kind, why), where kind is a key of `_BECOMES` or None."""
    layers = lasagne.layers.get_all_layers(outputs)
    consumers = {}
    for layer in layers:
        for source in _sources(layer):
            consumers[source] = consumers.get(source, 0) + 1
    for layer in outputs:
        consumers[layer] = consumers.get(layer, 0) + 1
    stages = [layer for layer in layers if _is_stage(layer, consumers)]
    within = [pool.input_layer for pool in stages]

    def judge(layer):
        if layer in stages:
            return "stage", "convolution, rectifier and 2x2 max-pooling in one pass"
        if layer in within:
            return "within", ""
        if type(layer) is Conv2DLayer:
            return _judge(_why_not_convolution(layer), "convolution",
                          "bias and nonlinearity in the same pass")
        if type(layer) in (MaxPool2DLayer, Pool2DLayer):
            return _judge(_why_not_pooling(layer), "pooling", "channels side by side")
        if type(layer) is GlobalPoolLayer:
            return _judge(_why_not_global_pooling(layer), "global pooling", "channels side by side")
        if type(layer) is DenseLayer:
            return _judge(_why_not_dense(layer), "dense", "the product skips zeros")
        if type(layer) is DropoutLayer:
            return "dropout", "a faster random generator"
        if type(layer) is InputLayer:
            return None, "nothing to compute"
        return None, "Theano's operations"

    return [(layer,) + judge(layer) for layer in layers]


def _judge(why_not, kind, why):
    return (None, why_not) if why_not else (kind, why)


def _why_not_convolution(conv):
    if tuple(conv.stride) != (1, 1):
        return "stride {} is not (1, 1)".format(tuple(conv.stride))
    if conv.filter_size[0] != conv.filter_size[1]:
        return "filters of {}x{} are not square".format(*conv.filter_size)
    if conv.filter_size[0] > _LARGEST_FILTER:
        return "filters are larger than {0}x{0}".format(_LARGEST_FILTER)
    if conv.b is not None and conv.untie_biases:
        return "a bias for each pixel"
    if conv.convolution is not T.nnet.conv2d:
        return "a convolution function of its own"
    if not getattr(conv, "flip_filters", True):
        return "filters are not flipped"
    if getattr(conv, "num_groups", 1) != 1:
        return "groups of channels"
    return _why_not_float32(conv)


def _why_not_float32(layer):
    for param in (layer.W, layer.b):
        if param is not None and param.dtype != "float32":
            return "{} is {}".format(param.name or "a parameter", param.dtype)
    return None


def _why_not_pooling(pool):
    if tuple(pool.pad) != (0, 0):
        return "padding {} is not (0, 0)".format(tuple(pool.pad))
    if pool.mode not in ("max", "average_inc_pad", "average_exc_pad"):
        return "the mode {} is not max or average".format(pool.mode)
    return None


def _why_not_global_pooling(pool):
    if pool.pool_function is not T.mean:
        return "the function is not theano.tensor.mean"
    if len(pool.input_shape) != 4 or None in pool.input_shape[2:]:
        return "the images' size is not known"
    return None


def _why_not_dense(dense):
    if getattr(dense, "num_leading_axes", 1) != 1:
        return "more than one leading axis"
    return _why_not_float32(dense)


def _is_stage(pool, consumers):
    """Whether a pooling layer and the one before it make one fused stage."""
    conv = getattr(pool, "input_layer", None)
    return (type(pool) in (MaxPool2DLayer, Pool2DLayer) and pool.mode == "max" and
            tuple(pool.pool_size) == tuple(pool.stride) == (2, 2) and
            tuple(pool.pad) == (0, 0) and pool.ignore_border and
            type(conv) is Conv2DLayer and consumers.get(conv) == 1 and
            _why_not_convolution(conv) is None and
            conv.nonlinearity is rectify and conv.b is not None and conv.pad == (0, 0) and
            all(n is not None and conv.filter_size[0] < n <= _LARGEST_STAGE
                for n in conv.input_shape[2:]) and
            len(conv.input_shape) == 4 and conv.input_shape[1] is not None)


def _sources(layer):
    if hasattr(layer, "input_layers"):
        return [source for source in layer.input_layers if source is not None]
    return [layer.input_layer] if getattr(layer, "input_layer", None) is not None else []
