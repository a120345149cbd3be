"""Data sets by name, and data sets in a folder of files.

``DATASETS`` is the catalogue, ``FORMS`` lists the file formats. `mnist_cnn.data.load_dataset` calls
`load` for all data except the copy of MNIST in the package.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..storage.atomic import make_folder
from ..storage.download import fetch
from ..system.errors import MnistCnnError
from . import arrays, cifar10, four_files, matlab, parquet, pickled, pictures, tables
from .cache import SYSTEM_FOLDERS, VARIABLE, cache_folder
from .card import Dataset
from .catalogue import DATASETS, Entry, find_entry
from .folder import is_own_output, visible_files
from .idx import canonical_name
from .mnist import PACKAGED
from .parts import NAMES_FILE, as_images, as_labels, check_pair, name_classes
from .split import split_dataset

__all__ = ["DATASETS", "Entry", "find_entry", "cache_folder", "VARIABLE", "FORMS", "load", "dataset_files"]

#: The module that reads the files of a catalogue entry, by the entry's family.
FAMILIES = {"idx": four_files, "cifar10": cifar10}

#: The file formats, one module each: `find` selects files by name, and reading gives images and
#: labels. docs/other-data.md has a line for each.
FORMS = (four_files, cifar10, tables, arrays, matlab, pickled, pictures, parquet)

MAX_NAMED = 3  # files, in a message


def load(
    dataset: str | None = None,
    data_dir: Path | str | None = None,
    base_urls: Sequence[str] | None = None,
    timeout: float = 10,
) -> Dataset:
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
        When the name is unknown, or files are missing, cannot be downloaded or are invalid.
    """
    wanted = None if dataset is None else find_entry(dataset)
    if data_dir is None:
        entry = wanted or four_files.MNIST
        folder = _published(entry, base_urls, timeout)
        found = FAMILIES[entry.family].read_entry(entry, visible_files(folder))
    else:
        folder = Path(data_dir)
        found = _read_folder(folder, wanted, base_urls, timeout)
    return _as_dataset(found, folder, wanted)


def dataset_files(data_dir: Path | str | None = None, dataset: str | None = None) -> list[Path]:
    """List the files that a data set may be read from, so that no command overwrites them.

    Parameters
    ----------
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset`.

    Returns
    -------
    list of path
        All files in the folder and its subfolders, except for this package's own output.
    """
    folder = PACKAGED if dataset is None or dataset == "mnist" else cache_folder(dataset)
    if data_dir is not None:
        folder = Path(data_dir)
    return [path for path in visible_files(folder) if not is_own_output(path)]


def _published(entry, base_urls, timeout):
    """The folder with an entry's files: the system's, or the user's cache after a download."""
    family = FAMILIES[entry.family]
    for folder in map(Path, SYSTEM_FOLDERS.get(entry.name, ())):
        if folder.is_dir() and not family.missing(entry, folder):
            return folder
    folder = make_folder(cache_folder(entry.name))
    _complete(entry, folder, base_urls, timeout)
    return folder


def _complete(entry, folder, base_urls, timeout):
    """Download the missing files of an entry into a folder."""
    urls = list(base_urls or entry.urls)
    for name in FAMILIES[entry.family].missing(entry, folder):
        fetch(folder, name, entry.packed[name], urls, timeout, "the four files" if len(entry.packed) == 4 else None)


def _read_folder(folder, wanted, base_urls, timeout):
    """Read the data set in the user's folder, or download one into an empty folder."""
    entry = wanted or four_files.MNIST
    family = FAMILIES[entry.family]
    if not os.path.exists(folder):  # unlike pathlib's, it never raises
        raise MnistCnnError(
            "there is no folder {0}; create it (mkdir {0}) to download {1} into it".format(folder, entry.title)
        )
    paths = visible_files(folder)
    if wanted is not None and not family.missing(wanted, folder):
        return family.read_entry(wanted, paths)
    # a named data set may lie beside other data sets of the catalogue
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
            "folder only; the formats that can be read: docs/other-data.md".format(
                folder,
                ", ".join(
                    str(path.relative_to(folder)) if path != folder else path.name for path in strangers[:MAX_NAMED]
                ),
                " and {} more files".format(len(strangers) - MAX_NAMED) if len(strangers) > MAX_NAMED else "",
                entry.title,
            )
        )
    _complete(entry, folder, base_urls, timeout)
    return family.read_entry(entry, visible_files(folder))


def _strangers(paths, entries):
    """The files that are neither this package's output nor files of these catalogue entries."""
    published = {name for entry in entries for name in (*entry.files, *entry.packed)}
    return [
        path
        for path in paths
        if not is_own_output(path) and path.name not in published and canonical_name(path.name) not in published
    ]


def _as_dataset(found, folder, wanted):
    """Check what was read, and make the six arrays of it."""
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
    """The text file with names of classes in a folder, or beside a file; None if there is none."""
    path = (folder if os.path.isdir(folder) else folder.parent) / NAMES_FILE
    return path if os.path.isfile(path) else None


def _check_counts(entry, folder, parts):
    """Refuse data whose numbers of examples differ from the entry's; some entries have no digests."""
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
