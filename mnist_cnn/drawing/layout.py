"""Layout of figures in inches, and of images in rows."""

from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from .colour import scale_of
from .palette import on_light

__all__ = ["DARK", "LIGHT", "new_figure", "mosaic", "bare", "axes_at", "headline", "plot_grid"]

DARK, LIGHT = on_light("text", "ink-tint")


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows once, not as a cell's value and again as an open figure of pyplot."""

    def _repr_html_(self):
        plt.close(self)
        return super()._repr_html_()


def new_figure(**kwargs: Any) -> matplotlib.figure.Figure:
    """Make a figure as `matplotlib.pyplot.figure` does, but a notebook shows it once."""
    return plt.figure(FigureClass=Figure, **kwargs)


def mosaic(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Arrange images of one size in rows, from left to right.

    Parameters
    ----------
    images : array
        (n, rows, columns) or, in colour, (n, rows, columns, 3).
    columns : int
        Images in a row.
    gap : int
        Pixels between two images.

    Returns
    -------
    float array
        (rows, columns) or (rows, columns, 3). Gaps are NaN, which matplotlib leaves blank, or white in
        colour.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.drawing.layout import mosaic
    >>> mosaic(np.ones((3, 1, 2)), columns=2)
    array([[ 1.,  1., nan,  1.,  1.],
           [nan, nan, nan, nan, nan],
           [ 1.,  1., nan, nan, nan]])
    """
    num_images, height, width = images.shape[:3]
    num_rows = -(-num_images // columns)
    sheet = np.full(
        (num_rows * (height + gap) - gap, columns * (width + gap) - gap) + images.shape[3:],
        np.nan if images.ndim == 3 else 1.0,
    )
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def bare(ax: Axes) -> None:
    """Remove ticks and labels, and draw a thin frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(LIGHT)
        spine.set_linewidth(0.8)


def axes_at(figure: matplotlib.figure.Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a position in inches from the figure's top left corner.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from mnist_cnn.drawing.layout import axes_at
    >>> figure = plt.figure(figsize=(4, 2))
    >>> axes_at(figure, left=1, top=.5, width=2, height=1).get_position().bounds
    (0.25, 0.25, 0.5, 0.5)
    """
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    )


def headline(figure: matplotlib.figure.Figure, text: str, top: float = 0.2, size: float = 15) -> None:
    """Add a title at a distance in inches from the top."""
    figure.suptitle(text, fontsize=size, y=1 - top / figure.get_figheight())


def plot_grid(images: np.ndarray, title: str, label: str | None, diverging: bool) -> matplotlib.figure.Figure:
    """Draw up to 36 images of one size, at one scale, in the tutorial's 6x6 grid.

    Parameters
    ----------
    images : array
        (n, rows, columns), or, in colour, (n, rows, columns, 3).
    title : str
    label : str or None
        The label of the colour bar; None for images in colour, which have no colour bar.
    diverging : bool
        As for `mnist_cnn.drawing.colour.scale_of`.

    Returns
    -------
    matplotlib Figure
        Numbered from 0.
    """
    side, gap, top = 0.92, 0.22, 0.62 + 0.2 * title.count("\n")
    width = side * images.shape[2] / images.shape[1]
    right = 1.15 if label else 0.12
    figure = new_figure(figsize=(6 * (width + 0.1) + right, top + 6 * (side + gap)))
    headline(figure, title, size=13)
    scale = scale_of(images, diverging) if label else {}
    for i, image in enumerate(images):
        ax = axes_at(figure, 0.12 + i % 6 * (width + 0.1), top + i // 6 * (side + gap), width, side)
        drawn = ax.imshow(image, **scale)
        bare(ax)  # with a frame, because white is also a value
        ax.set_title(str(i), fontsize=9, pad=2)
    if label:
        figure.colorbar(
            drawn,
            label=label,
            cax=axes_at(figure, 0.12 + 6 * (width + 0.1) + 0.08, top + 1.5 * (side + gap), 0.2, 3 * (side + gap)),
        )
    return figure
