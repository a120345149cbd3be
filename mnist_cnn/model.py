"""The network, and its weights on disk."""

import lasagne
import numpy as np
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax

from .compat import require_compiler, use_float32
from .support.errors import MnistCnnError
from .support.files import read_npz, write_npz

__all__ = ["build_cnn", "save_weights", "load_weights"]

use_float32()  # as the tutorial's .theanorc does; what the user set wins


def build_cnn(input_var=None, dropout=0.5, shape=(1, 28, 28), num_classes=10):
    """Build the tutorial's convolutional network.

    Parameters
    ----------
    input_var : Theano 4D tensor, optional
        Images, (batch,) + `shape`, in [0, 1]; made if not given.
    dropout : float
        Probability that training drops a feature before each dense layer, in [0, 1).
    shape : tuple of int
        Channels, rows and columns of an image; at least 16 rows and columns. Colour images of
        CIFAR-10 have (3, 32, 32).
    num_classes : int
        How many classes there are, at least 2.

    Returns
    -------
    lasagne Layer
        The output layer: probabilities of the classes, (batch, `num_classes`).

    Raises
    ------
    MnistCnnError
        When `shape` or `num_classes` is out of range, or Theano lacks a C++ compiler or Python's
        header files.
    """
    if len(shape) != 3 or shape[0] < 1 or min(shape[1:]) < 16:
        raise MnistCnnError("shape is {}, not (channels, rows, columns) with at least 16 rows and "
                            "columns".format(tuple(shape)))
    if num_classes < 2:
        raise MnistCnnError("num_classes is {}, not at least 2".format(num_classes))
    require_compiler()
    network = InputLayer((None,) + tuple(shape), input_var)

    network = Conv2DLayer(network, num_filters=32, filter_size=(5, 5), nonlinearity=rectify,
                          W=lasagne.init.GlorotUniform())
    network = MaxPool2DLayer(network, pool_size=(2, 2))

    network = Conv2DLayer(network, num_filters=32, filter_size=(5, 5), nonlinearity=rectify,
                          W=lasagne.init.GlorotUniform())
    network = MaxPool2DLayer(network, pool_size=(2, 2))

    network = DenseLayer(DropoutLayer(network, p=dropout), num_units=256, nonlinearity=rectify)
    network = DenseLayer(DropoutLayer(network, p=dropout), num_units=num_classes,
                         nonlinearity=softmax)
    return network


def save_weights(path, weights):
    """Write a network's weights to an npz file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists.
    weights : list of arrays
        As `lasagne.layers.get_all_param_values` gives them; stored as ``arr_0``, ``arr_1``, ...

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    write_npz(path, {"arr_{}".format(i): array for i, array in enumerate(weights)})


def load_weights(path, network):
    """Read weights from an npz file and set a network's parameters to them.

    Parameters
    ----------
    path : path-like
        A file as `save_weights` or ``np.savez(file, *weights)`` writes it.
    network : lasagne Layer
        The output layer of a network of the shape that the weights were learned by.

    Returns
    -------
    list of arrays
        The weights, in the parameters' dtype.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or does not fit the network; the network is then unchanged.
    """
    params = lasagne.layers.get_all_params(network)
    wanted = {"arr_{}".format(i): ("fd", param.get_value(borrow=True).shape)
              for i, param in enumerate(params)}
    arrays = read_npz(path, wanted)
    with np.errstate(over="ignore"):  # said below
        weights = [arrays[name].astype(param.dtype) for name, param in zip(wanted, params)]
    for name, array in zip(wanted, weights):
        if not np.isfinite(array).all():
            raise MnistCnnError("{} holds no usable weights: numbers of {} are too large for {}"
                                .format(path, name, array.dtype))
    lasagne.layers.set_all_param_values(network, weights)
    return weights
