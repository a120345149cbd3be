"""Arrays in an npz file: Keras' mnist.npz (x_train, ...), MedMNIST's (train_images, ...)."""

import functools
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..storage.npz import MAX_REASON
from ..system.errors import MnistCnnError
from .folder import is_own_output
from .parts import Found, Part, Source, part_of

__all__ = ["find"]

IMAGES, LABELS = ("x", "images", "imgs", "image", "data"), ("y", "labels", "label", "targets", "target")


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the data sets in npz files, a list of `mnist_cnn.datasets.parts.Source`."""
    sources = []
    for path in paths:
        if path.suffix.lower() == ".npz" and not is_own_output(path):
            names = _names_by_part(path)
            if "train" in names:
                sources.append(Source(str(path), functools.partial(_read, path, names), [path]))
    return sources


def _names_by_part(path):
    """Map each part to the names of its images and its labels."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name[: -len(".npy")] for name in archive.namelist() if name.endswith(".npy")]
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return {}
    found = {}
    for name in names:
        words = re.split("[^a-z]+", name.lower())
        for k, known in enumerate((IMAGES, LABELS)):
            if set(words) & set(known):
                found.setdefault(part_of(name), {}).setdefault(k, name)
    found = {part: pair for part, pair in found.items() if len(pair) == 2}
    return {"train": found[None]} if set(found) == {None} else found


def _read(path, names):
    try:
        with np.load(path, allow_pickle=False) as archive:
            return Found(
                {
                    part: Part(*(archive[pair[k]] for k in (0, 1)), *("{} ({})".format(path, pair[k]) for k in (0, 1)))
                    for part, pair in names.items()
                    if part
                }
            )
    except Exception as error:  # NumPy parses headers as Python, which may raise anything
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:MAX_REASON]
        raise MnistCnnError(
            "{} holds no arrays that can be read: {}".format(path, reason or "it is damaged")
        ) from error
