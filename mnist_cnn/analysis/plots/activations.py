"""An image's way through the network: the activations of every layer."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...drawing.colour import colour_map
from ...drawing.layout import DARK, axes_at, bare, headline, mosaic, new_figure
from .marks import labels_of, likeliest, percent, plot_probabilities, width_of

__all__ = ["plot_activations"]


def plot_activations(
    image: np.ndarray, activations: Mapping[str, np.ndarray], name: str, names: Sequence[str] | None = None
) -> Figure:
    """Draw one image's way through the network.

    Parameters
    ----------
    image : array
        (rows, columns) or, in colour, (rows, columns, 3), in [0, 1].
    activations : dict of str to array
        From the layers' names, in order, to their outputs for the image: maps (maps, rows, columns),
        units (units,), and last the probabilities of the classes.
    name : str
        The image's name in the title.
    names : sequence of str, optional
        The classes' names; by default their numbers. The figure has room for the ten likeliest.

    Returns
    -------
    matplotlib Figure
        The layers from left to right. A layer and its pooling have the same maximum and limits.
    """
    *layers, last = activations
    probabilities = activations[last]
    labels = labels_of(names, len(probabilities))
    best = int(probabilities.argmax())
    height, gap, bar_width = 4.2, 0.36, 2
    widths = [height / 2] + [height / 2 if activations[key].ndim == 3 else height / 4 for key in layers]
    lefts = np.cumsum([0.2] + [width + gap for width in widths])
    room = max(0.2, 0.1 + width_of([labels[i] for i in likeliest(probabilities)], 10))
    lefts[-1] += room  # for the classes' numbers or names
    figure = new_figure(figsize=(lefts[-1] + bar_width + 0.25, height + 2))
    headline(
        figure,
        "The way through the network of {}: the answer is {} ({})".format(
            name, labels[best], percent(probabilities.max())
        ),
    )
    top = 1.2

    ax = axes_at(figure, lefts[0], top + height / 4, widths[0], height / 2)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    bare(ax)
    ax.set_title("input\n{} x {}".format(*image.shape[:2]))

    for key, left, width in zip(layers, lefts[1:], widths[1:]):
        values = activations[key]
        ax = axes_at(figure, left, top, width, height)
        if values.ndim == 3:
            gap_pixels = max(1, values.shape[1] // 10)
            sheet = mosaic(values, 4, gap=gap_pixels)
            for number in range(len(values)):  # the numbers of the other figures
                ax.text(
                    number % 4 * (values.shape[2] + gap_pixels) - 0.3,
                    number // 4 * (values.shape[1] + gap_pixels) - 0.3,
                    str(number),
                    fontsize=5,
                    color=DARK,
                    va="top",
                    ha="left",
                )
            size = "{} maps, {} x {}".format(*values.shape)
        else:
            sheet = values.reshape(-1, 8)
            size = "{} units".format(len(values))
        drawn = ax.imshow(
            sheet,
            cmap=colour_map("amount", "zero", "positive-mid", "positive-full"),
            vmin=0,
            vmax=values.max() or 1,
            aspect="auto",
            interpolation="nearest",
        )
        ax.axis("off")
        ax.set_title("{}\n{}".format(key, size))
        bar = axes_at(figure, left, top + height + 0.13, width, 0.12)
        figure.colorbar(drawn, cax=bar, orientation="horizontal")
        bar.xaxis.set_major_locator(MaxNLocator(4 if values.ndim == 3 else 2))
        bar.tick_params(labelsize=9)

    ax = axes_at(figure, lefts[-1], top, bar_width, height)
    plot_probabilities(ax, probabilities, [best], names)
    ax.set_title("{}\n{} probabilities".format(last, len(probabilities)))

    for i, left in enumerate(lefts[1:]):  # arrows between the panels' titles
        right = left - (room if i == len(widths) - 1 else 0)
        figure.text(
            (right - gap / 2) / figure.get_figwidth(),
            1 - (top - 0.12) / figure.get_figheight(),
            "\N{RIGHTWARDS ARROW}",
            ha="center",
            va="bottom",
            fontsize=18,
            color=DARK,
        )
    return figure
