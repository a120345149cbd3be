"""A picture file of a digit, brought to 28 x 28 pixels as MNIST's were made.

NIST's black and white digits were fitted into a box of 20 x 20 pixels, their proportions kept, and
placed in a field of 28 x 28 with their centre of mass at its centre [1]_. A picture of one's own
first has to become what NIST had: white ink on clean black.

References
----------
.. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
   recognition. Proceedings of the IEEE 86, 1998.
"""

import contextlib
import itertools
import logging
import math
import os
import warnings
from collections import namedtuple

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from .errors import MnistCnnError
from .files import open_regular

__all__ = ["read_picture", "open_picture", "extract_ink", "split_digits", "fit_to_field",
           "load_picture", "load_digits"]

SIZE = 28
BOX = 20
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
WORK_SIZE = 280  # pixels of the longer side that are enough to find a digit
MAX_PIXELS = 2 ** 27  # 134 megapixels: more than cameras give, less than fills the memory
MAX_PIXELS_OF = {"WEBP": 5 * 10 ** 7}  # of which Pillow holds four copies at once
MAX_SIDE = 2 ** 17  # each row has a pointer of its own
ORIENTATION = 0x0112  # EXIF's tag
MIN_CONTRAST = .1
MAX_DIGITS = 20  # more shapes than that are no number, but a text, a chart or a pattern


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
        (rows, columns), 0 for black to 1 for white, reduced to at most 280 pixels a side.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is no picture.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from mnist_cnn.support.pictures import read_picture
    >>> Image.fromarray(np.uint8([[0, 255], [255, 51]])).save("four-pixels.png")
    >>> read_picture("four-pixels.png")
    array([[0. , 1. ],
           [1. , 0.2]], dtype=float32)
    """
    picture = open_picture(path, _to_grey, 2 * WORK_SIZE, "L")
    scale = WORK_SIZE / max(picture.size)
    if scale < 1:
        size = [max(1, round(scale * side)) for side in picture.size]
        picture = picture.resize(size, Image.BOX)
    return np.asarray(picture, np.float32)


def open_picture(path, convert, size, mode=None):
    """Open a picture file that nobody vouches for.

    Parameters
    ----------
    path : path-like
        As for `read_picture`.
    convert : callable
        Makes grey or colours of it, from a Pillow image in any mode to another of its size.
    size : int
        Pixels a side that are enough; a JPEG may be decoded at as few.
    mode : str, optional
        'L' where grey is enough.

    Returns
    -------
    PIL.Image.Image
        What `convert` makes of it, turned as its camera says; of a large picture, reduced.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is no picture.

    Examples
    --------
    >>> from PIL import Image
    >>> from mnist_cnn.support.pictures import open_picture
    >>> Image.new("RGB", (60, 40)).save("black.png")
    >>> open_picture("black.png", lambda picture: picture.convert("L"), size=28).mode
    'L'
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF data; errors still come as such
            with open_regular(path) as file, Image.open(file, formats=FORMATS) as picture:
                most = MAX_PIXELS_OF.get(picture.format, MAX_PIXELS)
                if picture.width * picture.height > most:
                    raise MnistCnnError("{} is too large: {} x {} pixels, of at most {} million".format(
                        path, picture.width, picture.height, most // 10 ** 6))
                if max(picture.size) > MAX_SIDE:
                    raise MnistCnnError("{} is too large: {} x {} pixels, of at most {} a side".format(
                        path, picture.width, picture.height, MAX_SIDE))
                picture.draft(mode, (size, size))  # JPEG: decode fewer pixels
                with _without_libtiffs_lines(picture):
                    picture.load()
                return _turned(convert(_reduced(picture)), _orientation(picture))
    except OSError as error:
        reason = error.strerror or "it is no picture (PNG, JPEG or the like), or a damaged one"
        raise MnistCnnError("cannot read {}: {}".format(path, reason)) from error
    except (SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError,
            IndexError, KeyError, TypeError, OverflowError) as error:
        # what Pillow's readers raise on files that start like a picture and go on otherwise
        raise MnistCnnError("cannot read {}: it is a damaged picture".format(path)) from error


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


def _reduced(picture):
    """Of a picture with far more pixels than are looked at, the means of squares of them.

    Each number takes a byte until then, where it takes eight in what follows.
    """
    factor = max(picture.size) // (4 * WORK_SIZE)
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
    picture.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(picture)


def _to_grey(picture):
    """Brightness in [0, 1] as a Pillow image of mode F, transparency filled with background."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits a pixel, or more
        values = np.asarray(picture, np.float32)
        if not np.isfinite(values).all():
            raise ValueError("a pixel is no number")
        top = 65535 if values.max() > 255 else 255
        return Image.fromarray(np.clip(values / top, 0, 1))
    if picture.mode == "LA" or picture.mode == "RGBA" or "transparency" in picture.info:
        values = np.asarray(picture.convert("RGBA"), np.float32) / 255
        alpha = values[..., 3]
        grey = values[..., :3] @ np.float32([.299, .587, .114])
        mean = (grey * alpha).sum() / max(alpha.sum(), 1)
        # ink drawn on nothing: light ink wants a dark ground, dark ink a light one
        return Image.fromarray(grey * alpha + (0 if mean > .5 else 1) * (1 - alpha))
    return Image.fromarray(np.asarray(picture.convert("L"), np.float32) / np.float32(255))


def extract_ink(grey):
    """Separate a digit's ink from what it is drawn on, be it dark on light or light on dark.

    The background is a plane fitted to the picture's margin, which evens out a lamp to one side;
    ink is what differs from it, in the direction in which the picture differs more. Grain below a
    threshold becomes black, and specks apart from the digit go.

    Parameters
    ----------
    grey : array
        (rows, columns), in [0, 1].

    Returns
    -------
    float32 array
        (rows, columns), 0 for the background to 1 for full ink.

    Raises
    ------
    MnistCnnError
        When there is no digit to see: nothing differs from the background, or too much does.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.support.pictures import extract_ink
    >>> paper = np.full((40, 40), .9)
    >>> paper[10:30, 18:22] = .2  # a stroke
    >>> ink = extract_ink(paper)
    >>> ink[20, 16:24]
    array([0., 0., 1., 1., 1., 1., 0., 0.], dtype=float32)
    """
    rows, columns = grey.shape
    coordinates = np.stack([np.ones(grey.shape)] + list(np.meshgrid(
        np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))), axis=-1)
    width = max(1, min(rows, columns) // 20)
    margin = np.ones(grey.shape, bool)
    margin[width:-width, width:-width] = False
    kept = margin
    for _ in range(3):  # again without what is no background: strokes that reach the margin
        plane, *_ = np.linalg.lstsq(coordinates[kept], grey[kept], rcond=None)
        difference = grey - coordinates @ plane
        spread = np.median(np.abs(difference[kept] - np.median(difference[kept])))
        kept = margin & (np.abs(difference) <= max(4 * spread, .02))
        if kept.sum() < 3:
            break
    noise = max(4 * spread, .02)

    dark, light = np.percentile(difference, [.5, 99.5])
    ink = difference if light > -dark else -difference
    strong = ink[ink > max(_otsu(ink), noise)]
    if not len(strong) or np.median(strong) < max(MIN_CONTRAST, noise):
        raise MnistCnnError("no digit stands out from an even background")
    full = np.percentile(strong, 90)
    ink = np.clip((ink - noise) / (full - noise), 0, 1) if full > noise else ink * 0
    solid = ink > .5
    if solid.mean() > .5 or solid[margin].mean() > .4:
        raise MnistCnnError("it is no single digit on an even background")
    return _without_specks(ink).astype(np.float32)


def _otsu(values):
    """The threshold that parts values into the two groups of least variance within."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
    between = np.where(above > 0, below * above * gap ** 2, 0)
    return edges[1 + np.nanargmax(between)]


def _without_specks(ink):
    """Drop the parts with less than a twentieth of the largest one's ink."""
    labels, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    mass = ndimage.sum_labels(ink, labels, np.arange(count + 1))
    mass[0] = 0
    return np.where(mass[labels] >= mass.max() / 20, ink, 0)


def split_digits(ink):
    """Part a picture's ink into digits, from left to right.

    Connected strokes are one shape. Two shapes are one digit where one lies above the other (half
    of the narrower one's columns or more are the other's too), and where one is less than half as
    tall as the tallest: it then belongs to its nearest neighbour.

    Parameters
    ----------
    ink : array
        (rows, columns), as `extract_ink` returns it.

    Returns
    -------
    list of arrays
        Each like `ink`, with one digit's ink alone.

    Raises
    ------
    MnistCnnError
        When there are more shapes than a number has digits.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.support.pictures import split_digits
    >>> ink = np.zeros((40, 60))
    >>> ink[10:30, 10:14] = ink[10:30, 40:44] = 1  # two strokes: a one and a one
    >>> [part[20].nonzero()[0] for part in split_digits(ink)]
    [array([10, 11, 12, 13]), array([40, 41, 42, 43])]
    """
    labels, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    groups = [_Shape([i + 1], rows.start, rows.stop, columns.start, columns.stop)
              for i, (rows, columns) in enumerate(ndimage.find_objects(labels))]
    if len(groups) > 3 * MAX_DIGITS:
        raise MnistCnnError("it shows {} separate shapes; cut a single number out of it"
                            .format(count))
    groups = _join(groups, lambda a, b: min(a.right, b.right) - max(a.left, b.left)
                   >= .5 * min(a.right - a.left, b.right - b.left))
    tallest = max(group.bottom - group.top for group in groups)
    while True:
        small = [group for group in groups if group.bottom - group.top < .5 * tallest]
        if not small or len(groups) == 1:
            break
        nearest = min((group for group in groups if group is not small[0]),
                      key=lambda group: max(group.left - small[0].right,
                                            small[0].left - group.right))
        groups = _join(groups, lambda a, b: small[0] in (a, b) and nearest in (a, b))
    if len(groups) > MAX_DIGITS:
        raise MnistCnnError("it shows {} separate shapes; cut a single number out of it"
                            .format(len(groups)))
    groups.sort(key=lambda group: group.left + group.right)
    return [np.where(np.isin(labels, group.labels), ink, 0) for group in groups]


#: One or more connected shapes, and the box around them.
_Shape = namedtuple("_Shape", "labels top bottom left right")


def _join(groups, belong):
    """Groups of shapes, those that belong together made one until none do any more."""
    groups = list(groups)
    for a, b in itertools.combinations(groups, 2):
        if belong(a, b):
            rest = [group for group in groups if group is not a and group is not b]
            return _join(rest + [_Shape(
                a.labels + b.labels, min(a.top, b.top), max(a.bottom, b.bottom),
                min(a.left, b.left), max(a.right, b.right))], belong)
    return groups


def _averaging(length, count):
    """The matrix (count, length) that averages samples over `count` equal parts of their line."""
    edges = np.arange(count + 1) * length / count
    samples = np.arange(length)
    overlap = np.minimum(edges[1:, None], samples + 1) - np.maximum(edges[:-1, None], samples)
    return overlap.clip(0) * count / length


def fit_to_field(ink):
    """Fit a digit into MNIST's box and centre its mass in MNIST's field.

    The explorer page does the same with what is drawn on it (``explorer/scripts/preprocess.js``),
    step by step.

    Parameters
    ----------
    ink : array
        (rows, columns), 0 for the background to 1 for full ink; some of it not 0.

    Returns
    -------
    float32 array
        (28, 28), multiples of 1/256 in [0, 255/256], the brightest pixel at 255/256: the longer
        side of what is not 0 spans 20 pixels, and the centre of mass lies within half a pixel of
        row and column 14, as in MNIST.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.support.pictures import fit_to_field
    >>> field = fit_to_field(np.ones((100, 20)))  # a bar, five times as high as wide
    >>> rows, columns = field.nonzero()
    >>> field.shape, rows.min(), rows.max(), columns.min(), columns.max()
    ((28, 28), 5, 24, 13, 16)
    """
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].astype(float)
    height, width = (max(1, math.floor(BOX * side / max(ink.shape) + .5)) for side in ink.shape)
    box = _averaging(ink.shape[0], height) @ ink @ _averaging(ink.shape[1], width).T
    box = np.floor(255 * box / box.max() + .5)  # half a grey level up, as JavaScript rounds
    top, left = (min(max(math.floor(SIZE / 2 - centre + .5), 0), SIZE - side)
                 for centre, side in zip(ndimage.center_of_mass(box), box.shape))
    field = np.zeros((SIZE, SIZE), np.float32)
    field[top:top + height, left:left + width] = box / 256
    return field


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

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from mnist_cnn.support.pictures import load_picture
    >>> paper = np.full((100, 100), 230, np.uint8)
    >>> paper[20:80, 45:55] = 30
    >>> Image.fromarray(paper).save("one.png")
    >>> load_picture("one.png").shape
    (1, 28, 28)
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

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from mnist_cnn.support.pictures import load_digits
    >>> paper = np.full((100, 150), 230, np.uint8)
    >>> paper[20:80, 45:55] = paper[20:80, 95:105] = 30
    >>> Image.fromarray(paper).save("eleven.png")
    >>> load_digits("eleven.png").shape
    (2, 1, 28, 28)
    >>> load_digits("eleven.png", single=True).shape
    (1, 1, 28, 28)
    """
    grey = read_picture(path)
    try:
        ink = extract_ink(grey)
        return np.stack([fit_to_field(part)[None]
                         for part in ([ink] if single else split_digits(ink))])
    except MnistCnnError as error:
        raise MnistCnnError("cannot use {}: {}".format(path, error)) from error
