"""Parts of several figures: probabilities, the outline of a digit, classes."""

import colorsys
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.textpath import TextPath
from matplotlib.ticker import PercentFormatter

from ...datasets.labels import shorten
from ...drawing.layout import DARK, LIGHT
from ...drawing.palette import on_light

__all__ = [
    "MOST_CLASSES",
    "class_colours",
    "labels_of",
    "likeliest",
    "outline",
    "percent",
    "plot_probabilities",
    "width_of",
]

CLASS_COLOURS = tuple(on_light(*("class-{}".format(number) for number in range(10))))

MOST_CLASSES = 10  # a figure of one image has room for so many; with more it shows the likeliest
MOST_LETTERS = 16  # in the label of a class


def class_colours(num_classes: int) -> tuple:
    """A colour for each class; with more than ten, neighbours differ in hue and brightness.

    Parameters
    ----------
    num_classes : int

    Returns
    -------
    tuple
        Matplotlib's colours.
    """
    if num_classes <= len(CLASS_COLOURS):
        return CLASS_COLOURS[:num_classes]
    return tuple(
        colorsys.hsv_to_rgb(i / num_classes, (1, 0.65, 1)[i % 3], (0.85, 0.8, 0.5)[i % 3]) for i in range(num_classes)
    )


def labels_of(names: Sequence[str] | None, num_classes: int) -> list[str]:
    """Labels of the classes: their shortened names, or their numbers where there are no names.

    Parameters
    ----------
    names : sequence of str, or None
    num_classes : int

    Returns
    -------
    list of str
    """
    if names is None:
        return [str(number) for number in range(num_classes)]
    return [shorten(name, MOST_LETTERS) for name in names]


def width_of(labels: Sequence[str], size: float) -> float:
    """Measure the widest of some lines of text.

    Parameters
    ----------
    labels : sequence of str
    size : float
        The font size in points.

    Returns
    -------
    float
        In inches.
    """
    return max(TextPath((0, 0), label, size=size).get_extents().width for label in labels) / 72


def likeliest(probabilities: np.ndarray, besides: Sequence[int] = ()) -> list[int]:
    """The ten likeliest classes, in the data's order.

    Parameters
    ----------
    probabilities : array
        (classes,).
    besides : sequence of int
        Classes to include in any case.

    Returns
    -------
    list of int

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.plots.marks import likeliest
    >>> probabilities = np.zeros(47)
    >>> probabilities[40] = 1
    >>> likeliest(probabilities)
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 40]
    """
    order = np.argsort(-np.asarray(probabilities), kind="stable").tolist()
    order.sort(key=lambda number: number not in besides)
    return sorted(order[:MOST_CLASSES])


def percent(probability: float) -> str:
    """Format a probability; never as 0 or 100 %, which softmax reaches by rounding alone.

    Examples
    --------
    >>> from mnist_cnn.analysis.plots.marks import percent
    >>> percent(.42), percent(1.)
    ('42.0 %', '> 99.9 %')
    """
    if probability >= 0.9995:
        return "> 99.9 %"
    if probability < 0.0005:
        return "< 0.1 %"
    return "{:.1f} %".format(100 * probability)


def plot_probabilities(
    ax: Axes, probabilities: np.ndarray, highlighted: Sequence[int], names: Sequence[str] | None = None
) -> None:
    """Draw horizontal bars, one for each class from the top, with their values."""
    shown = likeliest(probabilities, highlighted)
    labels = labels_of(names, len(probabilities))
    places = np.arange(len(shown))
    colours = [DARK if number in highlighted else LIGHT for number in shown]
    ax.barh(places, probabilities[shown], color=colours)
    for place, number in enumerate(shown):
        probability = probabilities[number]
        if probability >= 0.0005 or number in highlighted:
            inside = probability > 0.6
            ax.text(
                probability + (-0.03 if inside else 0.03),
                place,
                percent(probability),
                fontsize=8,
                va="center",
                ha="right" if inside else "left",
                color="white" if inside and number in highlighted else "black",
            )
    ax.set_yticks(places)
    ax.set_yticklabels([labels[number] for number in shown])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1])
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def outline(ax: Axes, image: np.ndarray) -> None:
    """Draw the contour of an image over a map of the same size; for a colour image that of its brightness."""
    if image.ndim == 3:
        image = image.mean(axis=2)
    if image.max() > image.min():
        ax.contour(image, [(image.max() + image.min()) / 2], colors=DARK, linewidths=0.7)
