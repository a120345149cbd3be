"""The tutorial's figures: the kernels, a digit, its feature maps, the training curves.

Each ``plot_`` function takes arrays and returns a matplotlib figure. The functions after them lay
figures out; `mnist_cnn.analysis.plots` uses them as well.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from .support.records import TRAINED_ON

__all__ = ["plot_kernels", "plot_feature_maps", "plot_digit", "plot_history",
           "mosaic", "scale_of", "bare", "axes_at", "headline"]

DARK, LIGHT = "#30343b", "#b8bdc6"


def plot_kernels(kernels, diverging=False):
    """Draw the kernels of the first layer.

    Parameters
    ----------
    kernels : array
        (maps, 1, rows, columns), at most 36 maps.
    diverging : bool
        Blue for negative, white for zero and red for positive, instead of the tutorial's greys.

    Returns
    -------
    matplotlib Figure
        All kernels at one scale, numbered from 0.
    """
    return _plot_grid(kernels[:, 0], "Kernels of the first layer ({} x {} pixels)".format(
        *kernels.shape[2:]), "weight", diverging)


def plot_feature_maps(maps, name, diverging=False):
    """Draw the feature maps of one image.

    Parameters
    ----------
    maps : array
        (maps, rows, columns), at most 36 maps.
    name : str
        What the image is, for the title.
    diverging : bool
        As for `plot_kernels`.

    Returns
    -------
    matplotlib Figure
        All maps at one scale, numbered as the kernels that made them.
    """
    return _plot_grid(maps, "Feature maps of {}:\nthe image convolved with each kernel"
                      .format(name), "activation before bias and rectifier", diverging)


def plot_digit(image, name):
    """Draw one image.

    Parameters
    ----------
    image : array
        (rows, columns), in [0, 1].
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure
    """
    figure = plt.figure(figsize=(4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.axis("off")
    return figure


def plot_history(history):
    """Draw the training curves.

    Parameters
    ----------
    history : structured array
        As `mnist_cnn.support.records.load_history` returns it.

    Returns
    -------
    matplotlib Figure
        Loss and accuracy by epoch, for training (with dropout) and validation (without).
    """
    figure = plt.figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle("Training and validation by epoch")
    for ax, quantity, label, scale in zip(
            figure.subplots(1, 2), ("loss", "accuracy"), ("cross-entropy [nats]", "accuracy [%]"),
            (1, 100)):
        for part, marker in (("training", "o"), ("validation", "s")):
            field = "{}_{}".format(part, quantity)
            text = "training (with dropout)" if part == "training" else part
            if field not in history.dtype.names:  # of a run on all data
                field, text = field + TRAINED_ON, "validation digits, trained on"
            ax.plot(history["epoch"], scale * history[field],
                    marker=marker, markersize=4, label=text)
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(history) == 1:  # no curve, but two points in the middle
            ax.set_xlim(history["epoch"][0] - .9, history["epoch"][0] + .9)
            ax.margins(y=.4)
        ax.grid(alpha=.3)
        ax.legend()
    return figure


def mosaic(images, columns, gap=1):
    """Lay images of one size out in rows, from left to right.

    Parameters
    ----------
    images : array
        (n, rows, columns).
    columns : int
        Images a row.
    gap : int
        Pixels between two.

    Returns
    -------
    float array
        2D; NaN, which matplotlib leaves blank, between the images and where there is none.
    """
    num_images, height, width = images.shape
    num_rows = -(-num_images // columns)
    sheet = np.full((num_rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = image
    return sheet


def _plot_grid(images, title, label, diverging):
    """Draw up to 36 images of one size, at one scale, in the tutorial's 6x6 grid."""
    side, gap, top = .92, .22, .62 + .2 * title.count("\n")
    figure = plt.figure(figsize=(6 * (side + .1) + 1.15, top + 6 * (side + gap)))
    headline(figure, title, size=13)
    scale = scale_of(images, diverging)
    for i, image in enumerate(images):
        ax = axes_at(figure, .12 + i % 6 * (side + .1), top + i // 6 * (side + gap), side, side)
        drawn = ax.imshow(image, **scale)
        bare(ax)  # a frame, since white is a value too
        ax.set_title(str(i), fontsize=9, pad=2)
    figure.colorbar(drawn, label=label, cax=axes_at(
        figure, .12 + 6 * (side + .1) + .08, top + 1.5 * (side + gap), .2, 3 * (side + gap)))
    return figure


def scale_of(arrays, diverging=True):
    """Colour map and limits for arrays that are to be compared, as imshow takes them."""
    if not diverging:
        return dict(cmap="gray", vmin=np.min(arrays), vmax=np.max(arrays))
    limit = np.max(np.abs(arrays)) or 1  # zero is white
    return dict(cmap="RdBu_r", vmin=-limit, vmax=limit)


def bare(ax):
    """Take ticks and labels away, and leave a thin frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(LIGHT)
        spine.set_linewidth(.8)


def axes_at(figure, left, top, width, height):
    """Axes at a place counted in inches from the figure's top left corner."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes([left / full_width, 1 - (top + height) / full_height,
                            width / full_width, height / full_height])


def headline(figure, text, top=.2, size=15):
    """A title at a distance in inches from the top."""
    figure.suptitle(text, fontsize=size, y=1 - top / figure.get_figheight())
