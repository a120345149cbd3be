"""The data card: the data set that a model was trained on, stored in the model's file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..system.errors import MnistCnnError
from ..system.machine import cores

__all__ = ["DataCard", "Dataset", "describe", "fingerprint", "require_same_data", "number_names"]

MAX_CLASSES = 1000
MAX_CHANNELS = 16
MIN_SIDE, MAX_SIDE = 16, 256  # pixels
MAX_NAME = 60  # characters
_BLOCK = 2**22  # bytes for each hash


def number_names(count: int) -> tuple[str, ...]:
    """Name classes by their numbers: ('0', '1', ...)."""
    return tuple(map(str, range(count)))


@dataclass(frozen=True)
class DataCard:
    """The data set that a model was trained on.

    Parameters
    ----------
    dataset : str, optional
        Its name in the catalogue; None for a data set without a name.
    shape : tuple of int
        Channels, rows and columns of an image.
    classes : tuple of str
        The names of the classes.
    digest : str, optional
        Its `fingerprint`; None where it is unknown, as for files that the tutorial wrote.
    """

    dataset: str | None = None
    shape: tuple[int, ...] = (1, 28, 28)
    classes: tuple[str, ...] = number_names(10)
    digest: str | None = None

    def __post_init__(self):
        def is_word(value):
            return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()

        def is_count(value, low, high):
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

        try:
            object.__setattr__(self, "shape", tuple(self.shape))  # because the dataclass is frozen
            object.__setattr__(self, "classes", tuple(self.classes))
        except TypeError:
            raise MnistCnnError("shape and classes must be sequences") from None
        if not (
            len(self.shape) == 3
            and is_count(self.shape[0], 1, MAX_CHANNELS)
            and all(is_count(side, MIN_SIDE, MAX_SIDE) for side in self.shape[1:])
        ):
            raise MnistCnnError(
                "the shape must be channels (1 to {}), rows and columns ({} to {})".format(
                    MAX_CHANNELS, MIN_SIDE, MAX_SIDE
                )
            )
        if not (
            2 <= len(self.classes) <= MAX_CLASSES
            and all(map(is_word, self.classes))
            and len(set(self.classes)) == len(self.classes)
        ):
            raise MnistCnnError(
                "the classes must be 2 to {} different names of up to {} characters".format(MAX_CLASSES, MAX_NAME)
            )
        if self.dataset is not None and not is_word(self.dataset):
            raise MnistCnnError("the data set's name must be a printable text of up to {} characters".format(MAX_NAME))
        if self.digest is not None and not (isinstance(self.digest, str) and re.fullmatch("[0-9a-f]{64}", self.digest)):
            raise MnistCnnError("the digest must be 64 hexadecimal digits")

    @property
    def kind(self) -> str:
        """The data set's name in a message."""
        return self.dataset or "a data set without a name"

    @property
    def is_handwriting(self) -> bool:
        """Whether images look like MNIST's: light ink, centred on 28 x 28 black pixels."""
        return self.shape == (1, 28, 28) and self.dataset != "fashion-mnist"

    def to_json(self) -> bytes:
        """Encode the card for a model's file, always to the same bytes."""
        return json.dumps(
            {
                "mnist_cnn": 1,
                "dataset": self.dataset,
                "shape": list(self.shape),
                "classes": list(self.classes),
                "fingerprint": self.digest,
            },
            sort_keys=True,
        ).encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> DataCard:
        """Decode the bytes of `to_json`; ValueError or MnistCnnError for any others."""
        fields = json.loads(content.decode("ascii"))
        if not isinstance(fields, dict) or fields.pop("mnist_cnn", None) != 1 or "digest" in fields:
            raise ValueError("it has other fields")
        fields["digest"] = fields.pop("fingerprint", "")
        if set(fields) != {"dataset", "shape", "classes", "digest"} or not all(
            isinstance(fields[name], list) for name in ("shape", "classes")
        ):
            raise ValueError("it has other fields")
        return cls(**fields)


class Dataset(tuple):
    """Six arrays, as `mnist_cnn.data.load_dataset` returns them, with their `DataCard`.

    Parameters
    ----------
    arrays : six arrays
    name : str, optional
        The data set's name in the catalogue.
    classes : sequence of str, optional
        The names of the classes.
    """

    name: str | None
    classes: Sequence[str] | None

    def __new__(
        cls, arrays: Iterable[np.ndarray], name: str | None = None, classes: Sequence[str] | None = None
    ) -> Dataset:
        dataset = super().__new__(cls, arrays)
        dataset.name, dataset.classes = name, classes
        return dataset

    @cached_property
    def card(self) -> DataCard:
        """The `DataCard`, computed once, at the first access."""
        return describe(self)


def fingerprint(dataset: Sequence[np.ndarray]) -> str:
    """Compute the fingerprint of a data set over all its arrays.

    Cards, checkpoints and sweeps compare data sets by it.

    Parameters
    ----------
    dataset : six arrays
        As `mnist_cnn.data.load_dataset` returns them.

    Returns
    -------
    str
        SHA-256 of the arrays' shapes and of the SHA-256 of each 4 MB of their values, images as
        float32 and labels as int32, as hexadecimal digits. Memory layout and integer type do not
        matter. For MNIST it takes 0.07 seconds on two processors.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.card import fingerprint
    >>> arrays = [np.zeros((2, 1, 28, 28), np.float32), np.zeros(2, np.uint8)] * 3
    >>> fingerprint(arrays) == fingerprint([array.astype("f4" if array.ndim == 4 else "i8") for array in arrays])
    True
    """

    def digest(block):
        array, first, last, dtype = block
        return hashlib.sha256(np.ascontiguousarray(array[first:last], dtype)).digest()

    sha, blocks = hashlib.sha256(), []
    for number, array in enumerate(dataset):
        sha.update(repr(array.shape).encode())
        dtype = np.dtype("<i4" if number % 2 else "<f4")
        count = max(1, _BLOCK // max(1, int(np.prod(array.shape[1:])) * dtype.itemsize))
        blocks += [(array, first, first + count, dtype) for first in range(0, len(array), count)]
    with ThreadPoolExecutor(cores()) as pool:  # hashing releases the GIL
        for part in pool.map(digest, blocks):
            sha.update(part)
    return sha.hexdigest()


def describe(dataset: Sequence[np.ndarray]) -> DataCard:
    """Compute the `DataCard` of six arrays from their present values.

    Parameters
    ----------
    dataset : Dataset or six arrays
        Classes without names are called by numbers: as many as the labels need, at least ten.

    Returns
    -------
    DataCard

    Raises
    ------
    MnistCnnError
        When a label is below 0 or there are too many classes.
    """
    classes = getattr(dataset, "classes", None)
    if classes is None:
        labels = [y for y in dataset[1::2] if len(y)]
        highest = max((y.max() for y in labels), default=0)
        # before the names are made, which could fill the memory
        for label in (min((y.min() for y in labels), default=0), highest):
            if not 0 <= label < MAX_CLASSES:
                raise MnistCnnError("there is the label {}; labels must be from 0 to {}".format(label, MAX_CLASSES - 1))
        classes = number_names(max(10, int(highest) + 1))
    return DataCard(getattr(dataset, "name", None), dataset[0].shape[1:], tuple(classes), fingerprint(dataset))


def require_same_data(model: Path | str, card: DataCard, found: DataCard) -> None:
    """Refuse data that a model was not trained on.

    Parameters
    ----------
    model : path-like
        The model's file, for the message.
    card, found : DataCard
        The model's card, and that of the data.

    Raises
    ------
    MnistCnnError
        When they differ in shape, number of classes, name or fingerprint. A card without name and
        fingerprint accepts all data of its shape.
    """

    def said(data):
        return "{} x {} x {}, {} classes".format(*data.shape, len(data.classes))

    if (card.shape, len(card.classes)) != (found.shape, len(found.classes)):
        raise MnistCnnError(
            "{} was trained on {} ({}), not on {} ({})".format(model, card.kind, said(card), found.kind, said(found))
        )
    if card.dataset not in (None, found.dataset) or (card.digest not in (None, found.digest)):
        if card.dataset == found.dataset:
            raise MnistCnnError("{} was trained on other data than these, though both are {}".format(model, card.kind))
        raise MnistCnnError("{} was trained on {}, not on {}".format(model, card.kind, found.kind))
