"""Convert a picture file that does not show handwriting to the shape of a data set's images.

CIFAR-10's colour photographs are cropped close to their object [1]_. Fashion-MNIST's grey images show an
article in the middle of black, made by negating photographs on white [2]_. A user's picture is converted
in the same way.

References
----------
.. [1] A. Krizhevsky: Learning multiple layers of features from tiny images. 2009.
.. [2] H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine
   learning algorithms. 2017, section 2. https://arxiv.org/abs/1708.07747
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..system.errors import MnistCnnError
from .reading import Reading, open_picture, read_digits

if TYPE_CHECKING:
    from ..datasets.card import DataCard

__all__ = ["load_photo", "read_images", "to_rgb"]


def load_photo(path: Path | str, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a picture file to the shape of a network's images.

    Parameters
    ----------
    path : path-like
        As for `mnist_cnn.pictures.reading.read_picture`.
    shape : tuple of int
        Channels, rows and columns. For three channels the picture is read as RGB and cropped around
        its centre to the proportions of `shape`. For one channel it is read as grey, negated if its
        margin is light, and padded with its margin's grey to these proportions.

    Returns
    -------
    float32 array
        Of that shape, in [0, 255/256].

    Raises
    ------
    MnistCnnError
        When the file is not a picture, or `shape` has other than 1 or 3 channels.
    """
    channels, rows, columns = shape
    if channels not in (1, 3):
        raise MnistCnnError(
            "cannot use {}: the model's images have {} channels, a picture has 1 or 3".format(path, channels)
        )

    if channels == 3:
        picture = _crop(open_picture(path, to_rgb, 8 * max(rows, columns)), rows, columns)
    else:
        picture = _pad(
            open_picture(path, lambda picture: to_rgb(picture).convert("L"), 8 * max(rows, columns)), rows, columns
        )
    pixels = np.asarray(picture, np.float32).reshape(rows, columns, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) / np.float32(256)


def to_rgb(picture: Image.Image) -> Image.Image:
    """Convert a picture to RGB with 8 bits a channel, on white where it is transparent.

    Parameters
    ----------
    picture : PIL.Image.Image
        In any mode.

    Returns
    -------
    PIL.Image.Image
        In mode RGB.

    Raises
    ------
    ValueError
        When a pixel is NaN or infinite.

    Examples
    --------
    >>> from PIL import Image
    >>> from mnist_cnn.pictures.photos import to_rgb
    >>> to_rgb(Image.new("LA", (1, 1), (7, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits a pixel, or more
        values = np.asarray(picture, np.float32)
        if not np.isfinite(values).all():
            raise ValueError("a pixel is NaN or infinite")
        values = values * np.float32(255 / (65535 if (values > 255).any() else 255))
        picture = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if picture.mode in ("LA", "RGBA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _crop(picture, rows, columns):
    """Crop the largest central part with these proportions, and resize it."""
    scale = min(picture.width / columns, picture.height / rows)
    width, height = scale * columns, scale * rows
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    return _resized(picture, (columns, rows), (left, top, left + width, top + height))


def _resized(picture, size, box):
    """Resize a part of it bicubically, first along the rows: Pillow's own order depends on its version."""
    left, top, right, bottom = box
    across = picture.resize((size[0], picture.height), Image.BICUBIC, (left, 0, right, picture.height))
    return across.resize(size, Image.BICUBIC, (0, top, size[0], bottom))


def _pad(picture, rows, columns):
    """Negate a picture with a light margin, resize it, and pad it with its margin's grey."""
    pixels = np.asarray(picture)
    margin = int(np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])))
    if margin > 127:
        picture, margin = Image.fromarray(255 - pixels), 255 - margin
    scale = min(columns / picture.width, rows / picture.height)
    size = max(1, round(scale * picture.width)), max(1, round(scale * picture.height))
    field = Image.new("L", (columns, rows), margin)
    field.paste(_resized(picture, size, (0, 0, *picture.size)), ((columns - size[0]) // 2, (rows - size[1]) // 2))
    return field


def read_images(path: Path | str, card: DataCard, single: bool = False) -> Reading:
    """Convert a picture file to a model's images.

    Parameters
    ----------
    path : path-like
        As for `mnist_cnn.pictures.reading.read_picture`.
    card : mnist_cnn.datasets.card.DataCard
        The model's card: handwriting is split into digits as by `read_digits`, any other picture is one
        image, as by `load_photo`.
    single : bool
        Whether handwriting is one digit, even if its strokes are separate.

    Returns
    -------
    mnist_cnn.pictures.reading.Reading
        Its images are (n,) + the model's shape; ``boxes`` and ``grey`` are None except for handwriting.

    Raises
    ------
    MnistCnnError
        When the file is not a picture, or shows no digit.
    """
    if card.is_handwriting:
        return read_digits(path, single)
    return Reading(load_photo(path, card.shape)[None], None, None, "")
