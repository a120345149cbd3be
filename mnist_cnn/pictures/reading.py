"""Picture files of digits: opened, read as brightness, and brought to the form of MNIST's images.

A picture of one's own first has to become what MNIST was made of, white ink on clean black: see
`mnist_cnn.pictures.ink` and `mnist_cnn.pictures.digits`. The explorer page reads files in the same
way (``explorer/scripts/read.js``): the same answer by both roads.
"""

import contextlib
import logging
import math
import os
import warnings
from collections import namedtuple

import numpy as np
from PIL import Image, ImageOps

from ..storage.atomic import open_regular
from ..system.errors import MnistCnnError
from .digits import fit_to_field, split_digits, thicken_strokes
from .ink import average, extract_ink

__all__ = ["Reading", "read_digits", "read_picture", "open_picture", "load_picture", "load_digits"]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
WORK_SIZE = 560  # pixels of the longer side that are enough to find a digit
MAX_PIXELS = 2**27  # 134 megapixels: more than cameras give, less than fills the memory
MAX_PIXELS_OF = {"WEBP": 5 * 10**7}  # of which Pillow holds four copies at once
MAX_SIDE = 2**17  # each row has a pointer of its own
ORIENTATION = 0x0112  # EXIF's tag
STRIP = 2**20  # pixels that are made grey at once
LUMA = np.array([0.299, 0.587, 0.114])

#: What was found in a picture of digits: ``images``, float32 (n, 1, 28, 28) in [0, 255/256];
#: ``boxes``, int (n, 4), the first row and column of each digit in ``grey`` and those behind its
#: last; ``grey``, the picture as `read_picture` gives it; ``doubt``, why all answers are unsure, or "";
#: ``note``, what else there is to say of the file, or "".
Reading = namedtuple("Reading", "images boxes grey doubt note", defaults=("",))

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it logs of a file it raises too


def read_picture(path):
    """Read a picture file as brightness.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, BMP, GIF (its first frame), TIFF, WebP or PPM, of any size, in grey, colours or
        with transparency, turned as its camera says.

    Returns
    -------
    float32 array
        (rows, columns), 0 for black to 1 for white, reduced to at most 560 pixels a side: each
        pixel is the mean of what it covers.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is no picture.

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


def open_picture(path, convert, size=None):
    """Open a picture file that nobody vouches for.

    Parameters
    ----------
    path : path-like
        As for `read_picture`.
    convert : callable
        Makes grey or colours of it, from a Pillow image in any mode to another.
    size : int, optional
        Pixels a side that are enough: of twice as many and more, squares are made one. By default
        all of them.

    Returns
    -------
    PIL.Image.Image
        What `convert` makes of it, turned as its camera says; of a large picture, reduced.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF data; errors still come as such
            with open_regular(path) as file, Image.open(file, formats=FORMATS) as picture:
                most = MAX_PIXELS_OF.get(picture.format, MAX_PIXELS)
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
    except (
        SyntaxError,
        ValueError,
        EOFError,
        MemoryError,
        Image.DecompressionBombError,
        IndexError,
        KeyError,
        TypeError,
        OverflowError,
    ) as error:
        # what Pillow's readers raise on files that start like a picture and go on otherwise
        raise MnistCnnError("cannot read {}: it is a damaged picture".format(path)) from error


def _why_no_picture(path):
    with open_regular(path) as file:
        start = file.read(32)
    if start[4:8] == b"ftyp":  # the container of both
        name = "AVIF" if b"avif" in start else "HEIC"
        return "{} is not read here; save it as JPEG or PNG".format(name)
    return "it is no picture (PNG, JPEG or the like), or a damaged one"


@contextlib.contextmanager
def _without_libtiffs_lines(picture):
    """While libtiff decodes: it writes lines of its own to stderr, of what Pillow raises too."""
    if picture.format != "TIFF":
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
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
    """Of a picture with far more pixels than are looked at, the means of squares of them."""
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
    """How a camera says that its picture is to be turned, as EXIF's number, if it does."""
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # whatever Pillow meets in damaged EXIF data; the picture may be whole
        return None


def _turned(picture, orientation):
    if orientation not in range(2, 9):
        return picture
    picture.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(picture)


def _to_grey(picture):
    """Brightness in [0, 1], reduced, as a Pillow image of mode F; nothing behind is background.

    The pixels are gone through strip by strip: they take a byte each, and eight as numbers.
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
    # ink drawn on nothing: light ink wants a dark ground, dark ink a light one
    ground = 0 if light.sum() > 0.5 * cover.sum() else 1
    grey = Image.fromarray(np.float32(light + ground * (1 - cover)))
    grey.info["moves"] = getattr(picture, "is_animated", False)
    return grey


def _full_value(picture):
    """What white is, where a pixel has 16 bits or more; else None."""
    if not (picture.mode.startswith("I") or picture.mode == "F"):
        return None
    return 65535 if picture.getextrema()[1] > 255 else 255


def _brightness(strip, top, has_alpha):
    """Brightness times opacity, and opacity, (rows, columns) each."""
    if top is not None:
        values = np.asarray(strip, float)
        if not np.isfinite(values).all():
            raise ValueError("a pixel is no number")
        return (values / top).clip(0, 1), np.ones_like(values)
    if has_alpha:
        values = np.asarray(strip.convert("RGBA"), float) / 255
        return values[..., :3] @ LUMA * values[..., 3], values[..., 3]
    if strip.mode in ("1", "L"):
        light = np.asarray(strip.convert("L"), float) / 255
    else:
        light = np.asarray(strip.convert("RGB"), float) @ LUMA / 255
    return light, np.ones_like(light)


def read_digits(path, single=False):
    """Find the digits that a picture file shows, and bring them to the form of MNIST's images.

    Parameters
    ----------
    path : path-like
        As for `read_picture`: digits in one line or several, dark on light or light on dark,
        anywhere in the picture.
    single : bool
        Whether to take all that it shows for one digit, even where the strokes lie apart.

    Returns
    -------
    Reading
        The digits line by line, from left to right; see `mnist_cnn.pictures.digits.split_digits`.

    Raises
    ------
    MnistCnnError
        When the file is no picture, or shows no digit, or too many shapes.

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


def load_picture(path):
    """Bring a picture file of a digit to the form of MNIST's images.

    Parameters
    ----------
    path : path-like
        As for `read_picture`: one digit, dark on light or light on dark, anywhere in the picture.
        All that it shows is taken for that digit.

    Returns
    -------
    float32 array
        (1, 28, 28) in [0, 255/256], as `mnist_cnn.data.load_dataset` gives images.

    Raises
    ------
    MnistCnnError
        When the file is no picture, or shows no digit.
    """
    return load_digits(path, single=True)[0]


def load_digits(path, single=False):
    """Bring the digits that a picture file shows to the form of MNIST's images.

    Parameters
    ----------
    path : path-like
        As for `read_picture`: a number, dark on light or light on dark, anywhere in the picture.
    single : bool
        Whether to take all that it shows for one digit, even where the strokes lie apart.

    Returns
    -------
    float32 array
        (n, 1, 28, 28) in [0, 255/256], the digits from left to right; see `split_digits`.

    Raises
    ------
    MnistCnnError
        When the file is no picture, or shows no digit, or too many shapes.
    """
    return read_digits(path, single).images
