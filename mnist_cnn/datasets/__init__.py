"""Data sets that are known by name, and what is in a folder of files.

``DATASETS`` is the catalogue; `mnist_cnn.data.load_dataset` comes here for all data but the copy of
MNIST in the package.
"""

from pathlib import Path

import numpy as np

from ..data import BASE_URLS, download, split_dataset
from ..support.download import fetch
from ..support.errors import MnistCnnError
from ..support.files import make_folder
from . import cifar10, idx
from .cache import SYSTEM_FOLDERS, VARIABLE, cache_folder
from .catalogue import DATASETS, Entry, find_entry

__all__ = ["DATASETS", "Entry", "find_entry", "cache_folder", "VARIABLE", "load"]

FAMILIES = {"idx": idx, "cifar10": cifar10}


def load(dataset=None, data_dir=None, base_urls=None, timeout=10):
    """Load a data set by its name, from a folder, or both.

    Parameters
    ----------
    dataset, data_dir, base_urls
        As for `mnist_cnn.data.load_dataset`.
    timeout : float
        Seconds to wait for a server's next bytes.

    Returns
    -------
    mnist_cnn.support.about.Dataset

    Raises
    ------
    MnistCnnError
        When there is no such data set, or files are missing and cannot be had, or are not what
        they should be.

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED
    >>> from mnist_cnn.datasets import load
    >>> dataset = load("mnist", PACKAGED)
    >>> dataset.name, dataset.classes[7], dataset[0].shape
    ('mnist', '7', (50000, 1, 28, 28))
    """
    if dataset is None:
        return _load_folder(Path(data_dir), base_urls, timeout)
    entry = find_entry(dataset)
    folder = _complete(entry, data_dir, base_urls, timeout)
    training, test = FAMILIES[entry.family].read_entry(entry, folder)
    _check_counts(entry, folder, training[1], test[1])
    return split_dataset(folder, training, test, entry.name, entry.classes)


def _complete(entry, data_dir, base_urls, timeout):
    """The folder of an entry's files, those that it lacked downloaded."""
    family = FAMILIES[entry.family]
    if data_dir is not None:
        folder = Path(data_dir)
        if not folder.is_dir():
            raise MnistCnnError("there is no folder {0}; create it (mkdir {0}), and {1} is "
                                "downloaded into it".format(folder, entry.title))
    else:
        for folder in map(Path, SYSTEM_FOLDERS.get(entry.name, ())):
            if folder.is_dir() and not family.missing(entry, folder):
                return folder
        folder = make_folder(cache_folder(entry.name))
    urls = list(base_urls or entry.urls)
    for name in family.missing(entry, folder):
        fetch(folder, name, entry.packed[name], urls, timeout)
    return folder


def _check_counts(entry, folder, *halves):
    """Refuse labels of other numbers than an entry's; this is all one can check of some."""
    for labels, count, what in zip(halves, entry.counts or (None, None), ("training", "test")):
        if count is not None and len(labels) != count:
            raise MnistCnnError("{} has {} {} examples; {} has {}".format(
                folder, len(labels), what, entry.title, count))
        counts = np.bincount(labels, minlength=len(entry.classes))
        if entry.balanced and (counts != counts[0]).any():
            raise MnistCnnError("{} has from {} to {} {} examples of a class; {} has as many of "
                                "each".format(folder, counts.min(), counts.max(), what,
                                              entry.title))


def _load_folder(folder, base_urls, timeout):
    """Whatever data set lies in a folder; MNIST, downloaded, where none does."""
    source = cifar10.find_source(folder)
    if source is not None:
        training, test, classes, entry = cifar10.read_source(*source)
    elif not idx.find_files(DATASETS["mnist"], folder) and idx.find_splits(folder):
        return load(_only(folder, idx.find_splits(folder)).name, folder)
    else:
        download(folder, base_urls or BASE_URLS, timeout)
        training, test, classes = idx.read_unnamed(folder)
        entry = idx.recognise(folder, training, test)
    if entry is not None:
        classes = entry.classes
    return split_dataset(folder, training, test, entry and entry.name, classes)


def _only(folder, entries):
    if len(entries) > 1:
        raise MnistCnnError("{} holds {} data sets; say which (--dataset): {}".format(
            folder, len(entries), ", ".join(entry.name for entry in entries)))
    return entries[0]
