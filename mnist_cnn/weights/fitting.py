"""Match the arrays of a file of weights to a network's parameters, and read the file's data card."""

from collections.abc import Sequence
from pathlib import Path

import lasagne
import numpy as np
from lasagne.layers import DenseLayer

from ..datasets.card import DataCard, number_names
from ..system.errors import MnistCnnError
from .layouts import LASAGNE, LAYOUTS, Layout
from .reading import Stored, open_weights

__all__ = ["match", "read_weights", "read_card"]

MAX_NAMED = 10  # arrays, in a message

#: Larger weights are rejected: activations could overflow to NaN, which the rectifier would turn into 0.
MAX_WEIGHT = 1e6


def match(stored: Stored, shapes: Sequence[tuple[int, ...]], path: Path | str) -> tuple[list[str], Layout]:
    """Match the arrays of a file to a network's parameters by their shapes.

    Parameters
    ----------
    stored : Stored
    shapes : list of tuples
        The parameters' shapes, in the network's order.
    path : path-like
        The file, for a message.

    Returns
    -------
    names : list of str
        The array for each parameter.
    layout : Layout
        The layout of the file's arrays.

    Raises
    ------
    MnistCnnError
        When the numbers of arrays differ, or no array has a parameter's shape.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.weights.fitting import match
    >>> from mnist_cnn.weights.reading import open_weights
    >>> np.savez("weights.npz", bias=np.zeros(10), weight=np.zeros((10, 256)))
    >>> names, layout = match(open_weights("weights.npz"), [(256, 10), (10,)], "weights.npz")
    >>> names, layout.name
    (['weight', 'bias'], 'PyTorch')
    """
    layouts = LAYOUTS if stored.layout is None else (stored.layout,)
    layout, names, left = min(
        ((layout, *_assign(stored.shapes, map(layout.shape, shapes))) for layout in layouts),
        key=lambda found: found[1].count(None),
    )
    if len(stored.shapes) != len(shapes):
        there = ["{} {}".format(name, shape) for name, shape in stored.shapes.items()]
        raise MnistCnnError(
            "{} does not fit the network: it holds {} arrays, not {}: {}{}".format(
                path,
                len(there),
                len(shapes),
                ", ".join(there[:MAX_NAMED]),
                " and others" if len(there) > MAX_NAMED else "",
            )
        )
    if None in names:
        wanted = layout.shape(shapes[names.index(None)])
        name = min(left, key=lambda name: len(left[name]) != len(wanted))
        raise MnistCnnError(
            "{} does not fit the network: {} has shape {}, not {}{}".format(
                path, name, left[name], wanted, "" if layout is LASAGNE else " as {} has it".format(layout.name)
            )
        )
    return names, layout


def _assign(stored, shapes):
    """Find an array of each shape, or None; return also the shapes of the arrays that are left."""
    left, names = dict(stored), []
    for shape in shapes:
        names.append(next((name for name in left if left[name] == shape), None))
        left.pop(names[-1], None)
    return names, left


def read_weights(path: Path | str, network: lasagne.layers.Layer) -> list[np.ndarray]:
    """Read weights from a file, in the order and the layout of a network's parameters.

    Parameters
    ----------
    path : path-like
        A file as `mnist_cnn.weights.reading.open_weights` reads it.
    network : lasagne Layer
        The output layer of a network that fits the weights; it is not changed.

    Returns
    -------
    list of arrays
        In the parameters' dtype.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or does not fit the network, or its magnitudes exceed 1e6.
    """
    params = lasagne.layers.get_all_params(network)
    # the input shape of a dense layer behind a convolution: maps, rows, columns
    maps = {
        layer.W: layer.input_shape[1:]
        for layer in lasagne.layers.get_all_layers(network)
        if isinstance(layer, DenseLayer) and len(layer.input_shape) == 4
    }
    stored = open_weights(path)
    names, layout = match(stored, [param.get_value(borrow=True).shape for param in params], path)
    arrays = [layout.to_lasagne(array, maps.get(param)) for array, param in zip(stored.load(names), params)]
    with np.errstate(over="ignore"):  # checked below
        weights = [array.astype(param.dtype) for array, param in zip(arrays, params)]
    for name, given, array in zip(names, arrays, weights):
        if given.dtype.kind != "f":
            raise MnistCnnError(
                "{} holds no usable weights: {} has dtype {}, not float32".format(path, name, given.dtype)
            )
        if not np.isfinite(given).all():
            raise MnistCnnError("{} holds no usable weights: {} holds NaN or infinity".format(path, name))
        if not (np.abs(array) <= MAX_WEIGHT).all():
            raise MnistCnnError(
                "{} holds no usable weights: numbers of {} are greater than {:g}".format(path, name, MAX_WEIGHT)
            )
    return weights


def read_card(path: Path | str) -> DataCard:
    """Read the data card of a model.

    Parameters
    ----------
    path : path-like
        A file of weights, as `mnist_cnn.weights.reading.open_weights` reads it.

    Returns
    -------
    mnist_cnn.datasets.card.DataCard
        Without a card in the file, as in the tutorial's files, one with the weights' image shape and
        number of classes, without name and fingerprint.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or its card is invalid.
    """
    stored = open_weights(path)
    if not stored.comment:
        return _card_of_shapes(stored)
    try:
        return DataCard.from_json(stored.comment)
    except (ValueError, RecursionError, MnistCnnError) as error:  # ValueError: not JSON or not ASCII
        raise MnistCnnError(
            "{} is not a file that train.py saved: its data card is invalid ({})".format(
                path, " ".join(str(error).split())
            )
        ) from error


def _card_of_shapes(stored):
    """Infers image shape and number of classes from the weights' shapes; MNIST's where they do not tell."""
    shapes = stored.shapes.values()
    filters, dense = ([shape for shape in shapes if len(shape) == dims] for dims in (4, 2))
    if len(shapes) == 8 and (len(filters), len(dense)) == (2, 2):
        for layout in LAYOUTS if stored.layout is None else (stored.layout,):
            channels = filters[0][layout.filters[1]]
            inputs, classes = (dense[0][1], dense[1][0]) if layout.transposed else (dense[0][0], dense[1][1])
            side = round((inputs // 32) ** 0.5)  # of the second pooling's maps
            try:
                card = DataCard(None, (channels, 4 * side + 12, 4 * side + 12), number_names(classes))
            except MnistCnnError:
                continue
            wanted = [
                (32, channels, 5, 5),
                (32,),
                (32, 32, 5, 5),
                (32,),
                (32 * side**2, 256),
                (256,),
                (256, classes),
                (classes,),
            ]
            if sorted(map(layout.shape, wanted)) == sorted(shapes):
                return card
    return DataCard()
