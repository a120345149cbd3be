"""CIFAR-10's files, in the binary and in the Python version, packed or not.

Six batches hold images of 3 x 32 x 32 bytes, channel by channel and row by row, and their labels [1]_.
In the binary version a row of 3,073 bytes is a label and an image. In the Python version a batch is a
pickled dictionary, which `mnist_cnn.datasets.pickles` reads.

References
----------
.. [1] A. Krizhevsky: Learning multiple layers of features from tiny images. 2009.
   https://www.cs.toronto.edu/~kriz/cifar.html
"""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..storage.npz import MAX_REASON
from ..system.errors import MnistCnnError
from .archives import read_tar
from .card import number_names
from .catalogue import DATASETS, Entry
from .folder import visible_files
from .parts import MAX_LABELS, Found, Part, Source, check_names, check_pair
from .pickles import read_pickle

__all__ = ["find", "read_source", "missing", "read_entry"]

SHAPE = (3, 32, 32)
ROW = 1 + 3 * 32 * 32
MAX_BYTES = 2**26  # of a batch; the published batches have 31 million
TRAINING = ["data_batch_{}".format(i) for i in range(1, 6)]
BATCHES = TRAINING + ["test_batch"]
META = "batches.meta"

#: MD5 of the unpacked files of the binary version. Source: several projects, such as
#: github.com/rai-project/dldataset. The catalogue has the MD5 of the Python version.
BINARY_DIGESTS = dict(
    zip(
        (name + ".bin" for name in BATCHES),
        (
            "5dd7e06a14cb22eb9f671a540d1b7c25",
            "5ea93a67294ea407fff1d09f752e9692",
            "942cd6a4bcdd0dd3c604fbe906cb4421",
            "ae636b3ba5c66a11e91e8cb52e771fcb",
            "53f37980c15c3d472c316c40844f3f0d",
            "803d5f7f4d78ea53de84dbe85f74fb6d",
        ),
    )
)

#: The file name of a batch, and the archive's name, in each version.
VERSIONS = {"python": ("{}", "cifar-10-python.tar.gz"), "binary": ("{}.bin", "cifar-10-binary.tar.gz")}


def find(paths: Iterable[Path]) -> list[Source]:
    """Find CIFAR-10's files, a list of at most one `mnist_cnn.datasets.parts.Source`.

    Only one, because a folder often has the same data packed and unpacked.
    """
    for version, (pattern, archive) in VERSIONS.items():
        names = [pattern.format(name) for name in BATCHES]
        for path in paths:
            if path.name in names or path.name == archive:
                place = path if path.name == archive else path.parent
                files = [path] if place is path else [other for other in paths if other.parent == place]
                return [Source(str(place), functools.partial(_read_found, version, place), files)]
    return []


def _read_found(version, place):
    training, test, classes, entry = read_source(version, place)
    return Found(
        {part: Part(*arrays, place, place) for part, arrays in (("train", training), ("test", test))}, classes, entry
    )


def read_source(
    version: str, path: Path | str
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], tuple[str, ...], Entry | None]:
    """Read a data set in CIFAR-10's files.

    Parameters
    ----------
    version : str
        'python' or 'binary'.
    path : path-like
        The folder of the files, or the archive.

    Returns
    -------
    training, test : pairs of uint8 arrays
        Images, (n, 3, 32, 32), and labels, (n,).
    classes : tuple of str
        From the file of names beside the batches; otherwise ten numbers.
    entry : Entry or None
        CIFAR-10's entry where the content has the published digests.

    Raises
    ------
    MnistCnnError
        When a file is missing, cannot be read, or is invalid.
    """
    path = Path(path)
    contents = _read_files(version, path)
    files = [VERSIONS[version][0].format(name) for name in BATCHES]
    absent = [file for file in files if file not in contents]
    if absent:
        raise MnistCnnError("{} has no {}".format(path, ", ".join(absent)))
    classes = _read_meta(version, contents, path) or number_names(10)
    read_batch = _read_pickled if version == "python" else _read_rows
    batches = []
    for file in files:
        place = path / file if path.is_dir() else "{} ({})".format(path, file)
        images, labels = read_batch(contents[file], place)
        check_pair(place, place, images, labels, SHAPE, len(classes))
        batches.append((images, labels))
    images, labels = (np.concatenate(parts) for parts in zip(*batches[:-1]))
    return (images, labels), batches[-1], classes, _recognise(version, contents)


def _read_files(version, path):
    """Read the files of a version, a dict from their names to bytes."""
    pattern = VERSIONS[version][0]
    wanted = {pattern.format(name): MAX_BYTES for name in BATCHES}
    wanted[META if version == "python" else META + ".txt"] = 10**5
    if path.is_file():
        return read_tar(path, wanted)
    contents = {}
    for name, limit in wanted.items():
        try:
            with open(path / name, "rb") as file:
                contents[name] = file.read(limit + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MnistCnnError("cannot read {}: {}".format(path / name, error.strerror or error)) from error
        if len(contents[name]) > limit:
            raise MnistCnnError(
                "{} has more than {} bytes, too many for a batch of CIFAR-10".format(path / name, limit)
            )
    return contents


def _read_rows(content, place):
    """Decode images and labels of a batch of the binary version."""
    if not content or len(content) % ROW:
        raise MnistCnnError(
            "{} is not a batch of CIFAR-10's binary version: it has {} bytes, not a multiple of {}".format(
                place, len(content), ROW
            )
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, ROW)
    return rows[:, 1:].reshape((-1,) + SHAPE), rows[:, 0]


def _read_pickled(content, place):
    """Decode images and labels of a batch of the Python version."""
    try:
        batch = read_pickle(content)
        if not isinstance(batch, dict):
            raise ValueError("it is not a dictionary")
        images, labels = (batch.get(key.encode(), batch.get(key)) for key in ("data", "labels"))
        if (
            not isinstance(images, np.ndarray)
            or images.dtype != np.uint8
            or images.ndim != 2
            or images.shape[1] != ROW - 1
        ):
            raise ValueError("its 'data' are not an array of bytes of shape (n, {})".format(ROW - 1))
        if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < MAX_LABELS for label in labels):
            raise ValueError("its 'labels' are not a list of numbers from 0 to {}".format(MAX_LABELS - 1))
    except ValueError as error:
        raise MnistCnnError(
            "{} is not a batch of CIFAR-10's Python version: {}".format(
                place, " ".join(str(error).split())[:MAX_REASON]
            )
        ) from error
    return images.reshape((-1,) + SHAPE), np.array(labels, np.uint8)


def _read_meta(version, contents, path):
    """Read the names of the classes; None where the file of names is missing."""
    if version == "binary":
        name = META + ".txt"
        names = contents.get(name, b"").decode("utf-8", "replace").splitlines()
    else:
        name = META
        try:
            meta = read_pickle(contents[name]) if name in contents else {b"label_names": []}
            words = meta.get(b"label_names", meta.get("label_names"))
            names = [word if isinstance(word, str) else word.decode("utf-8", "replace") for word in words]
        except (ValueError, AttributeError, TypeError) as error:
            raise MnistCnnError("{} of {} holds no names of classes".format(name, path)) from error
    return check_names(names, "{} of {}".format(name, path)) if name in contents else None


def _recognise(version, contents):
    """Return CIFAR-10's entry where the files have the published digests, else None."""
    entry = DATASETS["cifar10"]
    digests = entry.files if version == "python" else BINARY_DIGESTS
    return entry if all(hashlib.md5(contents[name]).hexdigest() == digest for name, digest in digests.items()) else None


def missing(entry: Entry, folder: Path) -> list[str]:
    """List the files to download into a folder: the archive, or none where it holds CIFAR-10."""
    return [] if find(visible_files(folder)) else list(entry.packed)


def read_entry(entry: Entry, paths: Iterable[Path]) -> Found:
    """Read CIFAR-10 from its files, in any version, as a `mnist_cnn.datasets.parts.Found`.

    MnistCnnError where a file is missing or invalid, or its digest is not the published one.
    """
    (source,) = find(paths)
    found = source.read()
    if found.entry is not entry:
        raise MnistCnnError(
            "{} is not {}: its digests differ; leave out --dataset to use it as unnamed data".format(
                source.name, entry.title
            )
        )
    return found
