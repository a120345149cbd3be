"""The tutorial's figures: the kernels, a digit, its feature maps, the training curves.

Each ``plot_`` function takes arrays and returns a matplotlib figure. The functions after them lay
figures out; `mnist_cnn.analysis.plots` uses them as well.
"""

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from .support.palette import SIGNED, on_light

__all__ = ["plot_kernels", "plot_feature_maps", "plot_digit", "plot_history",
           "as_picture", "in_colour", "new_figure", "mosaic", "scale_of", "bare", "axes_at",
           "headline", "colour_map"]

DARK, LIGHT = on_light("text", "ink-tint")


def plot_kernels(kernels, diverging=False):
    """Draw the kernels of the first layer.

    Parameters
    ----------
    kernels : array
        (maps, channels, rows, columns), at most 36 maps.
    diverging : bool
        Blue for negative, nearly white for zero and orange for positive, instead of the tutorial's greys.

    Returns
    -------
    matplotlib Figure
        All kernels at one scale, numbered from 0. Those of colour images are drawn in colour (see
        `in_colour`), each at a scale of its own; `diverging` draws their channels side by side, as
        it does for any other number of channels.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import plot_kernels
    >>> figure = plot_kernels(np.random.RandomState(1).normal(size=(32, 1, 5, 5)))
    >>> len(figure.axes)  # the kernels and the colour bar
    33
    >>> figure.savefig("kernels.png")
    """
    num_channels = kernels.shape[1]
    title = "Kernels of the first layer ({} x {} pixels)".format(*kernels.shape[2:])
    if num_channels == 3 and not diverging:
        return _plot_grid(in_colour(kernels), title + "\ngrey is zero; each has its own scale",
                          None, diverging)
    if num_channels > 1:
        title += "\nof the {} channels{}".format(
            num_channels, ": red, green, blue" if num_channels == 3 else "")
    sheets = np.stack([mosaic(kernel, num_channels) for kernel in kernels])
    return _plot_grid(sheets, title, "weight", diverging)


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

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import plot_feature_maps
    >>> maps = np.random.RandomState(1).normal(size=(32, 24, 24))
    >>> figure = plot_feature_maps(maps, "noise", diverging=True)
    >>> len(figure.axes)
    33
    """
    return _plot_grid(maps, "Feature maps of {}:\nthe image convolved with each kernel"
                      .format(name), "activation before bias and rectifier", diverging)


def plot_digit(image, name):
    """Draw one image.

    Parameters
    ----------
    image : array
        (rows, columns) or, in colour, (rows, columns, 3), in [0, 1].
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset
    >>> from mnist_cnn.visualize import plot_digit
    >>> images, labels = load_dataset()[4:]
    >>> figure = plot_digit(images[0, 0], "a {}".format(labels[0]))
    >>> figure.axes[0].get_title()
    'a 7'
    """
    figure = new_figure(figsize=(4, 4.2), layout="constrained")
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
        Loss and accuracy by epoch, for training (with dropout) and, if there was one, validation
        (without).

    Examples
    --------
    >>> from mnist_cnn.support.records import load_history, save_history
    >>> from mnist_cnn.visualize import plot_history
    >>> save_history("weights.npz", [(1, .8, .4, .86, .08, .977), (2, .8, .15, .95, .06, .983)])
    >>> figure = plot_history(load_history("weights.npz"))
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['cross-entropy [nats]', 'accuracy [%]']
    """
    figure = new_figure(figsize=(9, 3.6), layout="constrained")
    parts = [part for part in ("training", "validation") if part + "_loss" in history.dtype.names]
    figure.suptitle("{} by epoch".format(" and ".join(parts).capitalize()))
    for ax, quantity, label, scale in zip(
            figure.subplots(1, 2), ("loss", "accuracy"), ("cross-entropy [nats]", "accuracy [%]"),
            (1, 100)):
        for part, marker in zip(parts, "os"):  # a run on all data has no validation
            text = "training (with dropout)" if part == "training" else part
            ax.plot(history["epoch"], scale * history["{}_{}".format(part, quantity)],
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


def as_picture(images):
    """Bring images from the network's layout to the one that matplotlib draws.

    Parameters
    ----------
    images : array
        (channels, rows, columns), or several of them, (n, channels, rows, columns).

    Returns
    -------
    array
        ([n,] rows, columns) of one channel, ([n,] rows, columns, 3) of three: red, green, blue. Of
        any other number of channels the mean, which has no colour.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import as_picture
    >>> as_picture(np.zeros((5, 3, 32, 30))).shape, as_picture(np.zeros((1, 28, 28))).shape
    ((5, 32, 30, 3), (28, 28))
    """
    if images.shape[-3] == 1:
        return images[..., 0, :, :]
    return np.moveaxis(images, -3, -1) if images.shape[-3] == 3 else images.mean(axis=-3)


def in_colour(kernels, limits=None):
    """Make kernels of colour images pictures: the colours that each filter multiplies with.

    Each filter is scaled by one number, jointly over its channels and pixels: grey is zero, and
    the weight of largest magnitude becomes no light or full light of its channel. (Other pictures
    of this kind stretch a filter from its least to its largest weight [1]_; there the grey of zero
    differs from filter to filter.)

    Parameters
    ----------
    kernels : array
        (n, 3, rows, columns).
    limits : array, optional
        (n,), the magnitude that gets full colour; by default each filter's largest.

    Returns
    -------
    array
        (n, rows, columns, 3), in [0, 1].

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet classification with deep convolutional
       neural networks. NeurIPS 2012. Figure 3.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import in_colour
    >>> kernel = np.zeros((1, 3, 1, 2))
    >>> kernel[0, :, 0, 0] = .2, -.2, .1  # red and a little blue, no green
    >>> in_colour(kernel)[0, 0]
    array([[1.  , 0.  , 0.75],
           [0.5 , 0.5 , 0.5 ]])
    """
    if limits is None:
        limits = np.abs(kernels).max(axis=(1, 2, 3))
    limits = np.where(limits > 0, limits, 1)[:, None, None, None]
    return as_picture(.5 + kernels / (2 * limits)).clip(0, 1)


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows once.

    A notebook shows a cell's last value, and at the cell's end every figure that pyplot has open:
    a figure that is returned would come twice.
    """

    def _repr_html_(self):
        plt.close(self)
        return super()._repr_html_()


def new_figure(**kwargs):
    """Make a figure, as `matplotlib.pyplot.figure` does, that a notebook shows once.

    Examples
    --------
    >>> from mnist_cnn.visualize import new_figure
    >>> figure = new_figure(figsize=(4, 2))
    >>> figure.get_size_inches()
    array([4., 2.])
    """
    return plt.figure(FigureClass=Figure, **kwargs)


def mosaic(images, columns, gap=1):
    """Lay images of one size out in rows, from left to right.

    Parameters
    ----------
    images : array
        (n, rows, columns) or, in colour, (n, rows, columns, 3).
    columns : int
        Images a row.
    gap : int
        Pixels between two.

    Returns
    -------
    float array
        (rows, columns) or (rows, columns, 3). Between the images, and where there is none, it is
        NaN, which matplotlib leaves blank, or, in colour, white.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import mosaic
    >>> mosaic(np.ones((3, 1, 2)), columns=2)
    array([[ 1.,  1., nan,  1.,  1.],
           [nan, nan, nan, nan, nan],
           [ 1.,  1., nan, nan, nan]])
    """
    num_images, height, width = images.shape[:3]
    num_rows = -(-num_images // columns)
    sheet = np.full((num_rows * (height + gap) - gap, columns * (width + gap) - gap)
                    + images.shape[3:], np.nan if images.ndim == 3 else 1.)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = image
    return sheet


def _plot_grid(images, title, label, diverging):
    """Draw up to 36 images of one size, at one scale, in the tutorial's 6x6 grid.

    Images in colour, whose label is None, have no scale to show.
    """
    side, gap, top = .92, .22, .62 + .2 * title.count("\n")
    width = side * images.shape[2] / images.shape[1]
    right = 1.15 if label else .12
    figure = new_figure(figsize=(6 * (width + .1) + right, top + 6 * (side + gap)))
    headline(figure, title, size=13)
    scale = scale_of(images, diverging) if label else {}
    for i, image in enumerate(images):
        ax = axes_at(figure, .12 + i % 6 * (width + .1), top + i // 6 * (side + gap), width, side)
        drawn = ax.imshow(image, **scale)
        bare(ax)  # a frame, since white is a value too
        ax.set_title(str(i), fontsize=9, pad=2)
    if label:
        figure.colorbar(drawn, label=label, cax=axes_at(
            figure, .12 + 6 * (width + .1) + .08, top + 1.5 * (side + gap), .2, 3 * (side + gap)))
    return figure


def scale_of(arrays, diverging=True):
    """Colour map and limits for arrays that are to be compared, as imshow takes them.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import scale_of
    >>> scale = scale_of(np.array([-2, 1]))
    >>> scale["cmap"].name, scale["vmin"], scale["vmax"]
    ('signed', -2, 2)
    >>> scale_of(np.array([-2, 1]), diverging=False)
    {'cmap': 'gray', 'vmin': -2, 'vmax': 1}
    """
    if not diverging:
        return dict(cmap="gray", vmin=np.nanmin(arrays), vmax=np.nanmax(arrays))
    limit = np.nanmax(np.abs(arrays)) or 1  # zero is in the middle
    return dict(cmap=colour_map("signed", *SIGNED), vmin=-limit, vmax=limit)


def colour_map(name, *colours):
    """A colour map of matplotlib through some of the pages' colours, evenly.

    Parameters
    ----------
    name : str
    *colours : str
        Out of `mnist_cnn.support.palette.COLOURS`, from the least number to the largest.

    Returns
    -------
    matplotlib Colormap

    Examples
    --------
    >>> from mnist_cnn.visualize import colour_map
    >>> colour_map("ink", "paper", "ink")(0., bytes=True)[:3]  # paper's #fffefb
    (255, 254, 251)
    """
    # an odd number of shades, so that the middle is one of them
    return LinearSegmentedColormap.from_list(name, on_light(*colours), N=511)


def bare(ax):
    """Take ticks and labels away, and leave a thin frame.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from mnist_cnn.visualize import bare
    >>> ax = plt.figure().add_subplot()
    >>> bare(ax)
    >>> len(ax.get_xticks())
    0
    """
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(LIGHT)
        spine.set_linewidth(.8)


def axes_at(figure, left, top, width, height):
    """Axes at a place counted in inches from the figure's top left corner.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from mnist_cnn.visualize import axes_at
    >>> figure = plt.figure(figsize=(4, 2))
    >>> axes_at(figure, left=1, top=.5, width=2, height=1).get_position().bounds
    (0.25, 0.25, 0.5, 0.5)
    """
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes([left / full_width, 1 - (top + height) / full_height,
                            width / full_width, height / full_height])


def headline(figure, text, top=.2, size=15):
    """A title at a distance in inches from the top.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from mnist_cnn.visualize import headline
    >>> figure = plt.figure()
    >>> headline(figure, "A seven")
    >>> [text.get_text() for text in figure.texts]
    ['A seven']
    """
    figure.suptitle(text, fontsize=size, y=1 - top / figure.get_figheight())
