"""Data sets that are known by name, and what lies in a folder of files, in whatever form.

``DATASETS`` is the catalogue, ``FORMS`` are the forms; `mnist_cnn.data.load_dataset` comes here for
all data but the copy of MNIST in the package.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np

from ..storage.atomic import make_folder
from ..storage.download import fetch
from ..system.errors import MnistCnnError
from . import arrays, cifar10, four_files, matlab, parquet, pickled, pictures, tables
from .cache import SYSTEM_FOLDERS, VARIABLE, cache_folder
from .catalogue import DATASETS, Entry, find_entry
from .folder import is_own_output, visible_files
from .idx import canonical_name
from .mnist import PACKAGED
from .parts import NAMES_FILE, as_images, as_labels, check_pair, name_classes
from .split import split_dataset

__all__ = ["DATASETS", "Entry", "find_entry", "cache_folder", "VARIABLE", "FORMS", "load", "dataset_files"]

#: How the files of a data set of the catalogue are read, by its family.
FAMILIES = {"idx": four_files, "cifar10": cifar10}

#: The forms in which a folder's data are read: each module finds its own among the files by name,
#: and gives images and labels. docs/other-data.md has a line for each.
FORMS = (four_files, cifar10, tables, arrays, matlab, pickled, pictures, parquet)

MAX_NAMED = 3  # files, in a message


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
    mnist_cnn.datasets.card.Dataset

    Raises
    ------
    MnistCnnError
        When there is no such data set, or files are missing and cannot be had, or are not what
        they should be.
    """
    wanted = None if dataset is None else find_entry(dataset)
    if data_dir is None:
        folder = _published(wanted, base_urls, timeout)
        found = FAMILIES[wanted.family].read_entry(wanted, visible_files(folder))
    else:
        folder = Path(data_dir)
        found = _read_folder(folder, wanted, base_urls, timeout)
    return _as_dataset(found, folder, wanted)


def dataset_files(data_dir=None, dataset=None):
    """The files that a data set may be read from: what no command may write over.

    Parameters
    ----------
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset`.

    Returns
    -------
    list of path
        All that lies in the folder and in those below it, but for what this package writes there.
    """
    folder = data_dir
    if data_dir is None:
        folder = PACKAGED if dataset in (None, "mnist") else cache_folder(dataset)
    return [path for path in visible_files(folder) if not is_own_output(path)]


def _published(entry, base_urls, timeout):
    """The folder that has an entry's files: the system's, or the user's cache, completed."""
    family = FAMILIES[entry.family]
    for folder in map(Path, SYSTEM_FOLDERS.get(entry.name, ())):
        if folder.is_dir() and not family.missing(entry, folder):
            return folder
    folder = make_folder(cache_folder(entry.name))
    _complete(entry, folder, base_urls, timeout)
    return folder


def _complete(entry, folder, base_urls, timeout):
    """Download those of an entry's files that a folder lacks."""
    urls = list(base_urls or entry.urls)
    for name in FAMILIES[entry.family].missing(entry, folder):
        fetch(folder, name, entry.packed[name], urls, timeout, "the four files" if len(entry.packed) == 4 else None)


def _read_folder(folder, wanted, base_urls, timeout):
    """What lies in the user's folder; a data set is downloaded only where nothing else lies."""
    entry = wanted or four_files.MNIST
    family = FAMILIES[entry.family]
    if not os.path.exists(folder):  # unlike pathlib's it answers for every path
        raise MnistCnnError(
            "there is no folder {0}; create it (mkdir {0}), and {1} is downloaded into it".format(folder, entry.title)
        )
    paths = visible_files(folder)
    if wanted is not None and not family.missing(wanted, folder):
        return family.read_entry(wanted, paths)
    # who names a data set may have others of the catalogue beside it
    strangers = _strangers(paths, [entry] if wanted is None else DATASETS.values())
    if wanted is None or strangers:
        sources = [source for form in FORMS for source in form.find(paths)]
        if len(sources) > 1:
            raise MnistCnnError(
                "{} holds {} data sets; say which (--dataset NAME or --data-dir PATH): {}".format(
                    folder, len(sources), ", ".join(source.name for source in sources)
                )
            )
        if sources:
            return sources[0].read()
    if strangers:
        raise MnistCnnError(
            "{} holds no data set that can be read: it has {}{}. {} is downloaded into an empty "
            "folder only; the forms that are read: docs/other-data.md".format(
                folder,
                ", ".join(
                    str(path.relative_to(folder)) if path != folder else path.name for path in strangers[:MAX_NAMED]
                ),
                " and {} files more".format(len(strangers) - MAX_NAMED) if len(strangers) > MAX_NAMED else "",
                entry.title,
            )
        )
    _complete(entry, folder, base_urls, timeout)
    return family.read_entry(entry, visible_files(folder))


def _strangers(paths, entries):
    """The files that neither this package writes nor these data sets consist of."""
    published = {name for entry in entries for name in (*entry.files, *entry.packed)}
    return [
        path
        for path in paths
        if not is_own_output(path) and path.name not in published and canonical_name(path.name) not in published
    ]


def _as_dataset(found, folder, wanted):
    """The six arrays of what was read, checked."""
    parts = {}
    for name in ("train", "val", "test"):
        if name not in found.parts:
            continue
        part = found.parts[name]
        images, labels = as_images(part.images, part.images_at), as_labels(part.labels, part.labels_at)
        shape = images.shape[1:] if not parts else parts["train"].images.shape[1:]
        check_pair(part.images_at, part.labels_at, images, labels, shape, np.inf)
        parts[name] = part._replace(images=images, labels=labels)
    found = dataclasses.replace(found, parts=parts)
    entry, classes = found.entry, found.classes
    if entry is None:
        labels, classes = name_classes(found, folder, _names_file(folder))
        parts = {name: part._replace(labels=labels[name]) for name, part in parts.items()}
        entry = four_files.recognise(dataclasses.replace(found, parts=parts))
    if wanted not in (None, entry):
        raise MnistCnnError("{} holds {}, not {}".format(folder, entry.title if entry else "other data", wanted.title))
    if wanted is not None:
        _check_counts(wanted, folder, parts)
    return split_dataset(
        folder,
        {name: (part.images, part.labels.astype(np.uint8)) for name, part in parts.items()},
        entry and entry.name,
        entry.classes if entry else classes,
    )


def _names_file(folder):
    """The text file in a folder, or beside a file, that names the classes, if there is one."""
    path = (folder if os.path.isdir(folder) else folder.parent) / NAMES_FILE
    return path if os.path.isfile(path) else None


def _check_counts(entry, folder, parts):
    """Refuse labels of other numbers than an entry's; this is all one can check of some."""
    for part, count, what in zip(("train", "test"), entry.counts or (None, None), ("training", "test")):
        labels = np.concatenate(
            [labels for name, (_, labels, *_) in parts.items() if (name == "test") == (part == "test")]
        )
        if count is not None and len(labels) != count:
            raise MnistCnnError(
                "{} has {} {} examples; {} has {}".format(folder, len(labels), what, entry.title, count)
            )
        counts = np.bincount(labels, minlength=len(entry.classes))
        if entry.balanced and (counts != counts[0]).any():
            raise MnistCnnError(
                "{} has from {} to {} {} examples of a class; {} has as many of each".format(
                    folder, counts.min(), counts.max(), what, entry.title
                )
            )
