"""The ink in a picture: separate a digit's strokes from paper, shadows and other objects.

Strokes are narrower than a square window of a third of the picture's shorter side; paper, tables and
shadows are wider. A grey-scale closing with this window [1]_ therefore removes the ink and keeps the
paper, including the edges of shadows and tables. The padding beyond the border is neutral, so that a
dark region that runs out of the picture is not filled.

The explorer page does the same steps (``explorer/scripts/ink.js``).

References
----------
.. [1] J. Serra: Image analysis and mathematical morphology. Academic Press, 1982.
"""

import math
from collections import namedtuple

import numpy as np
from scipy import ndimage

from ..system.errors import MnistCnnError

__all__ = ["Ink", "extract_ink", "average", "stroke_width"]

MIN_CONTRAST = 0.1
FAINT = 0.4  # of full ink: the maximum of a pattern on the paper
STRAIGHT = 0.7  # of a picture's side: the minimum length of a ruled line
THIN = 0.02  # of a picture's shorter side: the maximum width of a ruled line
SLOPES = np.arange(-20, 21) / 200  # up to about six degrees
MAX_LINES = 60
SMALL = 48  # pixels a side of the copy that tells light on dark from dark on light
EDGE_LENGTH = math.pi / 4  # of an outline for each pixel edge, averaged over all angles
MAX_STROKE = 0.3  # of a shape's longer side: 999 of 1,000 MNIST digits have narrower strokes
EIGHT = np.ones((3, 3))  # neighbours, diagonal ones too

#: ``pixels``, float array (rows, columns), 0 for the background to 1 for full ink, in 255ths; ``doubt``, the
#: reason why they may be only a part of a digit or more than one, or "".
Ink = namedtuple("Ink", "pixels doubt")


def extract_ink(grey: np.ndarray) -> Ink:
    """Separate digits' ink from the background, dark on light or light on dark.

    Parameters
    ----------
    grey : array
        (rows, columns), in [0, 1].

    Returns
    -------
    Ink

    Raises
    ------
    MnistCnnError
        When nothing differs from the background, or too much does.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.pictures.ink import extract_ink
    >>> paper = np.full((40, 40), .9)
    >>> paper[10:30, 18:22] = .2  # a stroke
    >>> extract_ink(paper).pixels[20, 16:24]
    array([0., 0., 1., 1., 1., 1., 0., 0.])
    """
    grey = np.asarray(grey, float)
    if _is_light_on_dark(grey):
        grey = 1 - grey
    darkness = _darkness(grey)
    spread = np.median(np.abs(darkness - np.median(darkness)))
    darkness = (darkness - np.median(darkness)).clip(0)
    noise = max(5 * spread, 0.02)
    strong = darkness[darkness > max(_otsu(darkness), noise)]
    if not len(strong) or np.median(strong) < max(MIN_CONTRAST, noise):
        raise MnistCnnError("no digit stands out from an even background")
    full = np.quantile(strong, 0.9)
    if full <= noise:
        raise MnistCnnError("no digit stands out from an even background")
    ink = ((darkness - noise) / (full - noise)).clip(0, 1)
    if (ink > 0.5).mean() > 0.5:
        raise MnistCnnError("it is no single digit on an even background")
    return _keep_digits(ink)


def _window(shape):
    """The side of the closing's window: odd, a third of the shorter side."""
    return max(3, min(shape) // 3 // 2 * 2 + 1)


def _is_light_on_dark(grey):
    """Compare a small copy with its local median, which unlike a mean ignores strokes and keeps edges."""
    small = average(average(grey, min(SMALL, grey.shape[1])).T, min(SMALL, grey.shape[0])).T
    side = _window(small.shape)
    difference = small - ndimage.median_filter(small, side, mode="reflect")
    return (difference**3).sum() > 0


def average(values: np.ndarray, count: int) -> np.ndarray:
    """Average each row of an array, (n, length), over `count` equal parts: (n, count).

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.pictures.ink import average
    >>> average(np.array([[1., 2., 3.]]), 2)  # each part is one and a half numbers
    array([[1.33333333, 2.66666667]])
    """
    length = values.shape[1]
    if length == count:
        return values
    sums = np.pad(values.cumsum(axis=1), ((0, 0), (1, 1)))  # repeats the last column, for the index behind the end
    sums[:, -1] = sums[:, -2]
    edges = np.arange(count + 1) * length / count
    whole = np.minimum(edges.astype(int), length)
    at = sums[:, whole] + (edges - whole) * (sums[:, whole + 1] - sums[:, whole])
    return np.diff(at, axis=1) * count / length


def stroke_width(ink: np.ndarray) -> float:
    """Estimate the stroke width of a shape in pixels: twice its area divided by its outline's length.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.pictures.ink import stroke_width
    >>> bar = np.zeros((60, 60))
    >>> bar[5:55, 28:34] = 1
    >>> 5 < stroke_width(bar) < 8
    True
    """
    smooth = _mean(np.pad(ink, 2), 3)  # grain would count as outline
    solid = smooth > 0.5 * smooth.max()
    edges = sum(
        np.count_nonzero(solid[rows] != solid[others])
        for rows, others in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1]))
    )
    return 2 * np.count_nonzero(solid) / (EDGE_LENGTH * edges)


def _mean(values, side):
    """Average over square windows, clipped at the border."""
    reach = side // 2

    def along(values):
        sums = np.concatenate([np.zeros((1,) + values.shape[1:]), values.cumsum(axis=0)])
        at = np.arange(len(values))
        high, low = np.minimum(at + reach + 1, len(values)), np.maximum(at - reach, 0)
        return (sums[high] - sums[low]) / (high - low).reshape(-1, 1)

    return along(along(values).T).T


def _darkness(grey):
    """How much darker each pixel is than the paper, as a fraction of the paper's brightness."""
    side = _window(grey.shape)
    reach = side // 2
    smooth = np.pad(_mean(grey, 3), reach, constant_values=-np.inf)
    paper = ndimage.maximum_filter(smooth, side, mode="constant", cval=-np.inf)
    paper = ndimage.minimum_filter(paper, side, mode="constant", cval=np.inf)
    paper = paper[reach:-reach, reach:-reach]
    # a lower bound for the paper: in dark regions noise would look like ink
    return ((paper - grey) / np.maximum(paper, 0.4 * np.quantile(paper, 0.9)).clip(0.05)).clip(0)


def _otsu(values):
    """Otsu's threshold: two groups with the least variance within."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
    between = np.where(above > 0, below * above * gap**2, 0)
    return edges[1 + np.nanargmax(between)]


def _keep_digits(ink):
    """Remove ink that is not a digit's: patterns of the paper, frames, specks."""
    solid = ink > 0.5
    reach = -(-max(ink.shape) // 28)  # a pixel of a digit that fills the picture
    near = ndimage.maximum_filter(solid, 2 * reach + 1, mode="constant")
    if ink[~near].sum() > 0.05 * ink[solid].sum():  # faint lines or noise
        ink = ((ink - FAINT) / (1 - FAINT)).clip(0)
    ink = _without_lines(_without_lines(ink).T).T

    labels, count = ndimage.label(ink > 0, structure=EIGHT)
    numbers = np.arange(count + 1)
    mass = ndimage.sum_labels(ink, labels, numbers)
    mass[(ndimage.maximum(ink, labels, numbers) < 0.5) | (numbers == 0)] = 0
    if not mass.any():
        raise MnistCnnError("no digit stands out from an even background")
    mass[mass < mass.max() / 100] = 0
    edge = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    touching = np.bincount(edge, minlength=count + 1) * (mass > 0)
    width, longer = np.zeros(count + 1), np.zeros(count + 1)
    for i, place in enumerate(ndimage.find_objects(labels), 1):
        if mass[i]:
            shape = np.where(labels[place] == i, ink[place], 0)
            width[i], longer[i] = stroke_width(shape), max(shape.shape)
    is_stroke = (width <= MAX_STROKE * longer) & (mass >= mass.max() / 20)
    if is_stroke.any():  # one pen wrote all digits
        is_stroke = (width <= MAX_STROKE * longer) & (width <= 3 * width[is_stroke].min())
    whole = np.where(touching > 0, 0, mass)
    doubt = ""
    if (whole * is_stroke).any():
        whole *= is_stroke
        if 3 * whole.max() < (mass * is_stroke).max():
            doubt = "most of the ink runs out of the picture"
    elif whole.any():
        doubt = "it has no strokes"
    elif touching.max() <= 0.2 * min(ink.shape):
        whole = mass
        doubt = "the ink touches the picture's edge; leave a margin around it"
    else:
        raise MnistCnnError("what stands out runs out of the picture: there is no digit with a margin around it")
    kept = whole[labels] >= whole.max() / 20
    return Ink(np.floor(255 * np.where(kept, ink, 0) + 0.5) / 255, doubt)


def _without_lines(ink):
    """Remove thin straight lines that run across the picture, roughly along its rows.

    Pixels are removed where the line is as thin as its median; where a stroke crosses it, they stay.
    """
    rows, columns = ink.shape
    ink = ink.copy()
    found = set()
    while True:
        y, x = np.nonzero(ink > 0)
        lift = x - columns / 2
        best = 0, 0, 0
        for slope in SLOPES:
            at = np.floor(y - slope * lift + 0.5).astype(int)
            counts = np.bincount(at[(at >= 0) & (at < rows)], minlength=rows)
            row = counts.argmax()
            if counts[row] > best[0] and (slope, row) not in found:
                best = counts[row], slope, row
        length, slope, row = best
        if length < STRAIGHT * columns or len(found) == MAX_LINES:
            return ink
        found.add((slope, row))
        _erase_line(ink, slope, row)


def _erase_line(ink, slope, row):
    rows, columns = ink.shape
    runs = []
    for x in range(columns):
        middle = int(np.floor(row + slope * (x - columns / 2) + 0.5))
        for y in (middle, middle - 1, middle + 1):
            if 0 <= y < rows and ink[y, x] > 0:
                top = bottom = y
                while top > 0 and ink[top - 1, x] > 0:
                    top -= 1
                while bottom < rows - 1 and ink[bottom + 1, x] > 0:
                    bottom += 1
                runs.append((x, top, bottom + 1))
                break
    if not runs:
        return
    thickness = np.median([bottom - top for _, top, bottom in runs])
    if thickness > max(1, THIN * min(ink.shape)):
        return
    for x, top, bottom in runs:
        if bottom - top <= 1.5 * thickness + 1:
            ink[top:bottom, x] = 0
