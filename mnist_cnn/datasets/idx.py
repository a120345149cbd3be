"""The family of data sets that lie in four IDX files, as MNIST does."""

import hashlib
import struct

import numpy as np

from ..data import check_pair, parse_idx, read_idx
from ..support.about import MAX_NAME, number_names
from ..support.errors import MnistCnnError
from .archives import open_in_zip
from .catalogue import DATASETS

__all__ = ["idx_digest", "find_files", "find_splits", "missing", "read_entry", "read_unnamed",
           "read_names", "check_names", "recognise"]

MAX_LABELS = 256
NAMES_FILE = "classes.txt"


def idx_digest(array):
    """MD5 of the IDX file of an array of unsigned bytes, unpacked, as hexadecimal digits.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED, read_idx
    >>> from mnist_cnn.datasets.idx import idx_digest
    >>> idx_digest(read_idx(PACKAGED / "t10k-labels-idx1-ubyte.gz"))
    '27ae3e4e09519cfbb04c329615203637'
    """
    header = struct.pack(">4B{}I".format(array.ndim), 0, 0, 8, array.ndim, *array.shape)
    digest = hashlib.md5(header)
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def find_files(entry, folder):
    """Find an entry's files in a folder.

    Parameters
    ----------
    entry : Entry
        Of this family.
    folder : pathlib.Path

    Returns
    -------
    dict
        From the name of each of `entry.files` that is there to its path, which is that of the
        archive where it lies in one.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets import find_entry
    >>> from mnist_cnn.datasets.idx import find_files
    >>> find_files(find_entry("mnist"), PACKAGED)["t10k-images-idx3-ubyte"].name
    't10k-images-idx3-ubyte.gz'
    """
    found = {}
    for name in entry.files:
        for path in (folder / (name + ".gz"), folder / name, folder / "gzip" / (name + ".gz"),
                     *(folder / archive for archive in entry.packed if archive.endswith(".zip"))):
            if path.is_file():
                found[name] = path
                break
    return found


def find_splits(folder):
    """The entries, other than those in MNIST's own four files, whose files a folder holds.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets.idx import find_splits
    >>> find_splits(PACKAGED)  # MNIST's own four files alone
    []
    """
    return [entry for entry in DATASETS.values()
            if entry.family == "idx" and entry.files.keys() != DATASETS["mnist"].files.keys()
            and len(find_files(entry, folder)) == len(entry.files)]


def missing(entry, folder):
    """The files to download into a folder so that it holds an entry's data set.

    Parameters
    ----------
    entry : Entry
        Of this family.
    folder : pathlib.Path

    Returns
    -------
    list of str
        Names out of `entry.packed`.

    Raises
    ------
    MnistCnnError
        When files are missing and those that are there are of another data set.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets import find_entry
    >>> from mnist_cnn.datasets.idx import missing
    >>> missing(find_entry("mnist"), PACKAGED)
    []
    """
    found = find_files(entry, folder)
    lacking = [name for name in entry.files if name not in found]
    if not lacking:
        return []
    if len(entry.packed) == 1:  # an archive of them all
        return list(entry.packed)
    for name, path in found.items():
        if entry.files[name] not in (None, idx_digest(read_idx(path))):
            raise MnistCnnError(
                "{} lacks {}, and its {} is not {}'s: put the missing files of that data set "
                "there by hand, or name another folder".format(
                    folder, ", ".join(lacking), path.name, entry.title))
    return [name + ".gz" for name in lacking]


def _read(path, name):
    """The array of one file, which may lie in an archive, and what to call it in messages."""
    if path.suffix != ".zip":
        return read_idx(path), path
    with open_in_zip(path, (name + ".gz", name)) as file:
        if file is None:
            raise MnistCnnError("{} holds no {}.gz".format(path, name))
        place = "{} ({})".format(path, name)
        return parse_idx(file, place), place


def read_entry(entry, folder):
    """Read a data set of the catalogue.

    Parameters
    ----------
    entry : Entry
        Of this family.
    folder : pathlib.Path
        With all of its files.

    Returns
    -------
    training, test : pairs of uint8 arrays
        Images, (n, rows, columns), upright, and labels, (n,), from 0.

    Raises
    ------
    MnistCnnError
        When a file cannot be read, is not what the entry says, or does not have its digest.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets import find_entry
    >>> from mnist_cnn.datasets.idx import read_entry
    >>> (images, labels), test = read_entry(find_entry("mnist"), PACKAGED)
    >>> images.shape, labels[:5]
    ((60000, 28, 28), array([5, 0, 4, 1, 9], dtype=uint8))
    """
    paths, names = find_files(entry, folder), list(entry.files)
    halves = []
    for half in (names[:2], names[2:]):
        (images, images_at), (labels, labels_at) = (_read(paths[name], name) for name in half)
        for name, array, place in zip(half, (images, labels), (images_at, labels_at)):
            if entry.files[name] not in (None, idx_digest(array)):
                raise MnistCnnError("{} is not {}'s: its digest differs".format(
                    place, entry.title))
        if entry.first_label and labels.size:
            if labels.min() < entry.first_label:
                raise MnistCnnError("{} has the label {}; those of {} begin at {}".format(
                    labels_at, labels.min(), entry.title, entry.first_label))
            labels = labels - np.uint8(entry.first_label)
        check_pair(images_at, labels_at, images, labels, entry.shape[1:], len(entry.classes))
        halves.append((images.swapaxes(1, 2) if entry.transposed else images, labels))
    other = recognise(folder, *halves) if None in entry.files.values() else None
    if other not in (None, entry):  # one whose digests nobody published may still be known
        raise MnistCnnError("{} holds {}, not {}".format(folder, other.title, entry.title))
    return halves


def read_unnamed(folder):
    """Read whatever data set lies in MNIST's four files.

    Parameters
    ----------
    folder : pathlib.Path
        With the four files, and perhaps a text file ``classes.txt`` with a name of a class a line.

    Returns
    -------
    training, test : pairs of uint8 arrays
        Images, (n, rows, columns), and labels, (n,).
    classes : tuple of str
        The names from that file, else ten numbers.

    Raises
    ------
    MnistCnnError
        When a file is missing or cannot be used.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets.idx import read_unnamed
    >>> training, (images, labels), classes = read_unnamed(PACKAGED)
    >>> images.shape, classes[:3]
    ((10000, 28, 28), ('0', '1', '2'))
    """
    entry = DATASETS["mnist"]
    paths = find_files(entry, folder)
    for name in entry.files:
        if name not in paths:
            raise MnistCnnError("{} has no file {}.gz".format(folder, name))
    classes = read_names(folder / NAMES_FILE) or number_names(10)
    arrays = [read_idx(paths[name]) for name in entry.files]
    if arrays[0].ndim not in (3, 4):
        raise MnistCnnError("{} holds an array of shape {}, not images of shape (n, rows, columns) "
                            "or (n, channels, rows, columns)".format(
                                paths["train-images-idx3-ubyte"], arrays[0].shape))
    names = list(entry.files)
    for first in (0, 2):
        check_pair(paths[names[first]], paths[names[first + 1]], *arrays[first:first + 2],
                   arrays[0].shape[1:], len(classes))
    return tuple(arrays[:2]), tuple(arrays[2:]), classes


def read_names(path):
    """Names of classes, a line each, from a text file; None where there is no such file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.datasets.idx import read_names
    >>> path = Path("classes.txt")
    >>> _ = path.write_text(chr(10).join(["cat", "dog"]))
    >>> read_names(path)
    ('cat', 'dog')
    """
    if not path.is_file():
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_LABELS * 100)
    except (OSError, UnicodeDecodeError) as error:
        raise MnistCnnError("cannot read {}: {}".format(
            path, getattr(error, "strerror", None) or "it is no text in UTF-8")) from error
    return check_names(text.splitlines(), path)


def check_names(names, place):
    """Names of classes, a tuple, as they come from a file.

    Parameters
    ----------
    names : sequence of str
        Empty ones do not count.
    place : path-like
        Where they come from, for a message.

    Returns
    -------
    tuple of str

    Raises
    ------
    MnistCnnError
        When they are no names of classes.

    Examples
    --------
    >>> from mnist_cnn.datasets.idx import check_names
    >>> check_names(["cat", "dog", ""], "classes.txt")
    ('cat', 'dog')
    """
    names = tuple(name.strip() for name in names if name.strip())
    if not 2 <= len(names) <= MAX_LABELS or len(set(names)) < len(names) \
            or not all(name.isprintable() and len(name) <= MAX_NAME for name in names):
        raise MnistCnnError("{} holds no names of classes: 2 to {} different ones are wanted, a "
                            "line each, of up to {} characters".format(place, MAX_LABELS, MAX_NAME))
    return names


def recognise(folder, training, test):
    """Find the data set of the catalogue that lies in MNIST's four files.

    Parameters
    ----------
    folder : pathlib.Path
        Where they lie.
    training, test : pairs of uint8 arrays
        Images and labels, as `read_unnamed` returns them.

    Returns
    -------
    Entry or None
        The one whose published digests, unpacked or packed, are those of the files.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets.idx import read_unnamed, recognise
    >>> training, test, classes = read_unnamed(PACKAGED)
    >>> recognise(PACKAGED, training, test).title
    'MNIST'
    """
    paths = find_files(DATASETS["mnist"], folder)
    arrays = dict(zip(DATASETS["mnist"].files, (*training, *test)))

    def belongs(entry, name):
        if entry.files[name] is not None:
            return idx_digest(arrays[name]) == entry.files[name]
        return hashlib.md5(paths[name].read_bytes()).hexdigest() == entry.packed[name + ".gz"]

    if not paths:
        return None
    smallest_first = sorted(arrays, key=lambda name: arrays[name].size)
    for entry in DATASETS.values():
        if entry.files.keys() == arrays.keys() \
                and all(belongs(entry, name) for name in smallest_first):
            return entry
    return None
