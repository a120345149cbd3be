"""The accuracy of trained networks on the test digits, each alone and as an ensemble."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data import load_dataset_of
from ..datasets.card import require_same_data
from ..model import load_model
from ..predict import predict
from ..storage.records import is_weights
from ..system.errors import MnistCnnError
from .metrics import confusion_matrix, wilson_interval

__all__ = ["summary", "main"]


def summary(name: str, probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str] | None = None) -> str:
    """Format the accuracy of answers, in a few lines.

    Parameters
    ----------
    name : str
        The name of the network.
    probabilities : array
        (n, classes), n at least 1; the answer is the most probable class.
    labels : int array
        (n,), the true classes.
    classes : sequence of str, optional
        Their names; by default their numbers.

    Returns
    -------
    str
        Accuracy with its 95 % confidence interval by Wilson's score, the number of mistakes, and
        the accuracy by class.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.evaluate import summary
    >>> print(summary("a guess", np.array([[.6, .4]] * 4), np.array([0, 0, 0, 1])))
    a guess: 75.00 % (95 % interval: 30.06 to 95.44 %), 1 mistakes in 4
      digit          0      1
      accuracy  100.00   0.00
      mistakes       0      1
    """
    counts = confusion_matrix(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    right, total = counts.diagonal(), counts.sum(axis=1)
    low, high = wilson_interval(right.sum(), len(labels))
    shares = ["{:.2f}".format(100 * r / n) if n else "-" for r, n in zip(right, total)]
    words = [str(word) for word in (range(len(total)) if classes is None else classes)]
    lines = [
        "{}: {:.2f} % (95 % interval: {:.2f} to {:.2f} %), {} mistakes in {}".format(
            name, 100 * right.sum() / len(labels), 100 * low, 100 * high, len(labels) - right.sum(), len(labels)
        )
    ]
    if max(map(len, words)) == 1 and len(words) <= 10:
        lines += [
            "  digit     " + " ".join("{:>6}".format(word) for word in words),
            "  accuracy  " + " ".join("{:>6}".format(share) for share in shares),
            "  mistakes  " + " ".join("{:>6}".format(n) for n in total - right),
        ]
    else:
        width = max(len("class"), *map(len, words))
        row = "  {:{}}  {:>8}  {:>8}  {:>6}"
        lines.append(row.format("class", width, "accuracy", "mistakes", "images"))
        lines += [
            row.format(word, width, share, wrong, n)
            for word, share, wrong, n in zip(words, shares, total - right, total)
        ]
    return "\n".join(lines)


def main(models: Sequence[Path | str], data_dir: Path | str | None = None, dataset: str | None = None) -> None:
    """Print the test accuracy of networks, and of their ensemble.

    The ensemble's answer is the class of the highest mean probability.

    Parameters
    ----------
    models : sequence of path-like
        npz files of weights, or folders with such files, such as a sweep's.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset_of`: the data set that the models were trained on.

    Raises
    ------
    MnistCnnError
        When a model or the data cannot be used.
    """
    models = _files(models)
    networks, cards = zip(*map(load_model, models))
    known = next((i for i, card in enumerate(cards) if card.digest is not None), 0)
    loaded = load_dataset_of(models[known], cards[known], data_dir, dataset)
    for model, card in zip(models, cards):
        require_same_data(model, card, loaded.card)
    *_, images, labels = loaded
    total = np.zeros((len(labels), len(loaded.card.classes)))
    for model, network in zip(models, networks):
        probabilities = predict(network, images)
        total += probabilities
        print(summary(str(model), probabilities, labels, loaded.card.classes), flush=True)
    if len(models) > 1:
        name = "ensemble of the {}, probabilities averaged".format(len(models))
        print(summary(name, total / len(models), labels, loaded.card.classes))


def _files(models):
    """The files of weights, with those in folders; without snapshots and the like."""
    files = []
    for model in map(Path, models):
        if not os.path.isdir(model):
            files.append(model)
            continue
        found = sorted(filter(is_weights, model.glob("*.npz")))
        if not found:
            raise MnistCnnError("the folder {} has no weights (*.npz)".format(model))
        files += found
    return files
