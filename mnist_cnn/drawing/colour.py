"""Arrays as colours: signed numbers, filters, images."""

from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .palette import SIGNED, on_light

__all__ = ["as_picture", "in_colour", "scale_of", "colour_map"]


def as_picture(images: np.ndarray) -> np.ndarray:
    """Convert images from the network's layout to matplotlib's.

    Parameters
    ----------
    images : array
        (channels, rows, columns) or (n, channels, rows, columns).

    Returns
    -------
    array
        ([n,] rows, columns) for one channel, ([n,] rows, columns, 3) for three: red, green, blue. Any
        other number of channels is averaged, without colour.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.drawing.colour import as_picture
    >>> as_picture(np.zeros((5, 3, 32, 30))).shape, as_picture(np.zeros((1, 28, 28))).shape
    ((5, 32, 30, 3), (28, 28))
    """
    if images.shape[-3] == 1:
        return images[..., 0, :, :]
    return np.moveaxis(images, -3, -1) if images.shape[-3] == 3 else images.mean(axis=-3)


def in_colour(kernels: np.ndarray, limits: np.ndarray | None = None) -> np.ndarray:
    """Convert kernels of colour images to colours.

    Each filter is scaled by one number over its channels and pixels: grey is zero, and the weight of
    largest magnitude becomes 0 or 1 in its channel. (Others stretch a filter from its least to its
    largest weight [1]_; then the grey of zero differs between filters.)

    Parameters
    ----------
    kernels : array
        (n, 3, rows, columns).
    limits : array, optional
        (n,), the magnitude with full colour; by default each filter's largest.

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
    >>> from mnist_cnn.drawing.colour import in_colour
    >>> kernel = np.zeros((1, 3, 1, 2))
    >>> kernel[0, :, 0, 0] = .2, -.2, .1  # red and a little blue, no green
    >>> in_colour(kernel)[0, 0]
    array([[1.  , 0.  , 0.75],
           [0.5 , 0.5 , 0.5 ]])
    """
    if limits is None:
        limits = np.abs(kernels).max(axis=(1, 2, 3))
    limits = np.where(limits > 0, limits, 1)[:, None, None, None]
    return as_picture(0.5 + kernels / (2 * limits)).clip(0, 1)


def scale_of(arrays: np.ndarray, diverging: bool = True) -> dict[str, Any]:
    """Make the keyword arguments of imshow for arrays at one scale: colour map and limits.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.drawing.colour import scale_of
    >>> scale = scale_of(np.array([-2, 1]))
    >>> scale["cmap"].name, scale["vmin"], scale["vmax"]
    ('signed', -2, 2)
    >>> scale_of(np.array([-2, 1]), diverging=False)
    {'cmap': 'gray', 'vmin': -2, 'vmax': 1}
    """
    if not diverging:
        return dict(cmap="gray", vmin=np.nanmin(arrays), vmax=np.nanmax(arrays))
    limit = np.nanmax(np.abs(arrays)) or 1  # symmetric about zero
    return dict(cmap=colour_map("signed", *SIGNED), vmin=-limit, vmax=limit)


def colour_map(name: str, *colours: str) -> LinearSegmentedColormap:
    """Make a matplotlib colour map through colours of `mnist_cnn.drawing.palette.COLOURS`, evenly spaced."""
    # an odd number of shades, so that one is the middle
    return LinearSegmentedColormap.from_list(name, on_light(*colours), N=511)
