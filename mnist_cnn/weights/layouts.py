r"""How Lasagne, PyTorch and Keras lay out the same weights.

A convolution's filters are (filters, channels, rows, columns) for Lasagne and PyTorch, and (rows,
columns, channels, filters) for Keras. Lasagne's layers convolve, the others correlate, so that
filters are rotated by 180 degrees:

.. math:: \sum_{i, j} x_{r - i, c - j} \, w_{i, j} \quad \text{or} \quad
   \sum_{i, j} x_{r + i, c + j} \, w_{i, j}

A dense layer's weights are (inputs, outputs) for Lasagne and Keras, (outputs, inputs) for PyTorch.
Behind a convolution the order of the inputs is maps, rows, columns; in Keras it is rows, columns, maps
unless its images are channels first.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["Layout", "LASAGNE", "TORCH", "KERAS", "KERAS_CHANNELS_FIRST", "LAYOUTS"]


class Layout(NamedTuple):
    """A program's layout of weights.

    Parameters
    ----------
    name : str
        The program's name.
    filters : tuple of int
        The axes of its filters that are Lasagne's filters, channels, rows and columns.
    turned : bool
        Whether its filters are rotated by 180 degrees.
    transposed : bool
        Whether its dense weights are transposed.
    maps_last : bool
        Whether the map is the last index of a dense layer's inputs behind a convolution.

    Examples
    --------
    >>> from mnist_cnn.weights.layouts import KERAS, TORCH
    >>> KERAS.shape((32, 1, 5, 5)), TORCH.shape((512, 256))
    ((5, 5, 1, 32), (256, 512))
    """

    name: str
    filters: tuple = (0, 1, 2, 3)
    turned: bool = True
    transposed: bool = False
    maps_last: bool = False

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """Convert a shape of Lasagne's weights to this layout."""
        if len(ours) == 4:
            return tuple(ours[axis] for axis in np.argsort(self.filters))
        return ours[::-1] if self.transposed else tuple(ours)

    def to_lasagne(self, array: np.ndarray, maps: tuple[int, ...] | None = None) -> np.ndarray:
        """Convert weights to Lasagne's layout; `maps` is the shape of a preceding convolution's output.

        Examples
        --------
        >>> import numpy as np
        >>> from mnist_cnn.weights.layouts import TORCH
        >>> TORCH.to_lasagne(np.arange(4).reshape(1, 1, 2, 2))[0, 0]
        array([[3, 2],
               [1, 0]])
        """
        if array.ndim == 4:
            array = array.transpose(self.filters)
            return np.ascontiguousarray(array[:, :, ::-1, ::-1] if self.turned else array)
        if array.ndim == 2 and self.transposed:
            array = array.T
        if array.ndim == 2 and self.maps_last and maps is not None:
            array = array.reshape(maps[1], maps[2], maps[0], -1).transpose(2, 0, 1, 3)
            array = array.reshape(-1, array.shape[-1])
        return np.ascontiguousarray(array)

    def from_lasagne(self, array: np.ndarray) -> np.ndarray:
        """Convert Lasagne's weights to this layout, for programs with maps first."""
        if array.ndim == 4:
            array = (array[:, :, ::-1, ::-1] if self.turned else array).transpose(np.argsort(self.filters))
        elif array.ndim == 2 and self.transposed:
            array = array.T
        return np.ascontiguousarray(array)


LASAGNE = Layout("Lasagne", turned=False)
TORCH = Layout("PyTorch", transposed=True)
KERAS = Layout("Keras", (3, 2, 0, 1), maps_last=True)
KERAS_CHANNELS_FIRST = KERAS._replace(maps_last=False)

#: The layouts that differ in shapes.
LAYOUTS = (LASAGNE, TORCH, KERAS)
