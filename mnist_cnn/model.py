"""The tutorial's network, and its weights on disk."""

import lasagne
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax

from .compat import require_compiler, use_float32
from .storage.npz import write_npz
from .system.errors import MnistCnnError
from .weights.fitting import read_card, read_weights

__all__ = ["build_cnn", "save_weights", "load_weights", "load_model"]

use_float32()  # as the tutorial's .theanorc does; the user's own setting wins


def build_cnn(input_var=None, dropout=0.5, shape=(1, 28, 28), num_classes=10):
    """Build the tutorial's convolutional network.

    Parameters
    ----------
    input_var : Theano 4D tensor, optional
        Images, (batch,) + `shape`, in [0, 1]; made if not given.
    dropout : float
        Probability that training drops a feature before each dense layer, in [0, 1).
    shape : tuple of int
        Channels, rows and columns of an image, at least 16 rows and columns; CIFAR-10 has (3, 32, 32).
    num_classes : int
        How many classes there are, at least 2.

    Returns
    -------
    lasagne Layer
        The output layer: probabilities of the classes, (batch, `num_classes`).

    Raises
    ------
    MnistCnnError
        When `shape` or `num_classes` is out of range, or Theano lacks a compiler or Python's headers.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn
    >>> import lasagne
    >>> network = build_cnn()
    >>> network.output_shape
    (None, 10)
    >>> [array.shape for array in lasagne.layers.get_all_param_values(network)]
    [(32, 1, 5, 5), (32,), (32, 32, 5, 5), (32,), (512, 256), (256,), (256, 10), (10,)]
    """
    if len(shape) != 3 or shape[0] < 1 or min(shape[1:]) < 16:
        raise MnistCnnError("shape is {}, not (channels, rows >= 16, columns >= 16)".format(tuple(shape)))
    if num_classes < 2:
        raise MnistCnnError("num_classes is {}, not at least 2".format(num_classes))
    require_compiler()
    network = InputLayer((None,) + tuple(shape), input_var)
    network = Conv2DLayer(
        network, num_filters=32, filter_size=(5, 5), nonlinearity=rectify, W=lasagne.init.GlorotUniform()
    )
    network = MaxPool2DLayer(network, pool_size=(2, 2))
    network = Conv2DLayer(
        network, num_filters=32, filter_size=(5, 5), nonlinearity=rectify, W=lasagne.init.GlorotUniform()
    )
    network = MaxPool2DLayer(network, pool_size=(2, 2))
    network = DenseLayer(DropoutLayer(network, p=dropout), num_units=256, nonlinearity=rectify)
    network = DenseLayer(DropoutLayer(network, p=dropout), num_units=num_classes, nonlinearity=softmax)
    return network


def save_weights(path, weights, card=None):
    """Write a network's weights to an npz file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists. MnistCnnError where it cannot be written.
    weights : list of arrays
        As `lasagne.layers.get_all_param_values` gives them; stored as ``arr_0``, ``arr_1``, ...
    card : mnist_cnn.datasets.card.DataCard, optional
        Their data card; stored as the comment of the npz file, a zip archive.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.model import save_weights
    >>> save_weights("weights.npz", [np.zeros((2, 3)), np.ones(3)])
    >>> sorted(np.load("weights.npz").files)
    ['arr_0', 'arr_1']
    """
    arrays = {"arr_{}".format(i): array for i, array in enumerate(weights)}
    write_npz(path, arrays, b"" if card is None else card.to_json())


def load_weights(path, network):
    """Read weights from a file and set a network's parameters to them.

    Parameters
    ----------
    path : path-like
        As `save_weights`, ``np.savez``, nolearn, Keras or PyTorch write it; MnistCnnError where it
        does not fit the network.
    network : lasagne Layer
        The output layer of a network with the weights' shapes.

    Returns
    -------
    list of arrays

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn, load_weights, save_weights
    >>> import lasagne
    >>> network, copy = build_cnn(), build_cnn()
    >>> save_weights("weights.npz", lasagne.layers.get_all_param_values(network))
    >>> weights = load_weights("weights.npz", copy)
    >>> (copy.W.get_value() == network.W.get_value()).all()
    True
    """
    weights = read_weights(path, network)
    lasagne.layers.set_all_param_values(network, weights)
    return weights


def load_model(path, input_var=None):
    """Build the network that a file of weights belongs to, and set its weights.

    Parameters
    ----------
    path, input_var
        As for `load_weights` and `build_cnn`.

    Returns
    -------
    network : lasagne Layer
        The output layer.
    card : mnist_cnn.datasets.card.DataCard
        The file's data card.
    """
    card = read_card(path)
    network = build_cnn(input_var, shape=card.shape, num_classes=len(card.classes))
    load_weights(path, network)
    return network, card
