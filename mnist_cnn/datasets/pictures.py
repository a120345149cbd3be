"""Pictures in a folder for each class: ``training/3/*.png`` and ``testing/3/*.png``, or ``3/*.png``."""

import functools
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..system.errors import MnistCnnError
from .card import MAX_SIDE
from .folder import is_own_output
from .parts import Found, Part, Source, check_names, part_of

__all__ = ["find", "read_pixels", "join_pixels"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the folders of pictures with at least two classes, a list of `mnist_cnn.datasets.parts.Source`."""
    roots = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in paths:
        if path.suffix.lower() in SUFFIXES and not is_own_output(path):
            above = path.parent.parent
            part = part_of(above.name)
            roots[above.parent if part else above][part][path.parent.name].append(path)
    sources = []
    for root, found in roots.items():
        parts = dict(found)
        if "train" not in parts and len(parts) == 1:  # a single part, whatever its name
            parts = {"train": parts[next(iter(parts))]}
        if len(parts.get("train", ())) > 1:
            parts = {part: files for part, files in parts.items() if part}
            sources.append(
                Source(
                    str(root),
                    functools.partial(_read, root, parts),
                    [path for files in parts.values() for some in files.values() for path in some],
                )
            )
    return sources


def _read(root, parts):
    """Read pictures by part and class, as a `Found`."""
    names = sorted(
        {name for files in parts.values() for name in files},
        key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name),
    )
    classes = check_names(names, root)
    found = {}
    for part, files in parts.items():
        paths = [path for name in names for path in files.get(name, ())]
        labels = np.repeat(np.arange(len(names)), [len(files.get(name, ())) for name in names])
        images = join_pixels((path, path) for path in paths)
        found[part] = Part(images, labels, "{} ({})".format(root, part), root)
    return Found(found, classes)


def join_pixels(files: Iterable[tuple[Path | BinaryIO, Path | str]]) -> np.ndarray:
    """Decode pictures of one size.

    Parameters
    ----------
    files : iterable of pairs
        A path or a binary file, and its name in messages.

    Returns
    -------
    uint8 array
        (n, rows, columns) where all are grey, else (n, rows, columns, 3).

    Raises
    ------
    MnistCnnError
        When a file is not a picture, or its size differs from the first picture's.
    """
    pixels, first = [], None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged metadata
        for file, place in files:
            array = read_pixels(file, place)
            if first is None:
                first = place, array.shape[:2]
            if array.shape[:2] != first[1]:
                raise MnistCnnError(
                    "{} has {} x {} pixels and {} has {} x {}; bring all pictures to one size".format(
                        first[0], *first[1], place, *array.shape[:2]
                    )
                )
            pixels.append(array)
    if all(array.ndim == 2 for array in pixels):
        return np.array(pixels)
    colours = np.array([array if array.ndim == 3 else np.stack([array] * 3, axis=-1) for array in pixels])
    is_grey = (colours[..., :1] == colours).all()
    return np.ascontiguousarray(colours[..., 0]) if is_grey else colours


def read_pixels(file: Path | BinaryIO, place: Path | str) -> np.ndarray:
    """Decode a small, untrusted picture.

    Parameters
    ----------
    file : path-like or binary file
    place : path-like
        Its name in messages.

    Returns
    -------
    uint8 array
        (rows, columns) of a grey picture, (rows, columns, 3) of any other.

    Raises
    ------
    MnistCnnError
        When it is not a picture, or too large for the network.
    """
    from PIL import Image  # here, because most data sets do not need it

    from ..pictures.photos import to_rgb
    from ..pictures.reading import DAMAGE, FORMATS

    try:
        with Image.open(file, formats=FORMATS) as picture:
            if max(picture.size) > MAX_SIDE:
                raise MnistCnnError(
                    "{} has {} x {} pixels; make the pictures {} x {} or smaller".format(
                        place, picture.height, picture.width, MAX_SIDE, MAX_SIDE
                    )
                )
            grey = picture.convert("L") if picture.mode == "1" else picture
            return np.array(grey if grey.mode == "L" else to_rgb(grey))
    except OSError as error:
        reason = error.strerror or "it is not a picture (PNG, JPEG or the like), or it is damaged"
        raise MnistCnnError("cannot read {}: {}".format(place, reason)) from error
    except DAMAGE as error:
        raise MnistCnnError("cannot read {}: it is a damaged picture".format(place)) from error
