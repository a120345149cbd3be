"""The common form of all formats: images as bytes, labels from 0, names of classes."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..system.errors import MnistCnnError, note
from .card import MAX_NAME, MAX_SIDE, MIN_SIDE, number_names
from .catalogue import Entry

__all__ = [
    "Source",
    "Part",
    "Found",
    "part_of",
    "by_part",
    "as_bytes",
    "as_images",
    "as_labels",
    "check_pair",
    "read_names",
    "check_names",
    "name_classes",
]

MAX_LABELS = 256
BLOCK = 100  # images
MAX_CHANNELS_LAST = 4  # grey, grey with alpha, colours, colours with alpha
NAMES_FILE = "classes.txt"


class Source(NamedTuple):
    """A data set that was found in a folder, but not read yet.

    Parameters
    ----------
    name : str
        Its name in messages.
    read : callable
        Takes nothing, returns a `Found`.
    paths : list of pathlib.Path
        Its files.
    """

    name: str
    read: Callable[[], "Found"]
    paths: list[Path]


class Part(NamedTuple):
    """Images and labels of one part of a data set, and their places for messages."""

    images: np.ndarray
    labels: np.ndarray
    images_at: Path | str
    labels_at: Path | str


@dataclass
class Found:
    """A data set as it was read.

    Parameters
    ----------
    parts : dict
        From 'train', and perhaps 'val' and 'test', to a `Part`.
    classes : tuple of str, optional
        Names of the classes from label 0 on, where the files have them.
    entry : mnist_cnn.datasets.catalogue.Entry, optional
        Its catalogue entry, where the reader knows it.
    packed : dict
        From the name of a file to the path of its gzip file, for entries with digests of packed files
        only.
    """

    parts: dict[str, Part]
    classes: tuple[str, ...] | None = None
    entry: Entry | None = None
    packed: dict[str, Path] = field(default_factory=dict)


_PARTS = (("train", "train|training"), ("val", "val|valid|validation|dev"), ("test", "test|testing|t10k"))


def part_of(name: str) -> str | None:
    """Tell from the name of a file or folder which part it holds: 'train', 'val', 'test' or None.

    Examples
    --------
    >>> from mnist_cnn.datasets.parts import part_of
    >>> part_of("mnist_train.csv"), part_of("testing"), part_of("model.npz")
    ('train', 'test', None)
    """
    words = re.split("[^a-z0-9]+", name.lower())
    for part, pattern in _PARTS:
        if any(re.fullmatch(pattern, word) for word in words):
            return part
    return None


def by_part(paths: Iterable[Path]) -> dict[str, dict[str, Path]]:
    """Group files that are parts of one data set by their names.

    Parameters
    ----------
    paths : list of pathlib.Path

    Returns
    -------
    dict
        From the common pattern of the names to a dict from 'train', 'val' and 'test' to the paths. A
        single file without a part in its name is a training part.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.datasets.parts import by_part
    >>> [[(part, path.name) for part, path in sorted(files.items())]
    ...  for files in by_part([Path("a_train.csv"), Path("a_test.csv"), Path("b.csv")]).values()]
    [[('test', 'a_test.csv'), ('train', 'a_train.csv')]]
    """
    groups, others = {}, []
    for path in paths:
        part = part_of(path.name)
        if part is None:
            others.append(path)
            continue
        pattern = r"(?<![a-z0-9])({})(?![a-z0-9])".format(dict(_PARTS)[part])
        name = re.sub(r"\.gz$", "", path.name.lower())
        key = path.parent / re.sub(pattern, "*", name)
        groups.setdefault(key, {}).setdefault(part, path)
    groups = {key: files for key, files in groups.items() if "train" in files}
    if not groups and len(others) == 1:
        groups[others[0]] = {"train": others[0]}
    return groups


def as_bytes(array: np.ndarray, place: Path | str) -> np.ndarray:
    """Convert brightness to bytes, 0 to 255.

    Parameters
    ----------
    array : array
        Whole numbers from 0 to 255, numbers in [0, 1] (bytes divided by 255 or 256), or bool.
    place : path-like
        Its place, for the message.

    Returns
    -------
    uint8 array
        Of the same shape.

    Raises
    ------
    MnistCnnError
        When it holds other numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.parts import as_bytes
    >>> as_bytes(np.array([0, 51, 255]) / 255, "x.npz"), as_bytes(np.array([255 / 256]), "x.npz")
    (array([  0,  51, 255], dtype=uint8), array([255], dtype=uint8))
    """
    array = np.asarray(array)
    if array.dtype == np.uint8 or not array.size:
        return array.astype(np.uint8, copy=False)
    if array.dtype.kind not in "buif":
        raise MnistCnnError("{} holds images of type {}, not numbers".format(place, array.dtype))
    if array.dtype.kind == "b":
        return np.where(array, np.uint8(255), np.uint8(0))
    blocks = [array[i : i + BLOCK] for i in range(0, len(array), BLOCK)]  # fit into the processor's cache
    low = np.min([block.min() for block in blocks])
    high = np.max([block.max() for block in blocks])
    if not (low >= 0 and high <= 255):  # also finds NaN
        raise MnistCnnError(
            "{} has pixels from {:g} to {:g}; they must be from 0 to 255, or from 0 to 1".format(place, low, high)
        )
    scale = 1
    if array.dtype.kind == "f" and high <= 1:
        scale = 256 if high < 1 and all((block * 256 % 1 == 0).all() for block in blocks) else 255
    brightness = np.empty(array.shape, np.uint8)
    for i, block in enumerate(blocks):
        brightness[i * BLOCK : i * BLOCK + len(block)] = np.rint(block * array.dtype.type(scale))
    return brightness


def as_images(array: np.ndarray, place: Path | str) -> np.ndarray:
    """Convert images to bytes, channels first.

    Parameters
    ----------
    array : array
        As for `as_bytes`: (n, pixels) of square grey images, (n, rows, columns),
        (n, channels, rows, columns) or (n, rows, columns, channels).
    place : path-like
        Its place, for the message.

    Returns
    -------
    uint8 array
        (n, channels, rows, columns).

    Raises
    ------
    MnistCnnError
        When it has another shape, or images are too small or too large for the network.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.parts import as_images
    >>> [as_images(np.zeros(shape), "x.npz").shape for shape in [(5, 784), (5, 32, 32, 3)]]
    [(5, 1, 28, 28), (5, 3, 32, 32)]
    """
    array = np.asarray(array)
    shape = array.shape
    if array.ndim == 2:
        side = round(shape[1] ** 0.5)
        if side**2 == shape[1]:
            array = array.reshape(len(array), 1, side, side)
    elif array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and shape[3] <= MAX_CHANNELS_LAST < min(shape[1:3]):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4:
        raise MnistCnnError(
            "{} holds an array of shape {}, not images of shape (n, rows, columns), "
            "(n, channels, rows, columns) or (n, rows, columns, channels), or grey squares of "
            "shape (n, pixels)".format(place, shape)
        )
    if min(array.shape[2:]) < MIN_SIDE:
        raise MnistCnnError(
            "{} has images of {} x {} pixels; the network needs at least {} x {}".format(
                place, *array.shape[2:], MIN_SIDE, MIN_SIDE
            )
        )
    if max(array.shape[2:]) > MAX_SIDE:
        raise MnistCnnError(
            "{} has images of {} x {} pixels; make them {} x {} or smaller".format(
                place, *array.shape[2:], MAX_SIDE, MAX_SIDE
            )
        )
    return as_bytes(array, place)


def as_labels(array: np.ndarray, place: Path | str) -> np.ndarray:
    """Convert labels to whole numbers.

    Parameters
    ----------
    array : array
        (n,), (n, 1), or one-hot: (n, classes) with a single 1 in each row.
    place : path-like
        Its place, for the message.

    Returns
    -------
    int array
        (n,), not negative.

    Raises
    ------
    MnistCnnError
        When it has another shape, or a number is no label.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.parts import as_labels
    >>> as_labels(np.array([[3.], [1.]]), "x.npz"), as_labels(np.eye(3), "x.npz")
    (array([3, 1]), array([0, 1, 2]))
    """
    array = np.asarray(array)
    if array.dtype.kind not in "buif":
        raise MnistCnnError("{} holds labels of type {}, not numbers".format(place, array.dtype))
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and array.shape[1] > 1 and np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all():
        array = array.argmax(axis=1)
    if array.ndim != 1:
        raise MnistCnnError("{} holds an array of shape {}, not labels of shape (n,)".format(place, array.shape))
    wrong = ~(array == np.floor(array)) | (array < 0)  # also finds NaN
    if wrong.any():
        raise MnistCnnError("{} has the label {}; labels are whole numbers from 0".format(place, array[wrong][0]))
    if array.size and array.max() >= 2**31:
        raise MnistCnnError(
            "{} has the label {}; at most {} classes are possible".format(place, array.max(), MAX_LABELS)
        )
    return array.astype(np.int64)


def check_pair(
    images_at: Path | str,
    labels_at: Path | str,
    images: np.ndarray,
    labels: np.ndarray,
    shape: tuple[int, ...],
    num_classes: int,
) -> None:
    """Refuse images of another shape, labels out of range, and counts that differ.

    Parameters
    ----------
    images_at, labels_at : path-like
        Their places, for the message.
    images, labels : arrays
    shape : tuple of int
        The shape of an image.
    num_classes : int
        Labels must be from 0 to `num_classes` - 1.
    """
    if images.shape[1:] != tuple(shape):
        raise MnistCnnError(
            "{} holds an array of shape {}, not images of shape (n, {})".format(
                images_at, images.shape, ", ".join(map(str, shape))
            )
        )
    if labels.ndim != 1:
        raise MnistCnnError("{} holds an array of shape {}, not labels of shape (n,)".format(labels_at, labels.shape))
    if len(images) != len(labels):
        raise MnistCnnError(
            "{} has {} images and {} has {} labels".format(images_at, len(images), labels_at, len(labels))
        )
    if len(labels) and labels.max() >= num_classes:
        raise MnistCnnError(
            "{} has the label {}; labels must be from 0 to {}".format(labels_at, labels.max(), num_classes - 1)
        )


def read_names(path: Path | str) -> tuple[str, ...]:
    """Read names of classes from a text file, one in each line."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_LABELS * 100)
    except (OSError, UnicodeDecodeError) as error:
        raise MnistCnnError(
            "cannot read {}: {}".format(path, getattr(error, "strerror", None) or "it is not a text in UTF-8")
        ) from error
    return check_names(text.splitlines(), path)


def check_names(names: Iterable[str], place: Path | str) -> tuple[str, ...]:
    """Check names of classes from a file, and return them without empty ones as a tuple."""
    names = tuple(name.strip() for name in names if name.strip())
    if (
        not 2 <= len(names) <= MAX_LABELS
        or len(set(names)) < len(names)
        or not all(name.isprintable() and len(name) <= MAX_NAME for name in names)
    ):
        raise MnistCnnError(
            "{} holds no names of classes; it needs 2 to {} different names, one in "
            "each line, of up to {} characters".format(place, MAX_LABELS, MAX_NAME)
        )
    return names


def name_classes(
    found: Found, where: Path | str, names_file: Path | str | None = None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Shift labels so that they begin at 0, and name their classes.

    Parameters
    ----------
    found : Found
        With labels as `as_labels` gives them.
    where : path-like
        Its place, for messages.
    names_file : path-like, optional
        A text file that names the classes.

    Returns
    -------
    labels : dict
        From each part's name to its labels, uint8, from 0.
    classes : tuple of str
        The names in that file, else the data's own names, else numbers.

    Raises
    ------
    MnistCnnError
        When a label has no name, or unnamed labels have large gaps.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.parts import Found, Part, name_classes
    >>> images = np.zeros((2, 28, 28), np.uint8)
    >>> found = Found({"train": Part(images, np.array([3, 1]), "x.npz", "x.npz")}, ("a", "b", "c"))
    >>> labels, classes = name_classes(found, "x.npz")
    >>> labels["train"]  # the three names belong to 1, 2 and 3
    array([2, 0], dtype=uint8)
    """
    labels = {name: part.labels for name, part in found.parts.items() if len(part.labels)}
    names = found.classes if names_file is None else read_names(names_file)
    if not labels:
        raise MnistCnnError("{} has no examples".format(where))
    lowest = min(array.min() for array in labels.values())
    highest, place = max((array.max(), str(found.parts[name].labels_at)) for name, array in labels.items())
    first = int(lowest == 1 and (names is None or highest == len(names)))
    if first:
        note(
            "the labels of {} begin at 1: they are the network's classes 0 to {}, named {}".format(
                where,
                highest - 1,
                "by the data"
                if names
                else "1 to {} (a file {} beside the data, one name in each line, gives other names)".format(
                    highest, NAMES_FILE
                ),
            )
        )
    if names is None:
        different = len(np.unique(np.concatenate([np.unique(part) for part in labels.values()])))
        if highest >= max(10, 2 * different) or highest - first >= MAX_LABELS:
            raise MnistCnnError(
                "{} has the label {}, of {} different ones in all; number them from 0 or 1 without "
                "gaps, up to {} classes".format(place, highest, different, MAX_LABELS)
            )
        names = tuple(map(str, range(1, highest + 1))) if first else number_names(max(10, highest + 1))
    if highest - first >= len(names):
        raise MnistCnnError(
            "{} has the label {}; {} names the classes 0 to {}".format(
                place, highest, names_file or "the file", len(names) - 1
            )
        )
    return {name: (part.labels - first).astype(np.uint8) for name, part in found.parts.items()}, tuple(names)
