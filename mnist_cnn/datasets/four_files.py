"""Data sets in four IDX files, as MNIST: those of the catalogue, and others."""

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..system.errors import MnistCnnError
from .archives import open_in_zip
from .catalogue import DATASETS, Entry
from .folder import visible_files
from .idx import canonical_name, idx_digest, parse_idx, read_idx
from .parts import Found, Part, Source, check_pair

__all__ = ["find_files", "missing", "read_entry", "find", "recognise"]

MNIST = DATASETS["mnist"]
QMNIST_COLUMNS = 8


def find_files(entry: Entry, folder: Path) -> dict[str, Path]:
    """Find an entry's files in a folder or its subfolders.

    Parameters
    ----------
    entry : Entry
        Of this family.
    folder : pathlib.Path

    Returns
    -------
    dict
        From each name of `entry.files` that was found, with hyphens or dots, packed or not, to the path
        of the file, or of the archive that holds it.
    """
    return _files_of(entry, visible_files(folder))


def _files_of(entry, paths):
    found = {}
    for path in _packed_first(paths):
        if canonical_name(path.name) in entry.files:
            found.setdefault(canonical_name(path.name), path)
        elif path.suffix == ".zip" and path.name in entry.packed:
            for name in entry.files:
                found.setdefault(name, path)
    return found


def _packed_first(paths):
    """Sort paths so that a packed file comes before its unpacked copy."""
    return sorted(paths, key=lambda path: (len(path.parts), path.suffix != ".gz"))


def missing(entry: Entry, folder: Path) -> list[str]:
    """List the files to download into a folder so that it holds an entry's data set.

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
        When files are missing, and the others belong to another data set.
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
                "there by hand, or name another folder".format(folder, ", ".join(lacking), path.name, entry.title)
            )
    return [name + ".gz" for name in lacking]


def _read(path, name):
    """Read the array of one file, perhaps in an archive; return also its name for messages."""
    if path.suffix != ".zip":
        return read_idx(path), path
    with open_in_zip(path, (name + ".gz", name)) as file:
        if file is None:
            raise MnistCnnError("{} holds no {}.gz".format(path, name))
        place = "{} ({})".format(path, name)
        return parse_idx(file, place), place


def read_entry(entry: Entry, paths: Iterable[Path]) -> Found:
    """Read a data set of the catalogue.

    Parameters
    ----------
    entry : Entry
        Of this family.
    paths : list of pathlib.Path
        Its files, or the archive of them.

    Returns
    -------
    Found
        Images upright, labels from 0.

    Raises
    ------
    MnistCnnError
        When a file cannot be read, does not match the entry, or has another digest.
    """
    files, names = _files_of(entry, paths), list(entry.files)
    parts = {}
    for part, half in (("train", names[:2]), ("test", names[2:])):
        (images, images_at), (labels, labels_at) = (_read(files[name], name) for name in half)
        for name, array, place in zip(half, (images, labels), (images_at, labels_at)):
            if entry.files[name] not in (None, idx_digest(array)):
                raise MnistCnnError("{} is not {}'s: its digest differs".format(place, entry.title))
        if entry.first_label and labels.size:
            if labels.min() < entry.first_label:
                raise MnistCnnError(
                    "{} has the label {}; those of {} begin at {}".format(
                        labels_at, labels.min(), entry.title, entry.first_label
                    )
                )
            labels = labels - np.uint8(entry.first_label)
        check_pair(images_at, labels_at, images, labels, entry.shape[1:], len(entry.classes))
        parts[part] = Part(images.swapaxes(1, 2) if entry.transposed else images, labels, images_at, labels_at)
    found = Found(parts, entry.classes, entry, packed=files)
    other = recognise(found) if None in entry.files.values() else None
    if other not in (None, entry):  # an entry without digests: the data may be another entry's
        raise MnistCnnError("{} holds {}, not {}".format(files[names[0]], other.title, entry.title))
    return found


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the data sets that have all four IDX files, a list of `Source`."""
    groups, sources = defaultdict(dict), []
    for path in _packed_first(paths):
        name = canonical_name(path.name)
        if name is not None:
            home = path.parent
            if canonical_name(home.name):  # unpacked into a folder with the file's name
                home = home.parent
            ((prefix, half, what),) = re.findall("(.*?)(train|t10k|test)-(images|labels)-.*", name)
            groups[home, prefix].setdefault(("train" if half == "train" else "test", what), path)
    for (home, prefix), files in groups.items():
        if len(files) < 4:
            continue
        entry = DATASETS.get(prefix[:-1])
        if entry is not None and len(_files_of(entry, files.values())) == 4:
            sources.append(_source_of(entry, list(files.values())))
        else:
            sources.append(Source(str(home / prefix), functools.partial(_read_unnamed, files), list(files.values())))
    for path in paths:
        sources += [
            _source_of(entry, [path])
            for entry in DATASETS.values()
            if path.suffix == ".zip" and path.name in entry.packed
        ]
    return sources


def _source_of(entry, paths):
    return Source(entry.name, lambda: read_entry(entry, paths), paths)


def _read_unnamed(files):
    """Read four files that belong to no catalogue entry."""
    parts = {}
    for half in ("train", "test"):
        images_at, labels_at = files[half, "images"], files[half, "labels"]
        images, labels = read_idx(images_at), read_idx(labels_at)
        if labels.ndim == 2 and labels.shape[1] == QMNIST_COLUMNS:
            labels = labels[:, 0]  # the class; the other columns are the writer and NIST's indices
        parts[half] = Part(images, labels, images_at, labels_at)
    return Found(parts, packed={canonical_name(path.name): path for path in files.values() if path.suffix == ".gz"})


def recognise(found: Found) -> Entry | None:
    """Find the `Entry` whose published digests are those of the data; None where there is none.

    The format of the files does not matter, except for entries with digests of packed files only.
    """
    if "test" not in found.parts or found.parts["test"].images[:1].size != MNIST.shape[1] ** 2:
        return None
    halves = ([part for name, part in found.parts.items() if name != "test"], [found.parts["test"]])
    pieces = (
        [getattr(part, kind).reshape(-1, *shape) for part in half]
        for half in halves
        for kind, shape in (("images", MNIST.shape[1:]), ("labels", ()))
    )
    arrays = dict(zip(MNIST.files, (np.concatenate(some) if len(some) > 1 else some[0] for some in pieces)))

    def belongs(entry, name):
        if entry.files[name] is not None:
            return idx_digest(arrays[name].astype(np.uint8)) == entry.files[name]
        return (
            name in found.packed
            and hashlib.md5(found.packed[name].read_bytes()).hexdigest() == entry.packed[name + ".gz"]
        )

    smallest_first = sorted(arrays, key=lambda name: arrays[name].size)
    for entry in DATASETS.values():
        if entry.files.keys() == arrays.keys() and all(belongs(entry, name) for name in smallest_first):
            return entry
    return None
