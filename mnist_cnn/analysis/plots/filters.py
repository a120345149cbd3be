"""The patterns of the second layer's filters, and of the classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ...drawing.colour import scale_of
from ...drawing.layout import axes_at, bare, headline, mosaic, new_figure
from .marks import labels_of, percent

__all__ = ["plot_second_layer", "plot_classes"]


def plot_second_layer(
    patches: np.ndarray,
    values: np.ndarray,
    maxima: np.ndarray,
    maximum_values: np.ndarray,
    kernels: np.ndarray,
    noun: str = "digit",
) -> Figure:
    """Draw the patterns of the second convolution's filters, in three ways.

    Parameters
    ----------
    patches, values : arrays
        As `mnist_cnn.analysis.patches.top_patches` returns them: (filters, 9, rows, columns)
        or, in colour, (filters, 9, rows, columns, 3), in [0, 1], and (filters, 9).
    maxima : array
        (filters, rows, columns[, 3]), in [0, 1]: the inputs that maximize the filters.
    maximum_values : array
        (filters,), the filter's value there, before the rectifier.
    kernels : array
        (filters, maps, rows, columns).
    noun : str
        The word for an image.

    Returns
    -------
    matplotlib Figure
        A panel for each filter: the patches, the maximum, and the nine kernels of greatest root mean
        square, the greatest first, with the numbers of the maps that they read.
    """
    num_filters = len(patches)
    columns, side, gap = 4, 1.22, 0.05
    rows = -(-num_filters // columns)
    cell_width, cell_height = 3 * side + 2 * gap + 0.5, side + 0.32
    top = 1.05
    figure = new_figure(figsize=(columns * cell_width + 1.15, top + rows * cell_height))
    headline(figure, "What the {} filters of the second convolution look for".format(num_filters), size=17)
    figure.text(
        0.5,
        1 - 0.72 / figure.get_figheight(),
        "left: the nine patches of test {}s that excite the filter most, and how much "
        "they do    |    middle: the input that maximises it, and its value\n"
        "right: its nine heaviest kernels, with the number of the map that each reads".format(noun),
        ha="center",
        va="center",
        fontsize=12,
    )
    scale = scale_of(kernels)
    for i in range(num_filters):
        x, y = 0.35 + i % columns * cell_width, top + i // columns * cell_height
        left, middle, right = (axes_at(figure, x + j * (side + gap), y, side, side) for j in range(3))
        left.imshow(mosaic(patches[i], 3), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        left.axis("off")
        left.text(-0.04, 0.5, str(i), transform=left.transAxes, ha="right", va="center", fontsize=11)
        if values[i].max() <= 0:
            left.text(
                0.5,
                0.5,
                "silent",
                transform=left.transAxes,
                ha="center",
                va="center",
                fontsize=11,
                bbox=dict(facecolor="white", edgecolor="none"),
            )
        middle.imshow(maxima[i], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        middle.axis("off")
        left.text(
            0.5,
            -0.03,
            "{:.1f} to {:.1f}".format(values[i].max(), values[i].min()),
            transform=left.transAxes,
            ha="center",
            va="top",
            fontsize=8,
        )
        middle.text(
            0.5,
            -0.03,
            "{:.1f}".format(maximum_values[i]),
            transform=middle.transAxes,
            ha="center",
            va="top",
            fontsize=8,
        )
        heaviest = np.argsort(-np.sqrt((kernels[i] ** 2).mean(axis=(1, 2))), kind="stable")[:9]
        drawn = right.imshow(mosaic(kernels[i, heaviest], 3), interpolation="nearest", **scale)
        height, width = np.add(kernels.shape[2:], 1)
        for place, number in enumerate(heaviest):
            right.text(place % 3 * width - 0.3, place // 3 * height - 0.3, str(number), fontsize=6, va="top", ha="left")
        bare(right)
    figure.colorbar(
        drawn,
        label="weight",
        cax=axes_at(figure, columns * cell_width + 0.2, top + rows * cell_height / 2 - 2, 0.15, 4),
    )
    return figure


def plot_classes(maxima: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw the input that maximizes the score of each class.

    Parameters
    ----------
    maxima : array
        (classes, rows, columns) or, in colour, (classes, rows, columns, 3), in [0, 1].
    probabilities : array
        (classes,), of each class for its input.
    names : sequence of str
        The classes' names.

    Returns
    -------
    matplotlib Figure
    """
    columns = 5 if len(maxima) <= 10 else 8
    rows = -(-len(maxima) // columns)
    figure = new_figure(figsize=(2 * columns, 2.35 * rows + 0.8), layout="constrained")
    figure.suptitle("What each answer looks for: inputs that were made to raise one class's score", fontsize=14)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    labels = labels_of(names, len(maxima))
    for ax, image, probability, name in zip(axes.flat, maxima, probabilities, labels):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_title("{}: {}".format(name, percent(probability)), fontsize=11)
    return figure
