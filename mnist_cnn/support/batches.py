"""Many images through a function that takes them batch by batch."""

import numpy as np

from .errors import MnistCnnError

__all__ = ["run_in_batches", "join_finite"]


def run_in_batches(function, images, batch_size):
    """Call a function on all images, a batch at a time, so that memory is bounded.

    Parameters
    ----------
    function : callable
        From images, (batch, ...), to an array with as many rows, or a list of such arrays.
    images : array
        (n, ...), n at least 1.
    batch_size : int
        Images at once, at least 1; the last batch may be smaller.

    Returns
    -------
    array, or list of arrays
        As the function gives them, with n rows.

    Raises
    ------
    MnistCnnError
        When what comes is no finite number: every image would get the same answer.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.support.batches import run_in_batches
    >>> run_in_batches(lambda batch: 10 * batch, np.arange(5), batch_size=2)
    array([ 0, 10, 20, 30, 40])
    """
    parts = [function(images[start:start + batch_size])
             for start in range(0, len(images), batch_size)]
    if isinstance(parts[0], list):
        return [join_finite(part) for part in zip(*parts)]
    return join_finite(parts)


def join_finite(parts):
    """Join what a network computed for each batch; MnistCnnError where it is no finite number.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.support.batches import join_finite
    >>> join_finite([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    array = np.concatenate(parts)
    if not np.isfinite(array).all():
        raise MnistCnnError("the network computes NaN or infinity: its weights are too large for "
                            "{}; train it anew, with a smaller learning rate".format(array.dtype))
    return array
