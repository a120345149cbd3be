"""How good trained networks are on the test digits, each alone and all together."""

import os
from pathlib import Path

import numpy as np

from ..data import NUM_CLASSES, load_dataset
from .metrics import confusion_matrix, wilson_interval
from ..model import build_cnn, load_weights
from ..predict import predict
from ..support.errors import MnistCnnError

__all__ = ["summary", "main"]


def summary(name, probabilities, labels):
    """Say in a few lines how good answers are.

    Parameters
    ----------
    name : str
        Whose answers they are.
    probabilities : array
        (n, classes), n at least 1; the most probable class is the answer.
    labels : int array
        (n,), the true classes.

    Returns
    -------
    str
        Accuracy with its 95 % confidence interval by Wilson's score, the number of mistakes, and
        the accuracy by class.
    """
    counts = confusion_matrix(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    right, total = counts.diagonal(), counts.sum(axis=1)
    low, high = wilson_interval(right.sum(), len(labels))
    shares = ["{:.2f}".format(100 * r / n) if n else "-" for r, n in zip(right, total)]
    return "\n".join([
        "{}: {:.2f} % (95 % interval: {:.2f} to {:.2f} %), {} mistakes in {}".format(
            name, 100 * right.sum() / len(labels), 100 * low, 100 * high,
            len(labels) - right.sum(), len(labels)),
        "  digit     " + " ".join("{:>6}".format(digit) for digit in range(len(total))),
        "  accuracy  " + " ".join("{:>6}".format(share) for share in shares),
        "  mistakes  " + " ".join("{:>6}".format(n) for n in total - right)])


def main(models, data_dir=None):
    """Print how good networks are on the test set, and their ensemble where they are several.

    The ensemble's answer is the class of the highest mean probability.

    Parameters
    ----------
    models : sequence of path-like
        npz files of weights; a folder, such as a sweep's, stands for all that lie in it.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`.

    Raises
    ------
    MnistCnnError
        When a model or the data cannot be used; then nothing is printed.
    """
    models = _files(models)
    networks = [build_cnn() for _ in models]
    for model, network in zip(models, networks):
        load_weights(model, network)
    _, _, _, _, images, labels = load_dataset(data_dir)
    total = np.zeros((len(labels), NUM_CLASSES))
    for model, network in zip(models, networks):
        probabilities = predict(network, images)
        total += probabilities
        print(summary(str(model), probabilities, labels), flush=True)
    if len(models) > 1:
        print(summary("ensemble of the {}, probabilities averaged".format(len(models)),
                      total / len(models), labels))


def _files(models):
    """The files of weights, those in folders too; not what lies beside them, such as snapshots."""
    files = []
    for model in map(Path, models):
        if not os.path.isdir(model):
            files.append(model)
            continue
        found = sorted(path for path in model.glob("*.npz") if path.suffixes == [".npz"])
        if not found:
            raise MnistCnnError("the folder {} holds no weights (*.npz)".format(model))
        files += found
    return files
