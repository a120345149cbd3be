"""The network, and its weights on disk."""

import io
import zipfile
import zlib

import lasagne
import numpy as np
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, MaxPool2DLayer, dropout
from lasagne.nonlinearities import rectify, softmax

from .errors import MnistCnnError
from .files import atomic_open

__all__ = ["build_cnn", "save_weights", "load_weights"]


def build_cnn(input_var=None):
    """Build the tutorial's convolutional network.

    Parameters
    ----------
    input_var : Theano 4D tensor, optional
        Images, (batch, 1, 28, 28), in [0, 1]; made if not given.

    Returns
    -------
    lasagne Layer
        The output layer: probabilities of the ten digits, (batch, 10).
    """
    network = InputLayer((None, 1, 28, 28), input_var)

    network = Conv2DLayer(network, num_filters=32, filter_size=(5, 5), nonlinearity=rectify,
                          W=lasagne.init.GlorotUniform())
    network = MaxPool2DLayer(network, pool_size=(2, 2))

    network = Conv2DLayer(network, num_filters=32, filter_size=(5, 5), nonlinearity=rectify,
                          W=lasagne.init.GlorotUniform())
    network = MaxPool2DLayer(network, pool_size=(2, 2))

    network = DenseLayer(dropout(network, p=.5), num_units=256, nonlinearity=rectify)
    network = DenseLayer(dropout(network, p=.5), num_units=10, nonlinearity=softmax)
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
    archive = io.BytesIO()  # in memory first: a ZipFile cut short by a full disk prints a traceback
    np.savez(archive, *weights)
    with atomic_open(path) as file:
        file.write(archive.getbuffer())


def load_weights(path, network):
    """Read weights from an npz file and set a network's parameters to them.

    Nothing in the file is executed, and no array is read whose stated shape is not the
    parameter's own.

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
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            wanted = sorted("arr_{}.npy".format(i) for i in range(len(params)))
            if names != wanted:
                raise MnistCnnError("{} holds {} arrays, not the network's {} (arr_0 to arr_{})"
                                    .format(path, len(names), len(params), len(params) - 1))
            weights = [_read_array(archive, "arr_{}".format(i), param)
                       for i, param in enumerate(params)]
    except OSError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror or error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError,
            RuntimeError) as error:
        raise MnistCnnError("{} is no model that train.py saved: {}".format(path, error)) from error
    lasagne.layers.set_all_param_values(network, weights)
    return weights


def _read_array(archive, name, param):
    """One array of an npz archive, once its header says that it is the parameter's."""
    shape = param.get_value(borrow=True).shape
    with archive.open(name + ".npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError("{} has the npy format {}.{}, not 1.0".format(name, *version))
        stored_shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if stored_shape != shape:
        raise ValueError("{} ({}) has shape {}, not {}".format(name, param, stored_shape, shape))
    if dtype not in (np.float32, np.float64):
        raise ValueError("{} ({}) has dtype {}, not float32".format(name, param, dtype))
    with archive.open(name + ".npy") as file:
        value = np.lib.format.read_array(file, allow_pickle=False)
    if not np.isfinite(value).all():
        raise ValueError("{} ({}) holds NaN or infinity".format(name, param))
    return value.astype(param.dtype)
