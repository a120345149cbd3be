"""The network's architecture: its layers, their shapes and numbers of parameters."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ...drawing.layout import DARK, headline, new_figure
from ...drawing.palette import on_light
from ..architecture import Row

__all__ = ["plot_architecture"]

#: The colour of each kind of layer.
COLOURS = dict(
    zip(
        ("Input", "Conv2D", "MaxPool2D", "Dropout", "Dense"),
        on_light("line", "negative-tint", "positive-tint", "zero", "ink-tint"),
    )
)
LEARNED, NOTE = on_light("negative-text", "muted")
CHANNELS = ("#9db7e6", "#a3cf9b", "#eba3a3")  # of a colour image, from the back to the front


def plot_architecture(rows: Sequence[Row]) -> Figure:
    """Draw the layers from left to right, in the sizes of their outputs.

    Parameters
    ----------
    rows : list of mnist_cnn.analysis.architecture.Row

    Returns
    -------
    matplotlib Figure
        A stack of maps for (maps, rows, columns), a column for (units,), each with the layer's name,
        shape and number of parameters.
    """
    step = 1.75
    figure = new_figure(figsize=(step * len(rows) + 0.3, 4.3))
    headline(figure, "The network: {:,} numbers are learned".format(sum(row.parameters for row in rows)))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(0, step * len(rows) + 0.3)
    ax.set_ylim(0, 4.3)
    ax.axis("off")
    largest = max(row.shape[1] for row in rows if len(row.shape) == 3)
    most = max(row.shape[0] for row in rows if len(row.shape) == 1)
    for i, row in enumerate(rows):
        x, y = 0.15 + step * (i + 0.5), 2.35
        colour = COLOURS.get(row.kind.split(" ")[0], COLOURS["Input"])
        if len(row.shape) == 3:
            maps = min(5, row.shape[0])
            side = 0.35 + 0.65 * row.shape[1] / largest
            colours = CHANNELS if not i and maps == 3 else [colour] * maps
            for k in range(maps):  # from the back to the front
                shift = 0.07 * (maps - 1 - k)
                ax.add_patch(
                    Rectangle(
                        (x - side / 2 + shift - 0.1, y - side / 2 + shift - 0.1),
                        side,
                        side,
                        facecolor=colours[k],
                        edgecolor=DARK,
                        linewidth=0.8,
                    )
                )
        else:
            height = 0.5 + 1.3 * row.shape[0] / most
            ax.add_patch(
                Rectangle((x - 0.1, y - height / 2), 0.2, height, facecolor=colour, edgecolor=DARK, linewidth=0.8)
            )
        if i:
            ax.add_patch(
                FancyArrowPatch(
                    (x - step / 2 - 0.08, y), (x - step / 2 + 0.12, y), arrowstyle="->", mutation_scale=12, color=DARK
                )
            )
        word, _, size = row.kind.partition(" ")
        ax.text(x, 1.25, word + ("\n" + size if size else ""), ha="center", va="top", fontsize=11)
        ax.text(x, 0.72, "\N{MULTIPLICATION SIGN}".join(map(str, row.shape)), ha="center", va="top", fontsize=10)
        if row.parameters:
            ax.text(x, 0.42, "{:,}".format(row.parameters), ha="center", va="top", fontsize=10, color=LEARNED)
    ax.text(
        0.15, 0.12, "below each layer: its output's shape; in blue, how many numbers it learns", fontsize=9, color=NOTE
    )
    return figure
