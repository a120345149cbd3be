"""The tutorial's figures: the kernels, a digit, and the digit's feature maps."""

import numpy as np
import theano
import theano.tensor as T

from .drawing.colour import in_colour
from .drawing.layout import mosaic, new_figure, plot_grid

__all__ = ["plot_kernels", "feature_maps", "plot_feature_maps", "plot_digit"]


def plot_kernels(kernels, diverging=False):
    """Draw the kernels of the first layer.

    Parameters
    ----------
    kernels : array
        (maps, channels, rows, columns), at most 36 maps.
    diverging : bool
        Whether negative is blue, zero nearly white and positive orange, instead of the tutorial's greys.

    Returns
    -------
    matplotlib Figure
        All kernels at one scale, numbered from 0. Kernels with three channels are drawn in colour, each
        at its own scale (`mnist_cnn.drawing.colour.in_colour`); with `diverging`, or any other number
        of channels, the channels are drawn side by side.

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
        return plot_grid(in_colour(kernels), title + "\ngrey is zero; each has its own scale", None, diverging)
    if num_channels > 1:
        title += "\nof the {} channels{}".format(num_channels, ": red, green, blue" if num_channels == 3 else "")
    sheets = np.stack([mosaic(kernel, num_channels) for kernel in kernels])
    return plot_grid(sheets, title, "weight", diverging)


def feature_maps(kernels, images):
    """Convolve images with kernels, as the first layer does before its bias and rectifier.

    It is a true convolution: Theano flips the kernels, unlike most other libraries.

    Parameters
    ----------
    kernels : array
        (maps, channels, rows, columns), e.g. ``arr_0`` of a saved model.
    images : array
        (n, channels, rows, columns).

    Returns
    -------
    array
        (n, maps, rows - kernel rows + 1, columns - kernel columns + 1): only where the kernel lies
        within the image.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.visualize import feature_maps
    >>> kernel = np.float64([[[[1, 0], [0, -1]]]])
    >>> image = np.float64([[[[1, 2, 3], [4, 5, 6], [7, 8, 10]]]])
    >>> feature_maps(kernel, image)[0, 0].tolist()  # 5 - 1, because the kernel is flipped
    [[4.0, 4.0], [4.0, 5.0]]
    """
    inputs = T.tensor4("inputs")
    convolve = theano.function([inputs], T.nnet.conv2d(inputs, kernels.astype(inputs.dtype)))
    return convolve(images.astype(inputs.dtype))


def plot_feature_maps(maps, name, diverging=False):
    """Draw the feature maps of one image.

    Parameters
    ----------
    maps : array
        (maps, rows, columns), at most 36 maps.
    name : str
        The image's name, for the title.
    diverging : bool
        As for `plot_kernels`.

    Returns
    -------
    matplotlib Figure
        All maps at one scale, numbered like their kernels.
    """
    return plot_grid(
        maps,
        "Feature maps of {}:\nthe image convolved with each kernel".format(name),
        "activation before bias and rectifier",
        diverging,
    )


def plot_digit(image, name):
    """Draw one image.

    Parameters
    ----------
    image : array
        (rows, columns) or, in colour, (rows, columns, 3), in [0, 1].
    name : str
        The title.

    Returns
    -------
    matplotlib Figure
    """
    figure = new_figure(figsize=(4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.axis("off")
    return figure
