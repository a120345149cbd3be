"""CSV files of Kaggle and OpenML: in each row a label and the pixels of a square grey image.

The first line may name the columns. The label is in the column called label, class, target or y,
otherwise in the first column.
"""

import functools
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..storage.atomic import open_regular
from ..storage.npz import MAX_REASON
from ..system.errors import MnistCnnError
from .card import MIN_SIDE
from .folder import is_own_output
from .parts import Found, Part, Source, as_bytes, as_images, by_part

__all__ = ["find", "read_images"]

LABELS = ("label", "class", "target", "y")
MAX_LINE = 10**6  # bytes


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the data sets in CSV files, a list of `mnist_cnn.datasets.parts.Source`."""
    columns = {}
    for path in paths:
        if re.search(r"\.csv(\.gz)?$", path.name, re.IGNORECASE) and not is_own_output(path):
            columns[path] = _count_columns(path)
    wide = [path for path in columns if columns[path] > MIN_SIDE**2]
    sources = []
    for files in by_part(wide).values():
        # a file with another number of columns is a test file without labels, for predict.py
        files = {part: path for part, path in files.items() if columns[path] == columns[files["train"]]}
        sources.append(Source(str(files["train"]), functools.partial(_read, files), list(files.values())))
    return sources


def _open(path):
    file = open_regular(path)
    return gzip.GzipFile(fileobj=file) if str(path).lower().endswith(".gz") else file


def _count_columns(path):
    """Count the columns of the first line; 0 where the file cannot be read."""
    try:
        with _open(path) as file:
            return file.readline(MAX_LINE).count(b",") + 1
    except (OSError, EOFError, zlib.error):
        return 0


def _read(files):
    parts = {}
    for part, path in files.items():
        names, values = _read_table(path)
        at = _label_column(names) or 0
        images = as_images(np.delete(values, at, axis=1), path)
        if path.name.lower().startswith("emnist"):  # rows and columns are swapped in EMNIST's CSV files
            images = images.swapaxes(2, 3)
        parts[part] = Part(images, values[:, at], path, path)
    return Found(parts)


def _label_column(names):
    """Find the index of the label column by its name; None where there is none."""
    return next((i for i, name in enumerate(names) if name in LABELS), None)


def _read_table(path):
    """Read the columns' names, perhaps an empty list, and all rows as an array."""
    try:
        with io.TextIOWrapper(_open(path), encoding="utf-8-sig", errors="replace") as file:
            names = [name.strip(" \t\r\n\"'").lower() for name in file.readline(MAX_LINE).split(",")]
            if all(re.fullmatch(r"[-+0-9.e]+", name) for name in names):
                names = []
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # NumPy warns about a file without rows and about fractions as int16
                read = functools.partial(np.loadtxt, delimiter=",", skiprows=int(bool(names)), ndmin=2, comments=None)
                for dtype in (np.int16, np.float32):  # int16 takes a seventh of the time
                    file.seek(0)
                    try:
                        return names, read(file, dtype)
                    except (ValueError, DeprecationWarning, OverflowError) as error:
                        last = error
                raise last
    except (OSError, EOFError, zlib.error, ValueError, OverflowError, UserWarning, MemoryError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:MAX_REASON]
        raise MnistCnnError(
            "{} is not a table of numbers in CSV: {}".format(path, reason or "it is damaged")
        ) from error


def read_images(path: Path | str, shape: tuple[int, ...]) -> np.ndarray:
    """Read images without labels from a CSV file, one in each row.

    Parameters
    ----------
    path : path-like
        Such as Kaggle's test.csv. A column with the name of a label column is left out.
    shape : tuple of int
        Channels, rows and columns of an image.

    Returns
    -------
    float32 array
        (n,) + `shape`, in [0, 255/256].

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or its number of columns does not fit `shape`.
    """
    names, values = _read_table(path)
    at, pixels = _label_column(names), int(np.prod(shape))
    if at is not None:
        values = np.delete(values, at, axis=1)
    if values.shape[1] != pixels:
        raise MnistCnnError(
            "{} has {} columns; an image of the model has {} pixels ({})".format(
                path, values.shape[1], pixels, " x ".join(map(str, shape))
            )
        )
    return as_bytes(values, path).reshape((-1,) + tuple(shape)) / np.float32(256)
