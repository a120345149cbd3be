"""The kernels during training, epoch by epoch."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ...drawing.colour import in_colour, scale_of
from ...drawing.layout import axes_at, headline, mosaic, new_figure

__all__ = ["plot_evolution", "draw_evolution"]


def plot_evolution(snapshots: np.ndarray, epochs: np.ndarray, rows: int = 8) -> Figure:
    """Draw the first layer's kernels during training.

    Parameters
    ----------
    snapshots : array
        (epochs, maps, channels, rows, columns), as `mnist_cnn.storage.records.load_snapshots`
        returns them.
    epochs : int array
        (epochs,), their numbers; 0 is before training.
    rows : int
        Epochs to show at most, evenly spaced from the first to the last.

    Returns
    -------
    matplotlib Figure
        A row for each epoch, a column for each kernel, all at one scale. Kernels of colour images are
        in colour, each with its own scale for all epochs.
    """
    shown = np.unique(np.linspace(0, len(snapshots) - 1, min(rows, len(snapshots))).round().astype(int))
    pictures, scale = _pictures(snapshots)
    num_kernels, width = pictures.shape[1], pictures.shape[3]
    side, top, left = 0.42, 0.95, 1  # inches
    length = num_kernels * side * (width + 1) / width
    figure = new_figure(figsize=(left + length + (1 if scale else 0.2), top + len(shown) * (side + 0.12) + 0.15))
    headline(figure, "The kernels of the first layer during training")
    for row, i in enumerate(shown):
        ax = axes_at(figure, left, top + row * (side + 0.12), length, side)
        drawn = ax.imshow(mosaic(pictures[i], num_kernels), interpolation="nearest", aspect="auto", **scale)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_ylabel(
            "epoch {}".format(epochs[i]) if epochs[i] else "before", rotation=0, ha="right", va="center", fontsize=11
        )
        if row == 0:
            ax.set_xticks(np.arange(num_kernels) * (width + 1) + (width - 1) / 2)
            ax.set_xticklabels(list(map(str, range(num_kernels))), fontsize=10)
            ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    if scale:
        figure.colorbar(
            drawn,
            label="weight",
            cax=axes_at(figure, left + length + 0.1, top, 0.13, len(shown) * (side + 0.12) - 0.12),
        )
    return figure


def _pictures(snapshots):
    """The kernels of each epoch as pictures, and their scale; it is empty for kernels in colour."""
    if snapshots.shape[2] == 3:
        limits = np.abs(snapshots).max(axis=(0, 2, 3, 4))
        return np.stack([in_colour(kernels, limits) for kernels in snapshots]), {}
    sheets = [[mosaic(kernel, len(kernel)) for kernel in kernels] for kernels in snapshots]
    return np.array(sheets), scale_of(snapshots)


def draw_evolution(snapshots: np.ndarray, epochs: np.ndarray) -> list[np.ndarray]:
    """Draw the first layer's kernels during training as the frames of a film.

    Parameters
    ----------
    snapshots, epochs : arrays
        As for `plot_evolution`.

    Returns
    -------
    list of uint8 arrays
        (rows, columns, 3), one for each epoch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    columns, side = 8, 0.6
    pictures, scale = _pictures(snapshots)
    sheet = mosaic(pictures[0], columns)
    height, width = side / snapshots.shape[-1] * np.array(sheet.shape[:2])
    figure = new_figure(figsize=(width + (0.95 if scale else 0.3), height + 0.75), dpi=100)
    ax = axes_at(figure, 0.15, 0.6, width, height)
    drawn = ax.imshow(sheet, interpolation="nearest", **scale)
    ax.axis("off")
    if scale:
        bar = axes_at(figure, 0.25 + width, 0.6, 0.12, height)
        figure.colorbar(drawn, cax=bar)
        bar.tick_params(labelsize=9)
    canvas, frames = FigureCanvasAgg(figure), []  # others, such as that of MPLBACKEND=svg, have no pixels
    for kernels, epoch in zip(pictures, epochs):
        drawn.set_data(mosaic(kernels, columns))
        headline(figure, "Kernels {}".format("after epoch {}".format(epoch) if epoch else "before training"), size=13)
        canvas.draw()
        frames.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    plt.close(figure)
    return frames
