"""Separate ink into digits, and convert each to 28 x 28 pixels as MNIST's digits were.

NIST's black and white digits were fitted into a box of 20 x 20 pixels, their proportions kept, and
placed in a field of 28 x 28 with their centre of mass at its centre [1]_.

References
----------
.. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
   recognition. Proceedings of the IEEE 86, 1998.
"""

import itertools
import math
from collections import namedtuple

import numpy as np
from scipy import ndimage

from ..system.errors import MnistCnnError
from .ink import average, stroke_width

__all__ = ["split_digits", "thicken_strokes", "fit_to_field"]

SIZE = 28
BOX = 20
MAX_DIGITS = 20  # more shapes are a text, a chart or a pattern, not a number
MIN_STROKE = 0.085  # of a digit's longer side: nine of ten MNIST digits have wider strokes


def split_digits(ink: np.ndarray) -> list[np.ndarray]:
    """Separate a picture's ink into digits, line by line and from left to right.

    Connected strokes are one shape. Two shapes are one digit

    - where one lies close above the other: they share at least half of the narrower one's columns, and
      the gap is less than a third of the taller one's height;
    - where one is less than half as tall as the tallest shape: it belongs to its nearest neighbour, or is
      dropped if the distance is more than half of the tallest shape's height.

    Digits that share half of their rows are in one line.

    Parameters
    ----------
    ink : array
        (rows, columns), as `mnist_cnn.pictures.ink.extract_ink` returns it.

    Returns
    -------
    list of arrays
        Each like `ink`, with the ink of one digit.

    Raises
    ------
    MnistCnnError
        When there are more than 20 shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.pictures.digits import split_digits
    >>> ink = np.zeros((40, 60))
    >>> ink[10:30, 10:14] = ink[10:30, 40:44] = 1  # two strokes: a one and a one
    >>> [part[20].nonzero()[0] for part in split_digits(ink)]
    [array([10, 11, 12, 13]), array([40, 41, 42, 43])]
    """
    labels, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    shapes = [
        _Shape([i + 1], rows.start, rows.stop, columns.start, columns.stop)
        for i, (rows, columns) in enumerate(ndimage.find_objects(labels))
    ]
    if len(shapes) > 3 * MAX_DIGITS:
        raise _too_many(count)
    shapes = _gather(_join(shapes, _are_stacked))
    if len(shapes) > MAX_DIGITS:
        raise _too_many(len(shapes))
    return [np.where(np.isin(labels, shape.labels), ink, 0) for shape in _in_reading_order(shapes)]


def _too_many(count):
    return MnistCnnError("it shows {} separate shapes; cut a single number out of it".format(count))


#: The labels of one or more connected shapes, and the box around them.
_Shape = namedtuple("_Shape", "labels top bottom left right")


def _height(shape):
    return shape.bottom - shape.top


def _rows_apart(a, b):
    """The number of rows between two boxes; negative where they share rows."""
    return max(a.top, b.top) - min(a.bottom, b.bottom)


def _columns_apart(a, b):
    return max(a.left, b.left) - min(a.right, b.right)


def _are_stacked(a, b):
    return -_columns_apart(a, b) >= 0.5 * min(a.right - a.left, b.right - b.left) and _rows_apart(a, b) < 1 / 3 * max(
        _height(a), _height(b)
    )


def _union(a, b):
    return _Shape(
        a.labels + b.labels, min(a.top, b.top), max(a.bottom, b.bottom), min(a.left, b.left), max(a.right, b.right)
    )


def _join(shapes, belong):
    """Unite shapes that belong together until no two do."""
    shapes = list(shapes)
    for a, b in itertools.combinations(shapes, 2):
        if belong(a, b):
            rest = [shape for shape in shapes if shape is not a and shape is not b]
            return _join(rest + [_union(a, b)], belong)
    return shapes


def _gather(shapes):
    """Join small shapes to their nearest neighbours, the smallest first, or drop them."""
    shapes = list(shapes)
    tallest = max(map(_height, shapes))
    while True:
        smallest = min(shapes, key=_height)
        if _height(smallest) >= 0.5 * tallest:
            return shapes
        shapes.remove(smallest)
        distances = [max(0, _rows_apart(smallest, other)) + max(0, _columns_apart(smallest, other)) for other in shapes]
        if min(distances) <= 0.5 * tallest:
            nearest = distances.index(min(distances))
            shapes[nearest] = _union(shapes[nearest], smallest)


def _in_reading_order(shapes):
    lines = []
    for shape in sorted(shapes, key=lambda shape: shape.top + shape.bottom):
        line = next(
            (
                line
                for line in lines
                if any(-_rows_apart(shape, other) >= 0.5 * min(_height(shape), _height(other)) for other in line)
            ),
            None,
        )
        if line is None:
            lines.append([shape])
        else:
            line.append(shape)
    return [shape for line in lines for shape in sorted(line, key=lambda shape: shape.left + shape.right)]


def thicken_strokes(ink: np.ndarray) -> np.ndarray:
    """Widen thin strokes to the width of MNIST's strokes, relative to the digit's size.

    Parameters
    ----------
    ink : array
        (rows, columns), one digit, 0 for the background to 1 for full ink.

    Returns
    -------
    array
        The digit's box. Thin strokes are dilated by a disc, and the box grows by the disc's radius on
        each side.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.pictures.digits import thicken_strokes
    >>> ink = np.zeros((120, 120))
    >>> ink[10:110, 50] = 1  # a hundred pixels tall, one wide
    >>> np.count_nonzero(thicken_strokes(ink)[50])
    5
    """
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    reach = math.floor((MIN_STROKE * max(ink.shape) - stroke_width(ink)) / 2 + 0.5)
    if reach < 1:
        return ink
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = y * y + x * x <= reach * reach
    return ndimage.maximum_filter(np.pad(ink, reach), footprint=disc, mode="constant")


def fit_to_field(ink: np.ndarray) -> np.ndarray:
    """Fit a digit into MNIST's box and centre its mass in MNIST's field.

    The explorer page does the same steps with a drawing (``explorer/scripts/preprocess.js``).

    Parameters
    ----------
    ink : array
        (rows, columns), 0 for the background to 1 for full ink, not all 0.

    Returns
    -------
    float32 array
        (28, 28), multiples of 1/256 in [0, 255/256], with a maximum of 255/256. The longer side of
        the digit's box is 20 pixels, and the centre of mass is within half a pixel of row and column
        14, as in MNIST.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.pictures.digits import fit_to_field
    >>> field = fit_to_field(np.ones((100, 20)))  # a bar, five times as high as wide
    >>> rows, columns = field.nonzero()
    >>> field.shape, rows.min(), rows.max(), columns.min(), columns.max()
    ((28, 28), 5, 24, 13, 16)
    """
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
    height, width = (max(1, math.floor(BOX * side / max(ink.shape) + 0.5)) for side in ink.shape)
    box = average(average(ink, width).T, height).T
    box = np.floor(255 * box / box.max() + 0.5)  # rounds half up, as JavaScript does
    top, left = (
        min(max(math.floor(SIZE / 2 - centre + 0.5), 0), SIZE - side)
        for centre, side in zip(ndimage.center_of_mass(box), box.shape)
    )
    field = np.zeros((SIZE, SIZE), np.float32)
    field[top : top + height, left : left + width] = box / 256
    return field
