"""A unit's receptive field, and the images that excite it most."""

import lasagne
import numpy as np
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, MaxPool2DLayer

__all__ = ["receptive_field", "top_patches"]


def receptive_field(layer: lasagne.layers.Layer, row: int, column: int) -> tuple[slice, slice]:
    """Find the receptive field of a unit.

    Parameters
    ----------
    layer : lasagne Layer
        A convolution or pooling layer, with only such layers and dropout before it.
    row, column : int
        The unit's position in the layer's map.

    Returns
    -------
    rows, columns : slice
        Of the image, clipped at its edge where a layer pads. A unit of the tutorial's second
        convolution sees 14 x 14 pixels: 5 by its kernel, 10 before the pooling, 14 before the first
        convolution.

    Examples
    --------
    >>> from mnist_cnn.analysis.layers import name_layers
    >>> from mnist_cnn.analysis.patches import receptive_field
    >>> from mnist_cnn.model import build_cnn
    >>> receptive_field(name_layers(build_cnn())["conv 2"], row=0, column=7)
    (slice(0, 14, None), slice(14, 28, None))
    """
    spans = []
    for axis, position in enumerate((row, column)):
        first = last = position
        below = layer
        while not isinstance(below, InputLayer):
            if isinstance(below, (Conv2DLayer, MaxPool2DLayer)):
                size = (below.filter_size if isinstance(below, Conv2DLayer) else below.pool_size)[axis]
                pad = below.pad  # a word or a number for each axis
                pad = {"same": size // 2, "full": size - 1}[pad] if isinstance(pad, str) else pad[axis]
                first = first * below.stride[axis] - pad
                last = last * below.stride[axis] - pad + size - 1
            elif isinstance(below, DenseLayer):
                raise ValueError("a unit of a dense layer sees the whole image")
            below = below.input_layer
        spans.append(slice(max(first, 0), min(last + 1, below.shape[2 + axis])))
    return spans[0], spans[1]


def top_patches(
    layer: lasagne.layers.Layer, maps: np.ndarray, images: np.ndarray, count: int = 9
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the patches of real images that excite each filter of a layer most [1]_.

    Parameters
    ----------
    layer : lasagne Layer
        A convolution or pooling layer.
    maps : array
        Its output for the images, (n, filters, rows, columns).
    images : array
        (n, channels, rows, columns), n at least `count`.
    count : int
        Patches of a filter, each from another image, at the place that excites the filter most.

    Returns
    -------
    patches : array
        (filters, count, channels, rows, columns) of the receptive field, strongest first.
    values : array
        (filters, count), the activations. Where one is 0, the filter was silent and the patch means
        nothing.
    indices : int array
        (filters, count), the indices of the images.

    References
    ----------
    .. [1] M. D. Zeiler, R. Fergus: Visualizing and understanding convolutional networks. ECCV
       2014. https://arxiv.org/abs/1311.2901
    """
    num_images, num_filters, _, num_columns = maps.shape
    flat = maps.reshape(num_images, num_filters, -1)
    positions = flat.argmax(axis=2)
    best = flat.max(axis=2)
    indices = np.argsort(-best, axis=0, kind="stable")[:count].T
    values = np.take_along_axis(best.T, indices, axis=1)
    patches = []
    for unit in range(num_filters):
        for index in indices[unit]:
            rows, columns = receptive_field(layer, *divmod(positions[index, unit], num_columns))
            patches.append(images[index][:, rows, columns])
    return np.reshape(patches, indices.shape + patches[0].shape), values, indices
