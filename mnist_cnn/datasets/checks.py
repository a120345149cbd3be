"""Checks of the six arrays of a data set before training."""

from collections.abc import Sequence

import numpy as np
import theano

from ..system.errors import MnistCnnError
from .card import MAX_CHANNELS, MAX_SIDE, MIN_SIDE, Dataset

__all__ = ["check_arrays"]

NAMES = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test")
MAX_POWER = 25  # mean square of pixels: at most 1 for [0, 1], thousands for 0 to 255


def check_arrays(dataset: Sequence[np.ndarray]) -> Dataset:
    """Refuse arrays that cannot be trained on.

    Parameters
    ----------
    dataset : six arrays
        As for `mnist_cnn.training.trainer.train`.

    Returns
    -------
    mnist_cnn.datasets.card.Dataset
        The same arrays; images that are neither float32 nor of Theano's floatX are converted to floatX.

    Raises
    ------
    MnistCnnError
        When an item is not an array, has a wrong shape, dtype or range, or does not match the others.
        The text names the array, its value and the value that is needed.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.datasets.checks import check_arrays
    >>> images, labels = np.zeros((2, 28, 28, 1)), np.array([7, 2])
    >>> check_arrays([images, labels] * 3)
    Traceback (most recent call last):
        ...
    mnist_cnn.system.errors.MnistCnnError: X_train has the shape (2, 28, 28, 1), channels last; \
it must be (n, channels, rows, columns): X_train.transpose(0, 3, 1, 2)
    """
    try:
        arrays = tuple(dataset)
    except TypeError:
        arrays = ()
    if len(arrays) != len(NAMES):
        raise MnistCnnError(
            "the data are {} arrays; they must be six: {}".format(len(arrays) or "no", ", ".join(NAMES))
        )
    for name, array in zip(NAMES, arrays):
        if not isinstance(array, np.ndarray):
            raise MnistCnnError(
                "{0} is a {1}; it must be an array: numpy.asarray({0})".format(name, type(array).__name__)
            )
    images = [_check_images(name, array) for name, array in zip(NAMES[::2], arrays[::2])]
    for name, array, inputs in zip(NAMES[1::2], arrays[1::2], images):
        _check_labels(name, array)
        if len(array) != len(inputs):
            raise MnistCnnError(
                "X_{0} has {1} images and {2} has {3} labels; there must be equally many".format(
                    name[2:], len(inputs), name, len(array)
                )
            )
    for name, array in zip(NAMES[2::2], images[1:]):
        if array.shape[1:] != images[0].shape[1:]:
            raise MnistCnnError(
                "{} has images of the shape {} and X_train of {}; they must be equal".format(
                    name, array.shape[1:], images[0].shape[1:]
                )
            )
    checked = [array for pair in zip(images, arrays[1::2]) for array in pair]
    if isinstance(dataset, Dataset):
        return (
            dataset
            if all(map(lambda a, b: a is b, checked, dataset))
            else Dataset(checked, dataset.name, dataset.classes)
        )
    return Dataset(checked)


def _check_images(name, array):
    """Return images with a dtype that Theano's functions accept."""
    shape = array.shape
    wanted = "it must be (n, channels, rows, columns)"
    if array.ndim == 4 and shape[3] <= MAX_CHANNELS < shape[1]:
        raise MnistCnnError(
            "{0} has the shape {1}, channels last; {2}: {0}.transpose(0, 3, 1, 2)".format(name, shape, wanted)
        )
    if array.ndim in (2, 3):
        side = round(shape[1] ** 0.5) if array.ndim == 2 else 0
        how = ", {}, {}".format(side, side) if side**2 == shape[1] else ""
        how = ", {}, {}".format(*shape[1:]) if array.ndim == 3 else how
        raise MnistCnnError(
            "{} has the shape {}; {}{}".format(
                name, shape, wanted, ": {}.reshape(-1, 1{})".format(name, how) if how else ""
            )
        )
    if array.ndim != 4:
        raise MnistCnnError("{} has the shape {}; {}".format(name, shape, wanted))
    if not 1 <= shape[1] <= MAX_CHANNELS or not all(MIN_SIDE <= side <= MAX_SIDE for side in shape[2:]):
        raise MnistCnnError(
            "{} has the shape {}; channels must be 1 to {}, rows and columns {} to {}".format(
                name, shape, MAX_CHANNELS, MIN_SIDE, MAX_SIDE
            )
        )
    if not len(array):
        raise MnistCnnError("{} has no images; at least one is needed".format(name))
    if array.dtype.kind not in "buif":
        raise MnistCnnError("{0} has the type {1}; it must be float32: {0}.astype('float32')".format(name, array.dtype))
    if array.dtype.name not in (theano.config.floatX, "float32"):
        array = array.astype(theano.config.floatX)
    flat = array.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.dot(flat, flat) / flat.size  # the fastest check of every pixel
    if not power <= MAX_POWER:
        if not np.isfinite(array).all():
            place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            raise MnistCnnError(
                "{} has {} at {}; pixels must be numbers, from 0 to 1".format(name, array[place], place)
            )
        raise MnistCnnError(
            "{0} has pixels from {1:g} to {2:g}; they must be from 0 to 1: {0} / numpy.float32(256)".format(
                name, array.min(), array.max()
            )
        )
    return array


def _check_labels(name, array):
    if array.ndim == 2 and array.shape[1] > 1:
        raise MnistCnnError(
            "{0} has the shape {1}, one-hot; it must be (n,), the numbers of the classes: {0}.argmax(axis=1)".format(
                name, array.shape
            )
        )
    if array.ndim != 1:
        raise MnistCnnError("{0} has the shape {1}; it must be (n,): {0}.ravel()".format(name, array.shape))
    if array.dtype.kind not in "buif":
        raise MnistCnnError("{} has the type {}; labels must be whole numbers, from 0".format(name, array.dtype))
    wrong = ~((array >= 0) & (array < 256) & (array == np.floor(array)))  # also finds NaN
    if wrong.any():
        raise MnistCnnError("{} has the label {}; labels must be whole numbers, 0 to 255".format(name, array[wrong][0]))
