"""A network's layers and their activations, as arrays."""

import copy
from collections.abc import Callable

import lasagne
import numpy as np
import theano
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, MaxPool2DLayer

from ..predict import join_finite

__all__ = ["as_laid_on", "name_layers", "compile_activations", "with_input_shape", "without_nonlinearity"]


def as_laid_on(kernels: np.ndarray) -> np.ndarray:
    """Turn kernels by 180 degrees, so that a kernel looks like the pattern that it finds.

    Theano's convolution turns the stored kernels before it multiplies. The tutorial's own figure shows
    the arrays as they are stored; all others, and the explorer page, show them turned.

    Parameters
    ----------
    kernels : array
        (..., rows, columns).

    Returns
    -------
    array
        A view of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.layers import as_laid_on
    >>> as_laid_on(np.array([[1, 2], [3, 4]])).tolist()
    [[4, 3], [2, 1]]
    """
    return kernels[..., ::-1, ::-1]


def name_layers(network: lasagne.layers.Layer) -> dict[str, lasagne.layers.Layer]:
    """Name the layers of a network.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    dict of str to lasagne Layer
        In order from the input: ``input``, ``conv 1``, ``pool 1``, ``conv 2``, ``pool 2``,
        ``dense``, ``output``; without dropout, which does nothing outside training.
    """
    layers = {}
    counts = {}
    for layer in lasagne.layers.get_all_layers(network):
        for kind, word in (
            (InputLayer, "input"),
            (Conv2DLayer, "conv"),
            (MaxPool2DLayer, "pool"),
            (DenseLayer, "dense"),
        ):
            if isinstance(layer, kind):
                counts[word] = counts.get(word, 0) + 1
                name = word if word in ("input", "dense") and counts[word] == 1 else "{} {}".format(word, counts[word])
                layers["output" if layer is network else name] = layer
    return layers


def without_nonlinearity(layer: lasagne.layers.Layer) -> lasagne.layers.Layer:
    """Copy a layer without its nonlinearity; the copy shares parameters and input.

    The gradient of a rectifier is zero where the unit is silent, and that of softmax where the network
    is sure. So gradient ascent and attribution use the weighted sums before them.

    Parameters
    ----------
    layer : lasagne Layer
        A convolution or a dense layer; not changed.

    Returns
    -------
    lasagne Layer
    """
    linear = copy.copy(layer)  # shares W and b
    linear.nonlinearity = lasagne.nonlinearities.linear
    return linear


def compile_activations(network: lasagne.layers.Layer) -> Callable[..., dict[str, np.ndarray]]:
    """Compile a function from images to the output of every layer.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    callable
        ``activations(images, names, batch_size=500)`` takes images (n, channels, rows, columns) and
        names of `name_layers`. It returns a dict of arrays (n, maps, rows, columns) or (n, units),
        after each layer's nonlinearity and without dropout, computed in batches.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.layers import compile_activations
    >>> from mnist_cnn.model import build_cnn
    >>> activations = compile_activations(build_cnn())
    >>> images = np.zeros((2, 1, 28, 28), np.float32)
    >>> {name: array.shape for name, array in activations(images, ["conv 1", "dense"]).items()}
    {'conv 1': (2, 32, 24, 24), 'dense': (2, 256)}
    """
    layers = name_layers(network)
    outputs = lasagne.layers.get_output(list(layers.values()), deterministic=True)
    compute = theano.function([layers["input"].input_var], outputs)

    def activations(images, names=tuple(layers), batch_size=500):
        unknown = set(names) - set(layers)
        if unknown:
            raise ValueError("no layers {}; the layers are {}".format(sorted(unknown), list(layers)))
        parts = {name: [] for name in names}
        for start in range(0, len(images), batch_size):
            batch = dict(zip(layers, compute(images[start : start + batch_size])))
            for name in names:
                parts[name].append(batch[name])
        return {name: join_finite(arrays) for name, arrays in parts.items()}

    return activations


def with_input_shape(layer: lasagne.layers.Layer, shape: tuple[int | None, ...]) -> lasagne.layers.Layer:
    """Copy a layer and all below it for images of another shape; the copies share the parameters.

    Parameters
    ----------
    layer : lasagne Layer
        A layer of a network without branches.
    shape : tuple of int
        The shape of a batch of images.

    Returns
    -------
    lasagne Layer

    Examples
    --------
    >>> from mnist_cnn.analysis.layers import with_input_shape
    >>> from lasagne.layers import InputLayer, MaxPool2DLayer
    >>> pool = MaxPool2DLayer(InputLayer((None, 1, 28, 28)), 2)
    >>> with_input_shape(pool, (1, 1, 6, 6)).output_shape
    (1, 1, 3, 3)
    """
    if isinstance(layer, InputLayer):
        return InputLayer(shape)
    smaller = copy.copy(layer)
    smaller.input_layer = with_input_shape(layer.input_layer, shape)
    smaller.input_shape = smaller.input_layer.output_shape
    return smaller
