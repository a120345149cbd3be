"""What a trained network says of picture files."""

import os

import lasagne
import numpy as np
import theano

from .model import build_cnn, load_weights
from .support.pictures import load_picture

__all__ = ["predict", "main"]


def predict(network, images, batch_size=500):
    """Ask a network for its answer, without dropout.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.
    images : array
        (n, 1, 28, 28), in [0, 255/256], n at least 1.
    batch_size : int
        Images at once.

    Returns
    -------
    array
        (n, classes), probabilities.
    """
    inputs = lasagne.layers.get_all_layers(network)[0].input_var
    function = theano.function([inputs], lasagne.layers.get_output(network, deterministic=True))
    images = images.astype(inputs.dtype)
    return np.concatenate([function(images[start:start + batch_size])
                           for start in range(0, len(images), batch_size)])


def main(model, files):
    """Print the class of picture files and the probabilities of all classes, a line each.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    files : sequence of path-like
        As for `mnist_cnn.support.pictures.load_picture`.

    Raises
    ------
    MnistCnnError
        When the model or one of the files cannot be used; then nothing is printed.
    """
    network = build_cnn()
    load_weights(model, network)
    images = np.stack([load_picture(file) for file in files])
    probabilities = predict(network, images)
    names = [os.fsencode(str(file)).decode(errors="replace") for file in files]
    width = max(map(len, names))
    print("{:{}}  class  {}".format(
        "file", width, " ".join("{:>6}".format(number) for number in range(10))))
    for name, shares in zip(names, probabilities):
        print("{:{}}  {:>5}  {}".format(name, width, shares.argmax(),
                                        " ".join("{:.4f}".format(share) for share in shares)))
