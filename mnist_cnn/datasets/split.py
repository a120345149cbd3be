"""The split of a data set into training, validation and test arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..system.errors import MnistCnnError, note
from .card import Dataset

__all__ = ["split_dataset"]

NUM_VALIDATION = 10000
MIN_EXAMPLES = 7  # one for the test, one for validation
SEED = 0


def split_dataset(
    where: Path | str,
    parts: Mapping[str, tuple[np.ndarray, np.ndarray]],
    name: str | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Make the six arrays of a data set.

    The last 10,000 training examples are held out for validation, or the last sixth where there are at
    most 10,000. Without a test part, a random seventh of all examples becomes the test set, and as many
    are held out for validation, at most 10,000 each; these are MNIST's proportions. Examples that are
    sorted by label are shuffled first, so that no class is held out whole.

    Parameters
    ----------
    where : path-like
        Their place, for messages.
    parts : dict
        From 'train', and perhaps 'val' and 'test', to images, uint8 of shape
        (n, channels, rows, columns), and labels, uint8 of shape (n,).
    name : str, optional
        The data set's name in the catalogue.
    classes : sequence of str, optional
        The names of the classes.

    Returns
    -------
    mnist_cnn.datasets.card.Dataset
        As `mnist_cnn.data.load_dataset` returns it.

    Raises
    ------
    MnistCnnError
        When there are too few examples.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.split import split_dataset
    >>> images, labels = np.zeros((70, 1, 28, 28), np.uint8), np.arange(70, dtype=np.uint8) % 10
    >>> dataset = split_dataset("data", {"train": (images, labels)})
    >>> [len(labels) for labels in dataset[1::2]]
    [50, 10, 10]
    """
    parts = dict(parts)
    images, labels = parts["train"]
    if len(labels) < MIN_EXAMPLES:
        raise MnistCnnError(
            "{} has {} training examples; at least {} are needed".format(where, len(labels), MIN_EXAMPLES)
        )
    if "test" not in parts or (labels[1:] >= labels[:-1]).all():
        order = np.random.RandomState(SEED).permutation(len(labels))
        images, labels = images[order], labels[order]

    def hold_out(count):
        nonlocal images, labels
        held = images[-count:], labels[-count:]
        images, labels = images[:-count], labels[:-count]
        return held

    if "test" not in parts:
        count = min(len(labels) // 7, NUM_VALIDATION)
        parts["test"] = hold_out(count)
        parts["val"] = parts.get("val") or hold_out(count)
        note(
            "{} has no test examples with labels: {} random examples, by a fixed seed, become the test set "
            "and {} are held out for validation".format(where, count, len(parts["val"][1]))
        )
    elif "val" not in parts:
        if len(labels) <= NUM_VALIDATION:
            note(
                "{} has {} training examples: the last sixth ({}) is held out for validation".format(
                    where, len(labels), len(labels) // 6
                )
            )
        parts["val"] = hold_out(NUM_VALIDATION if len(labels) > NUM_VALIDATION else len(labels) // 6)
    for what in ("val", "test"):
        if not len(parts[what][1]):
            raise MnistCnnError("{} has no {} examples".format(where, "validation" if what == "val" else what))
    # [0, 255/256], as in the older mnist.pkl.gz, on which published results are based
    return Dataset(
        [
            array if array.ndim == 1 else array / np.float32(256)
            for part in ((images, labels), parts["val"], parts["test"])
            for array in part
        ],
        name,
        classes,
    )
