"""Test images in a plane of two features."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...drawing.layout import DARK, bare, new_figure
from .marks import class_colours, labels_of

__all__ = ["plot_embedding"]


def _spread(points, distance):
    """Indices of points, chosen in order, with at least `distance` between any two."""
    chosen = []
    for i, point in enumerate(points):
        if not chosen or (np.abs(points[chosen] - point).max(axis=1) >= distance).all():
            chosen.append(i)
    return chosen


def plot_embedding(
    projected: np.ndarray,
    labels: np.ndarray,
    images: np.ndarray,
    title: str,
    axes_labels: tuple[str, str] = ("", ""),
    marked: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw test images in a plane of two features.

    Parameters
    ----------
    projected : array
        (n, 2).
    labels : int array
        (n,), the classes.
    images : array
        (n, rows, columns) or, in colour, (n, rows, columns, 3), in [0, 1].
    title : str
    axes_labels : pair of str
    marked : array, optional
        (2,), a place to mark: the image that the other figures show.
    names : sequence of str, optional
        The classes' names for the legend; by default their numbers.

    Returns
    -------
    matplotlib Figure
        A dot for each image in its class's colour, and as many images as there is room for: with ink
        in the class's colour, or colour images with a frame in it.
    """
    low, high = projected.min(axis=0), projected.max(axis=0)
    if marked is not None:
        low, high = np.minimum(low, marked), np.maximum(high, marked)
    size = (high - low).max() / 40 or 1
    tall = np.clip((high - low + 2 * size)[1] / (high - low + 2 * size)[0], 0.5, 1.2)
    figure = new_figure(figsize=(12, 11.2 * tall + 0.9), layout="constrained")
    ax = figure.add_subplot()
    ax.set_title(title, fontsize=14)
    num_classes = int(labels.max()) + 1 if names is None else len(names)
    colours = np.array([to_rgb(colour) for colour in class_colours(num_classes)])
    ax.scatter(projected[:, 0], projected[:, 1], s=3, c=colours[labels], alpha=0.35, linewidths=0)
    for i in _spread(projected, size * 0.9):
        x, y = projected[i]
        ax.imshow(
            _stamp(images[i], colours[labels[i]]),
            interpolation="bilinear",
            zorder=2,
            extent=(x - size / 2, x + size / 2, y - size / 2, y + size / 2),
        )
    if marked is not None:
        ax.plot(
            *marked,
            marker="o",
            markersize=32,
            markerfacecolor="none",
            markeredgecolor=DARK,
            markeredgewidth=2,
            zorder=3,
        )
    ax.set_xlim(low[0] - size, high[0] + size)
    ax.set_ylim(low[1] - size, high[1] + size)
    ax.set_aspect("equal")
    ax.set_xlabel(axes_labels[0])
    ax.set_ylabel(axes_labels[1])
    if not any(axes_labels):  # t-SNE's axes have no meaning
        bare(ax)
    present = np.unique(labels)
    texts = labels_of(names, num_classes)
    ax.legend(
        handles=[
            Line2D([], [], marker="o", linestyle="", color=tuple(colours[label]), label=texts[label])
            for label in present
        ],
        loc="upper left",
        bbox_to_anchor=(1, 1),
        frameon=False,
        title="class",
        ncol=1 if len(present) <= 26 else 2,
    )
    return figure


def _stamp(image, colour):
    """A small RGBA image with ink or a frame in its class's colour."""
    if image.ndim == 3:
        framed = np.full((image.shape[0] + 6, image.shape[1] + 6, 4), (*colour, 1.0))
        framed[3:-3, 3:-3, :3] = image
        return framed
    stamp = np.empty(image.shape + (4,))
    stamp[..., :3] = colour * 0.8  # ink in the class's colour, no background
    stamp[..., 3] = image.clip(0, 1)
    return stamp
