"""What the filters of the second layer look for."""

import matplotlib.pyplot as plt
import numpy as np

from ...visualize import axes_at, bare, headline, mosaic, scale_of

__all__ = ["plot_second_layer"]


def plot_second_layer(patches, values, maxima, kernels):
    """Draw what each filter of the second convolution looks for, in three ways.

    Parameters
    ----------
    patches, values : arrays
        As `mnist_cnn.analysis.features.top_patches` returns them: (filters, 9, rows, columns), in
        [0, 1], and (filters, 9).
    maxima : array
        (filters, rows, columns), in [0, 1]: the input that maximises the filter.
    kernels : array
        (filters, maps, rows, columns).

    Returns
    -------
    matplotlib Figure
        A panel a filter: the patches, the maximum, and the kernel for each map before it.
    """
    num_filters = len(patches)
    columns, side, gap = 4, 1.22, .05
    rows = -(-num_filters // columns)
    cell_width, cell_height = 3 * side + 2 * gap + .5, side + .14
    top = 1.05
    figure = plt.figure(figsize=(columns * cell_width + 1.15, top + rows * cell_height))
    headline(figure, "What the {} filters of the second convolution look for".format(num_filters),
           size=17)
    figure.text(.5, 1 - .75 / figure.get_figheight(),
                "left: the nine patches of test digits that excite the filter most    |    "
                "middle: the input that maximises it    |    "
                "right: its kernels, one for each map of the first layer", ha="center", fontsize=12)
    scale = scale_of(kernels)
    for i in range(num_filters):
        x, y = .35 + i % columns * cell_width, top + i // columns * cell_height
        left, middle, right = (axes_at(figure, x + j * (side + gap), y, side, side)
                               for j in range(3))
        left.imshow(mosaic(patches[i], 3), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        left.axis("off")
        left.text(-.04, .5, str(i), transform=left.transAxes, ha="right", va="center", fontsize=11)
        if values[i].max() <= 0:
            left.text(.5, .5, "silent", transform=left.transAxes, ha="center", va="center",
                      fontsize=11, bbox=dict(facecolor="white", edgecolor="none"))
        middle.imshow(maxima[i], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        middle.axis("off")
        drawn = right.imshow(mosaic(kernels[i], int(np.ceil(np.sqrt(kernels.shape[1])))),
                             interpolation="nearest", **scale)
        bare(right)
    figure.colorbar(drawn, label="weight", cax=axes_at(
        figure, columns * cell_width + .2, top + rows * cell_height / 2 - 2, .15, 4))
    return figure
