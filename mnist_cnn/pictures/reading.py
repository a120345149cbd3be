"""Read picture files, and convert digits in them to MNIST's form.

`mnist_cnn.pictures.ink` and `mnist_cnn.pictures.digits` turn a picture into white ink on black. The
explorer page reads files in the same way (``explorer/scripts/read.js``), so both give the same answer.
"""

import contextlib
import logging
import math
import os
import warnings
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..storage.atomic import open_regular
from ..system.errors import MnistCnnError
from .digits import fit_to_field, split_digits, thicken_strokes
from .ink import average, extract_ink

__all__ = ["Reading", "read_digits", "read_picture", "open_picture", "load_picture"]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
WORK_SIZE = 560  # pixels of the longer side, enough to find a digit
MAX_PIXELS = 2**27  # 134 megapixels: more than cameras give, and they fit into memory
MAX_PIXELS_OF = {"WEBP": 5 * 10**7}  # Pillow holds four copies of a WebP picture
MAX_SIDE = 2**17  # Pillow keeps a pointer for each row
ORIENTATION = 0x0112  # EXIF's tag
STRIP = 2**20  # pixels that are made grey at once
#: What Pillow raises on damaged files, besides OSError.
DAMAGE = (
    SyntaxError,
    ValueError,
    EOFError,
    MemoryError,
    Image.DecompressionBombError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
)
LUMA = np.array([0.299, 0.587, 0.114])

#: The digits in a picture: ``images``, float32 (n, 1, 28, 28) in [0, 255/256]; ``boxes``, int (n, 4), the
#: top, left, bottom and right of each digit in ``grey``, bottom and right exclusive; ``grey``, the picture as
#: `read_picture` gives it; ``doubt``, the reason why all answers are unsure, or ""; ``note``, a remark on
#: the file, or "".
Reading = namedtuple("Reading", "images boxes grey doubt note", defaults=("",))

logging.getLogger("PIL").addHandler(logging.NullHandler())  # Pillow logs errors that it also raises


def read_picture(path: Path | str) -> np.ndarray:
    """Read a picture file as brightness.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, BMP, GIF (its first frame), TIFF, WebP or PPM, of any size, grey, coloured or
        transparent. EXIF's orientation is applied.

    Returns
    -------
    float32 array
        (rows, columns), 0 for black to 1 for white, reduced to at most 560 pixels a side by averaging.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is not a picture.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from mnist_cnn.pictures.reading import read_picture
    >>> Image.fromarray(np.uint8([[0, 255], [255, 51]])).save("four-pixels.png")
    >>> read_picture("four-pixels.png")
    array([[0. , 1. ],
           [1. , 0.2]], dtype=float32)
    """
    return np.asarray(open_picture(path, _to_grey), np.float32)


FIRST_FRAME = "it is an animation; its first frame was read"


def open_picture(
    path: Path | str, convert: Callable[[Image.Image], Image.Image], size: int | None = None
) -> Image.Image:
    """Open an untrusted picture file.

    Parameters
    ----------
    path : path-like
        As for `read_picture`.
    convert : callable
        From a Pillow image in any mode to another Pillow image.
    size : int, optional
        A picture with at least four times as many pixels a side is first reduced, to at least twice
        `size`; by default none is.

    Returns
    -------
    PIL.Image.Image
        The result of `convert`, with EXIF's orientation applied.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is not a picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged EXIF data
            with open_regular(path) as file, Image.open(file, formats=FORMATS) as picture:
                most = MAX_PIXELS_OF.get(picture.format or "", MAX_PIXELS)
                if picture.width * picture.height > most:
                    raise MnistCnnError(
                        "{} is too large: {} x {} pixels, of at most {} million".format(
                            path, picture.width, picture.height, most // 10**6
                        )
                    )
                if max(picture.size) > MAX_SIDE:
                    raise MnistCnnError(
                        "{} is too large: {} x {} pixels, of at most {} a side".format(
                            path, picture.width, picture.height, MAX_SIDE
                        )
                    )
                with _without_libtiffs_lines(picture):
                    picture.load()
                orientation = _orientation(picture)
                if size is None:
                    return _turned(convert(picture), orientation)
                return convert(_reduced(_turned(picture, orientation), size))
    except IsADirectoryError as error:
        raise MnistCnnError("{0} is a folder; name the pictures in it: {0}/*".format(str(path).rstrip("/"))) from error
    except OSError as error:
        reason = error.strerror or _why_no_picture(path)
        raise MnistCnnError("cannot read {}: {}".format(path, reason)) from error
    except DAMAGE as error:
        raise MnistCnnError("cannot read {}: it is a damaged picture".format(path)) from error


def _why_no_picture(path):
    with open_regular(path) as file:
        start = file.read(32)
    if start[4:8] == b"ftyp":  # the container of both
        name = "AVIF" if b"avif" in start else "HEIC"
        return "{} is not read here; save it as JPEG or PNG".format(name)
    return "it is not a picture (PNG, JPEG or the like), or it is damaged"


@contextlib.contextmanager
def _without_libtiffs_lines(picture):
    """Close stderr to libtiff, which prints errors that Pillow also raises."""
    if picture.format != "TIFF":
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _reduced(picture, size):
    """Average squares of pixels of a picture that is much larger than `size`."""
    factor = max(picture.size) // (2 * size)
    if factor < 2:
        return picture
    if picture.mode in ("1", "P", "PA"):
        has_alpha = picture.mode == "PA" or "transparency" in picture.info
        picture = picture.convert("RGBA" if has_alpha else "RGB" if picture.mode == "P" else "L")
    elif picture.mode.startswith("I;"):
        picture = picture.convert("I")
    return picture.reduce(factor)


def _orientation(picture):
    """Read EXIF's orientation; None where there is none."""
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # damaged EXIF data may raise anything, and the picture may be whole
        return None


def _turned(picture, orientation):
    if orientation not in range(2, 9):
        return picture
    picture.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(picture)


def _to_grey(picture):
    """Convert to brightness in [0, 1], reduced, as a Pillow image of mode F; transparency is background.

    It works strip by strip, because a pixel is one byte in the picture and eight as a float.
    """
    width, height = picture.size
    scale = min(1, WORK_SIZE / max(width, height))
    rows, columns = (max(1, math.floor(scale * side + 0.5)) for side in (height, width))
    has_alpha = picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info
    top = _full_value(picture)
    step = max(1, STRIP // width)
    strips = []
    for start in range(0, height, step):
        strip = picture.crop((0, start, width, min(height, start + step)))
        strips.append([average(part, columns) for part in _brightness(strip, top, has_alpha)])
    light, cover = (average(np.concatenate(part).T, rows).T for part in zip(*strips))
    # on a transparent picture light ink gets a dark ground, dark ink a light one
    ground = 0 if light.sum() > 0.5 * cover.sum() else 1
    grey = Image.fromarray(np.float32(light + ground * (1 - cover)))
    grey.info["moves"] = getattr(picture, "is_animated", False)
    return grey


def _full_value(picture):
    """The value of white where a pixel has 16 bits or more; else None."""
    if not (picture.mode.startswith("I") or picture.mode == "F"):
        return None
    return 65535 if picture.getextrema()[1] > 255 else 255


def _brightness(strip, top, has_alpha):
    """Compute brightness times opacity, and opacity, each (rows, columns)."""
    if top is not None:
        values = np.asarray(strip, float)
        if not np.isfinite(values).all():
            raise ValueError("a pixel is NaN or infinite")
        return (values / top).clip(0, 1), np.ones_like(values)
    if has_alpha:
        values = np.asarray(strip.convert("RGBA"), float) / 255
        return values[..., :3] @ LUMA * values[..., 3], values[..., 3]
    if strip.mode in ("1", "L"):
        light = np.asarray(strip.convert("L"), float) / 255
    else:
        light = np.asarray(strip.convert("RGB"), float) @ LUMA / 255
    return light, np.ones_like(light)


def read_digits(path: Path | str, single: bool = False) -> Reading:
    """Find the digits in a picture file, and convert them to MNIST's form.

    Parameters
    ----------
    path : path-like
        As for `read_picture`: digits in one or several lines, dark on light or light on dark, anywhere
        in the picture.
    single : bool
        Whether the picture shows one digit, even if its strokes are separate.

    Returns
    -------
    Reading
        The digits line by line, from left to right; see `mnist_cnn.pictures.digits.split_digits`.

    Raises
    ------
    MnistCnnError
        When the file is not a picture, or shows no digit or too many shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from mnist_cnn.pictures.reading import read_digits
    >>> paper = np.full((100, 150), 230, np.uint8)
    >>> paper[20:80, 45:55] = paper[20:80, 95:105] = 30
    >>> Image.fromarray(paper).save("eleven.png")
    >>> reading = read_digits("eleven.png")
    >>> reading.images.shape, reading.boxes.tolist(), reading.doubt
    ((2, 1, 28, 28), [[20, 45, 80, 55], [20, 95, 80, 105]], '')
    """
    picture = open_picture(path, _to_grey)
    grey = np.asarray(picture, np.float32)
    try:
        ink = extract_ink(grey)
        parts = [ink.pixels] if single else split_digits(ink.pixels)
        images = np.stack([fit_to_field(thicken_strokes(part))[None] for part in parts])
    except MnistCnnError as error:
        raise MnistCnnError("cannot use {}: {}".format(path, error)) from error
    return Reading(
        images, np.array([_box(part) for part in parts]), grey, ink.doubt, FIRST_FRAME if picture.info["moves"] else ""
    )


def _box(ink):
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def load_picture(path: Path | str) -> np.ndarray:
    """Convert a picture file of one digit to the form of MNIST's images.

    Parameters
    ----------
    path : path-like
        As for `read_digits` with ``single=True``.

    Returns
    -------
    float32 array
        (1, 28, 28) in [0, 255/256].

    Raises
    ------
    MnistCnnError
        When the file is not a picture, or shows no digit.
    """
    return read_digits(path, single=True).images[0]
