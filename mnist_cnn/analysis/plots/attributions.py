"""Attribution of an answer to pixels."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ...drawing.colour import colour_map, scale_of
from ...drawing.layout import axes_at, bare, headline, new_figure
from .marks import labels_of, likeliest, outline, percent, plot_probabilities, width_of

__all__ = ["plot_attributions", "plot_occlusion"]


def plot_attributions(
    image: np.ndarray,
    maps: Mapping[str, np.ndarray],
    classes: tuple[int, int],
    probabilities: np.ndarray,
    name: str,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw the attributions of two classes and of the difference of their scores.

    Parameters
    ----------
    image : array
        (rows, columns) or, in colour, (rows, columns, 3), in [0, 1].
    maps : dict of str to array
        From a method's name to its maps, (3, rows, columns): of the first class, of the second, and
        of the first minus the second. Maps with negative values are positive where the pixel speaks
        for the class; maps without are magnitudes. Each method has its own unit and colour bar.
    classes : two ints
        The class to explain, usually the predicted one, and the other.
    probabilities : array
        (classes,), of the image.
    name : str
        The image's name in the title.
    names : sequence of str, optional
        The classes' names; by default their numbers. The figure has room for the ten likeliest.

    Returns
    -------
    matplotlib Figure
        A column for each method, a row for each class and one for the difference. The methods are
        linear in the score, so the difference explains the logarithm of the odds.
    """
    labels = labels_of(names, len(probabilities))
    one, other = (labels[number] for number in classes)
    side, gap = 2.7, 0.22
    room = max(0, width_of([labels[i] for i in likeliest(probabilities, classes)], 10) - 0.15)
    first, top = 3.2 + room, 1.35  # inches to the first column of maps, and to the first row
    figure = new_figure(figsize=(first + len(maps) * (side + gap), top + 3 * (side + gap) + 0.85))
    headline(figure, "Why {}, and why not {}? The pixels that count in {}".format(one, other, name), size=16)

    ax = axes_at(figure, 0.3 + room, top, 2.3, 2.3)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title("input")
    bare(ax)
    ax = axes_at(figure, 0.35 + room, top + side + gap + 0.3, 2.05, 2 * side - 0.3)
    plot_probabilities(ax, probabilities, classes, names)
    ax.set_title("probabilities")

    rows = (
        "for {} ({})".format(one, percent(probabilities[classes[0]])),
        "for {} ({})".format(other, percent(probabilities[classes[1]])),
        "for {}{}rather than {}".format(one, "\n" if len(one + other) > 8 else " ", other),
    )
    unsigned = False
    for column, (method, trio) in enumerate(maps.items()):
        scale = scale_of(trio)
        if trio.min() >= 0:  # magnitudes
            unsigned = True
            scale = dict(cmap=colour_map("unsigned", "zero", "accent"), vmin=0, vmax=scale["vmax"])
        left = first + column * (side + gap)
        for row, (values, text) in enumerate(zip(trio, rows)):
            ax = axes_at(figure, left, top + row * (side + gap), side, side)
            drawn = ax.imshow(values, **scale)
            outline(ax, image)
            bare(ax)
            if row == 0:
                ax.set_title(method)
            if column == 0:
                ax.set_ylabel(text, fontsize=12)
        bar = axes_at(figure, left, top + 3 * (side + gap) - 0.05, side, 0.13)
        figure.colorbar(drawn, cax=bar, orientation="horizontal")
        bar.xaxis.set_major_locator(MaxNLocator(5, symmetric=scale["vmin"] < 0))
        bar.tick_params(labelsize=9)
    figure.text(
        (first + len(maps) * (side + gap) / 2) / figure.get_figwidth(),
        0.12 / figure.get_figheight(),
        "blue: speaks against    pale: does not matter"
        "    orange: speaks for" + ("    violet: matters, for or against" if unsigned else ""),
        ha="center",
        fontsize=12,
    )
    return figure


def plot_occlusion(
    image: np.ndarray,
    drops: np.ndarray,
    probability: np.ndarray,
    probabilities: np.ndarray,
    name: str,
    size: int,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw the effect of hiding a square of the image on every class.

    Parameters
    ----------
    image : array
        (rows, columns) or, in colour, (rows, columns, 3), in [0, 1].
    drops : array
        (classes, rows, columns), as `mnist_cnn.analysis.attribution.occlusion` returns it.
    probability : array
        (rows, columns): the predicted class's probability with the square at each place, in [0, 1].
    probabilities : array
        (classes,), of the whole image.
    name : str
        The image's name in the title.
    size : int
        Side of the square in pixels.
    names : sequence of str, optional
        The classes' names; by default their numbers. The figure has room for the ten likeliest.

    Returns
    -------
    matplotlib Figure
    """
    predicted = probabilities.argmax()
    labels = labels_of(names, len(probabilities))
    shown = likeliest(probabilities)
    side, gap, top = 2.1, 0.12, 1.05
    first = side + 1.05
    figure = new_figure(figsize=(first + 5 * (side + gap) + 1, top + 2 * side + 0.55))
    small = 11 if max(map(len, labels)) < 8 else 9.5
    headline(figure, "Hiding {0} x {0} pixels of {1}: what each class loses".format(size, name))
    ax = axes_at(figure, 0.2, top, side, side)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.add_patch(plt.Rectangle((0.5, 0.5), size, size, fill=False, edgecolor="white", linewidth=1))
    ax.set_title("input, and the square's size", fontsize=11)
    bare(ax)
    ax = axes_at(figure, 0.2, top + side + 0.4, side, side)
    drawn = ax.imshow(
        probability, vmin=0, vmax=1, cmap=colour_map("probability", "negative-full", "negative-mid", "zero")
    )
    bare(ax)
    ax.set_title("probability of {}".format(labels[predicted]), fontsize=small)
    bar = axes_at(figure, 0.2 + side + 0.07, top + side + 0.4, 0.12, side)
    figure.colorbar(drawn, cax=bar, ticks=[0, 0.5, 1], format=PercentFormatter(1))
    bar.tick_params(labelsize=9)

    scale = scale_of(drops[shown])
    for place, number in enumerate(shown):
        ax = axes_at(figure, first + place % 5 * (side + gap), top + place // 5 * (side + 0.4), side, side)
        drawn = ax.imshow(drops[number], **scale)
        outline(ax, image)
        bare(ax)
        ax.set_title(
            "{}  ({})".format(labels[number], percent(probabilities[number])),
            fontsize=small,
            fontweight="bold" if number == predicted else "normal",
        )
    figure.colorbar(
        drawn,
        label="drop of the class's score [nats]",
        cax=axes_at(figure, first + 5 * (side + gap) + 0.05, top + 0.5, 0.15, 2 * side - 0.6),
    )
    return figure
