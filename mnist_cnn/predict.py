"""Predictions of a trained network."""

import lasagne
import numpy as np
import theano

from .system.errors import MnistCnnError

__all__ = ["compile_prediction", "predict", "run_in_batches", "join_finite"]


def compile_prediction(network):
    """Compile the function of `predict`, for images that come one after the other.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    Theano function
        From images float32 (batch, channels, rows, columns) to probabilities (batch, classes).
    """
    inputs = lasagne.layers.get_all_layers(network)[0].input_var
    return theano.function([inputs], lasagne.layers.get_output(network, deterministic=True))


def predict(network, images, batch_size=500):
    """Compute a network's class probabilities, without dropout.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.
    images : array
        (n, channels, rows, columns), in [0, 255/256], n at least 1.
    batch_size : int
        Images in a batch.

    Returns
    -------
    array
        (n, classes), probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.model import build_cnn
    >>> from mnist_cnn.predict import predict
    >>> probabilities = predict(build_cnn(), np.zeros((3, 1, 28, 28)))
    >>> probabilities.shape
    (3, 10)
    >>> probabilities[0].round(3)  # for a blank image an untrained network is undecided
    array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], dtype=float32)
    """
    dtype = lasagne.layers.get_all_layers(network)[0].input_var.dtype
    return run_in_batches(compile_prediction(network), images.astype(dtype), batch_size)


def run_in_batches(function, images, batch_size):
    """Call a function on all images, batch by batch, so that memory is bounded.

    Parameters
    ----------
    function : callable
        From images, (batch, ...), to an array with as many rows, or a list of such arrays.
    images : array
        (n, ...), n at least 1.
    batch_size : int
        Images in a batch, at least 1; the last batch may be smaller.

    Returns
    -------
    array, or list of arrays
        The joined results, with n rows.

    Raises
    ------
    MnistCnnError
        When a result is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.predict import run_in_batches
    >>> run_in_batches(lambda batch: 10 * batch, np.arange(5), batch_size=2)
    array([ 0, 10, 20, 30, 40])
    """
    parts = [function(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    if isinstance(parts[0], list):
        return [join_finite(part) for part in zip(*parts)]
    return join_finite(parts)


def join_finite(parts):
    """Join the results of all batches; MnistCnnError where one is NaN or infinite."""
    array = np.concatenate(parts)
    if not np.isfinite(array).all():
        raise MnistCnnError(
            "the network computes NaN or infinity: its weights are too large for "
            "{}; train again with a smaller learning rate".format(array.dtype)
        )
    return array
