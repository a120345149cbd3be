"""The network, and its weights on disk."""

import lasagne
import numpy as np
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax

from .compat import require_compiler, use_float32
from .support.about import About, number_names
from .support.errors import MnistCnnError
from .support.files import write_npz
from .weights.layouts import LAYOUTS
from .weights.reading import match, open_weights

__all__ = ["build_cnn", "save_weights", "load_weights", "read_about", "load_model"]

#: The greatest that is read: from here on the four layers' sums could leave float32, and rectifiers
#: would make a 0 of what is no number, so that every digit got the same answer.
MAX_WEIGHT = 1e6

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


def save_weights(path, weights, about=None):
    """Write a network's weights to an npz file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists.
    weights : list of arrays
        As `lasagne.layers.get_all_param_values` gives them; stored as ``arr_0``, ``arr_1``, ...
    about : mnist_cnn.support.about.About, optional
        What they were learned from; stored as the comment of the zip archive that an npz file is,
        so that the arrays are the tutorial's and no more.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.model import save_weights
    >>> save_weights("weights.npz", [np.zeros((2, 3)), np.ones(3)])
    >>> sorted(np.load("weights.npz").files)
    ['arr_0', 'arr_1']
    """
    write_npz(path, {"arr_{}".format(i): array for i, array in enumerate(weights)},
              b"" if about is None else about.to_json())


def load_weights(path, network):
    """Read weights from a file and set a network's parameters to them.

    Parameters
    ----------
    path : path-like
        A file as `save_weights` or ``np.savez(file, *weights)`` writes it, or one that nolearn,
        Keras or PyTorch wrote (`mnist_cnn.weights.reading.open_weights`).
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

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn, load_weights, save_weights
    >>> import lasagne
    >>> network, copy = build_cnn(), build_cnn()
    >>> save_weights("weights.npz", lasagne.layers.get_all_param_values(network))
    >>> weights = load_weights("weights.npz", copy)
    >>> weights[0].shape
    (32, 1, 5, 5)
    >>> (copy.W.get_value() == network.W.get_value()).all()
    True
    """
    params = lasagne.layers.get_all_params(network)
    # what a dense layer behind a convolution sees: maps, rows, columns
    maps = {layer.W: layer.input_shape[1:] for layer in lasagne.layers.get_all_layers(network)
            if isinstance(layer, DenseLayer) and len(layer.input_shape) == 4}
    stored = open_weights(path)
    names, layout = match(stored, [param.get_value(borrow=True).shape for param in params], path)
    arrays = [layout.to_lasagne(array, maps.get(param))
              for array, param in zip(stored.load(names), params)]
    with np.errstate(over="ignore"):  # said below
        weights = [array.astype(param.dtype) for array, param in zip(arrays, params)]
    for name, given, array in zip(names, arrays, weights):
        if given.dtype.kind != "f":
            raise MnistCnnError("{} holds no usable weights: {} has dtype {}, not float32".format(
                path, name, given.dtype))
        if not np.isfinite(given).all():
            raise MnistCnnError("{} holds no usable weights: {} holds NaN or infinity".format(
                path, name))
        if not (np.abs(array) <= MAX_WEIGHT).all():
            raise MnistCnnError("{} holds no usable weights: numbers of {} are greater than "
                                "{:g}".format(path, name, MAX_WEIGHT))
    lasagne.layers.set_all_param_values(network, weights)
    return weights


def read_about(path):
    """Read what a model was trained on.

    Parameters
    ----------
    path : path-like
        As for `load_weights`.

    Returns
    -------
    mnist_cnn.support.about.About
        What the file says. Where it says nothing, as the tutorial's and version 1.0's: what shape
        the weights are for, classes named by their numbers, and no data set.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or what it says makes no sense.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn, read_about, save_weights
    >>> import lasagne
    >>> save_weights("weights.npz", lasagne.layers.get_all_param_values(build_cnn()))
    >>> read_about("weights.npz").shape
    (1, 28, 28)
    """
    stored = open_weights(path)
    if not stored.comment:
        return _about_of_shapes(stored)
    try:
        return About.from_json(stored.comment)
    except (ValueError, RecursionError, MnistCnnError) as error:  # ValueError: no JSON, no ASCII
        raise MnistCnnError("{} is not a file that train.py saved: what it says of its data makes "
                            "no sense ({})".format(path, " ".join(str(error).split()))) from error


def _about_of_shapes(stored):
    """Infers image shape and number of classes from the weights' shapes; MNIST's where they do not tell."""
    shapes = stored.shapes.values()
    filters, dense = ([shape for shape in shapes if len(shape) == dims] for dims in (4, 2))
    if len(shapes) == 8 and (len(filters), len(dense)) == (2, 2):
        for layout in LAYOUTS if stored.layout is None else (stored.layout,):
            channels = filters[0][layout.filters[1]]
            inputs, classes = (dense[0][1], dense[1][0]) if layout.transposed else (
                dense[0][0], dense[1][1])
            side = round((inputs // 32) ** .5)  # of the second pooling's maps
            try:
                about = About(None, (channels, 4 * side + 12, 4 * side + 12), number_names(classes))
            except MnistCnnError:
                continue
            wanted = [(32, channels, 5, 5), (32,), (32, 32, 5, 5), (32,), (32 * side ** 2, 256),
                      (256,), (256, classes), (classes,)]
            if sorted(map(layout.shape, wanted)) == sorted(shapes):
                return about
    return About()


def load_model(path, input_var=None):
    """Build the network that a file of weights belongs to, and set its weights.

    Parameters
    ----------
    path : path-like
        As for `load_weights`.
    input_var : Theano 4D tensor, optional
        As for `build_cnn`.

    Returns
    -------
    network : lasagne Layer
        The output layer.
    about : mnist_cnn.support.about.About
        What it was trained on.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is none of such a network.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn, load_model, save_weights
    >>> import lasagne
    >>> save_weights("weights.npz", lasagne.layers.get_all_param_values(build_cnn(num_classes=26)))
    >>> network, about = load_model("weights.npz")
    >>> network.output_shape, about.shape
    ((None, 26), (1, 28, 28))
    """
    about = read_about(path)
    network = build_cnn(input_var, shape=about.shape, num_classes=len(about.classes))
    load_weights(path, network)
    return network, about
