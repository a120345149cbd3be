"""Which layers of a plain Lasagne network go into which fast layer, and why."""
import lasagne
import theano.tensor as T
from lasagne.layers import (Conv2DLayer, DenseLayer, DropoutLayer, GlobalPoolLayer, InputLayer,
                            MaxPool2DLayer, NonlinearityLayer, Pool2DLayer)
from lasagne.nonlinearities import linear, rectify

from .blocks import as_op, pooling_of


_LARGEST_FILTER = 11
# The kernels of a whole stage keep an image and the list of its gradients in the cache.
_LARGEST_STAGE = 64
_POOLS = (MaxPool2DLayer, Pool2DLayer)


class Part(object):
    """A run of plain layers that becomes one layer.

    Attributes
    ----------
    layers : list of Layer
        The run, in its order.
    kind : str or None
        'stage', 'convolution', 'pooling', 'batch norm', 'dense', 'dropout'; None for a single
        layer that stays as it is.
    why : str
        Of the kind.
    options : dict
        Of the fast layer, by the names of its parameters.

    Examples
    --------
    >>> from mnist_cnn.fused.runs import plan
    >>> from mnist_cnn.model import build_cnn
    >>> part = plan([build_cnn()])[1]
    >>> part.kind, [type(layer).__name__ for layer in part.layers]
    ('stage', ['Conv2DLayer', 'MaxPool2DLayer'])
    """

    def __init__(self, layers, kind, why, **options):
        self.layers, self.kind, self.why, self.options = list(layers), kind, why, options


def sources(layer):
    """The layers that feed a layer.

    Examples
    --------
    >>> from mnist_cnn.fused.runs import sources
    >>> from mnist_cnn.model import build_cnn
    >>> network = build_cnn()
    >>> sources(network) == [network.input_layer]
    True
    """
    if hasattr(layer, "input_layers"):
        return [source for source in layer.input_layers if source is not None]
    return [layer.input_layer] if getattr(layer, "input_layer", None) is not None else []


def plan(outputs):
    """The parts of a network.

    Parameters
    ----------
    outputs : list of Layer

    Returns
    -------
    list of Part
        Every layer is in one of them; a part comes after those that feed it.

    Examples
    --------
    >>> from mnist_cnn.fused.runs import plan
    >>> from mnist_cnn.model import build_cnn
    >>> [part.kind for part in plan([build_cnn()])]
    [None, 'stage', 'stage', 'dropout', 'dense', 'dropout', 'dense']
    """
    layers = lasagne.layers.get_all_layers(outputs)
    readers = {layer: [] for layer in layers}
    for layer in layers:
        for source in sources(layer):
            readers[source].append(layer)
    for layer in outputs:
        readers[layer].append(None)

    def only_reader(layer):
        return readers[layer][0] if len(readers[layer]) == 1 else None

    def compared(layer):
        """Whether something after a layer may compare its values, as max-pooling does."""
        return any(not (reader is None or isinstance(reader, (Conv2DLayer, DenseLayer)) or
                        _is_mean(reader) or
                        (type(reader).__name__ in _PASSING and not compared(reader)))
                   for reader in readers[layer])

    parts, placed = [], set()
    for layer in layers:
        if layer not in placed:
            part = _part(layer, only_reader)
            if part.kind == "convolution":
                part.options["ties"] = compared(part.layers[-1])
            if (None in readers[part.layers[-1]] and
                    as_op(part.options.get("nonlinearity")) == dict(nonlinearity="sigmoid")):
                part.options["nonlinearity"] = theanos_sigmoid
            parts.append(part)
            placed.update(part.layers)
    # The order in which the parts' last layers come: then all that feeds a part is before it.
    return sorted(parts, key=lambda part: layers.index(part.layers[-1]))


# Layers that give on what they got, number by number.
_PASSING = {"DropoutLayer", "NonlinearityLayer", "BiasLayer", "BatchNormLayer", "ScaleLayer",
            "ElemwiseSumLayer", "ReshapeLayer", "FlattenLayer", "DimshuffleLayer", "ConcatLayer",
            "PadLayer"}


def theanos_sigmoid(x):
    """Theano's sigmoid in an output layer: where a loss takes its logarithm, Theano knows how.

    Examples
    --------
    >>> from mnist_cnn.fused.runs import theanos_sigmoid
    >>> import theano.tensor as T
    >>> T.log(1 - theanos_sigmoid(T.constant(200.))).eval().item()  # 1 - sigmoid(200) is 0
    -200.0
    """
    return T.nnet.sigmoid(x)


def _is_mean(layer):
    return ((type(layer) in _POOLS and layer.mode != "max") or
            (type(layer) is GlobalPoolLayer and layer.pool_function is T.mean))


def _part(layer, only_reader):
    if type(layer) is Conv2DLayer:
        why_not = _why_not_convolution(layer)
        if why_not:
            return Part([layer], None, why_not)
        pool = only_reader(layer)
        if _is_stage(layer, pool):
            return Part([layer, pool], "stage",
                        "convolution, rectifier and 2x2 max-pooling in one pass")
        return _convolution(layer, only_reader)
    if type(layer) is DenseLayer:
        why_not = _why_not_dense(layer)
        if why_not:
            return Part([layer], None, why_not)
        run, options = _weights_run(layer, only_reader, (0,))
        return Part(run, "dense", "the product skips zeros", **options)
    if type(layer).__name__ == "BatchNormLayer":
        why_not = _why_not_batch_norm(layer, {2: (0,), 4: (0, 2, 3)}.get(len(layer.input_shape)))
        if why_not:
            return Part([layer], None, why_not)
        after = only_reader(layer)
        if type(after) is NonlinearityLayer and as_op(after.nonlinearity) is not None:
            return Part([layer, after], "batch norm", "statistics and nonlinearity in two passes",
                        nonlinearity=after.nonlinearity)
        return Part([layer], "batch norm", "statistics in two passes")
    if type(layer) in _POOLS or type(layer) is GlobalPoolLayer:
        why_not = _why_not_pooling(layer)
        return Part([layer], None if why_not else "pooling", why_not or "channels side by side")
    if type(layer) is DropoutLayer:
        return Part([layer], "dropout", "a faster random generator")
    if type(layer) is InputLayer:
        return Part([layer], None, "nothing to compute")
    return Part([layer], None, "Theano's operations")


def _weights_run(layer, only_reader, axes):
    """The layers that are computed with the one with weights before them: up to a nonlinearity."""
    run, nonlinearity = [layer], layer.nonlinearity
    biases = [] if layer.b is None else [layer.b]
    norm = None
    after = only_reader(layer)
    if nonlinearity in (None, linear):
        while type(after).__name__ == "BiasLayer" and _is_plain_bias(after, axes):
            run.append(after)
            biases += [] if after.b is None else [after.b]
            after = only_reader(after)
        if type(after).__name__ == "BatchNormLayer" and not _why_not_batch_norm(after, axes):
            norm = after
            run.append(after)
            after = only_reader(after)
        if type(after) is NonlinearityLayer and (len(axes) == 1 or
                                                 as_op(after.nonlinearity) is not None):
            nonlinearity = after.nonlinearity
            run.append(after)
    return run, dict(biases=biases, batch_norm=norm, nonlinearity=nonlinearity)


def _convolution(conv, only_reader):
    run, options = _weights_run(conv, only_reader, (0, 2, 3))
    words = ["bias", "nonlinearity"]
    if options["batch_norm"] is not None:
        words = ["batch normalization", "nonlinearity"]
    after = only_reader(run[-1])
    if (type(after) in _POOLS or type(after) is GlobalPoolLayer) and not _why_not_pooling(after):
        run.append(after)
        options["pool"] = after
        words.append("pooling")
        # A maximum of rectified values is the rectified maximum.
        last = only_reader(after)
        swaps = type(last) is NonlinearityLayer and set(as_op(last.nonlinearity) or ()) == {"slope"}
        if (swaps and options["nonlinearity"] in (None, linear) and
                pooling_of(after).mode == "max"):
            run.append(last)
            options["nonlinearity"] = last.nonlinearity
    why = ", ".join(words[:-1]) + " and " + words[-1] + " in the same pass"
    return Part(run, "convolution", why, **options)


def _is_plain_bias(layer, axes):
    return (tuple(layer.shared_axes) == axes and
            (layer.b is None or (layer.b.ndim == 1 and layer.b.dtype == "float32")))


def _why_not_batch_norm(norm, axes):
    if axes is None or tuple(norm.axes) != axes:
        return "normalization over the axes {}".format(tuple(norm.axes))
    for param in (norm.beta, norm.gamma, norm.mean, norm.inv_std):
        if param is not None and (param.dtype != "float32" or param.ndim != 1):
            return "{} is {}".format(param.name or "a parameter", param.type)
    return None


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
    if type(pool) is GlobalPoolLayer:
        if pool.pool_function not in (T.mean, T.max):
            return "the function is not theano.tensor.mean or max"
        if len(pool.input_shape) != 4 or None in pool.input_shape[2:]:
            return "the images' size is not known"
        return None
    if tuple(pool.pad) != (0, 0):
        return "padding {} is not (0, 0)".format(tuple(pool.pad))
    if pool.mode not in ("max", "average_inc_pad", "average_exc_pad"):
        return "the mode {} is not max or average".format(pool.mode)
    return None


def _why_not_dense(dense):
    if getattr(dense, "num_leading_axes", 1) != 1:
        return "more than one leading axis"
    return _why_not_float32(dense)


def _is_stage(conv, pool):
    """Whether a convolution and the pooling layer that reads it alone make one fused stage."""
    return (type(pool) in _POOLS and pool.mode == "max" and
            tuple(pool.pool_size) == tuple(pool.stride) == (2, 2) and
            tuple(pool.pad) == (0, 0) and pool.ignore_border and
            conv.nonlinearity is rectify and conv.b is not None and conv.pad == (0, 0) and
            all(n is not None and conv.filter_size[0] < n <= _LARGEST_STAGE
                for n in conv.input_shape[2:]) and
            len(conv.input_shape) == 4 and conv.input_shape[1] is not None)
