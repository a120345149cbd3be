"""A training as a film: all weights of some epochs, at six bits each."""

import numpy as np

__all__ = ["MAX_FRAMES", "quantize", "restore", "thin_out"]

#: Frames of a film at most, so that a long training leaves no large file.
MAX_FRAMES = 12

STEPS = 31  # each way: 98.94 % of the test digits where 32 bits have 98.97 %


def quantize(weights):
    """Round each array to 63 steps, of its largest magnitude in 31sts.

    Parameters
    ----------
    weights : list of arrays
        Of any shapes.

    Returns
    -------
    codes : int8 array
        All numbers one after another, in [-31, 31].
    scales : float32 array
        For each array what a step is.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.storage.film import quantize
    >>> codes, scales = quantize([np.array([.2, -.31]), np.zeros(2)])
    >>> codes, scales.round(4)
    (array([ 20, -31,   0,   0], dtype=int8), array([0.01, 0.  ], dtype=float32))
    """
    scales = np.array([np.abs(array).max() / STEPS for array in weights], np.float32)
    codes = [np.rint(array / max(scale, 1e-30)).ravel() for array, scale in zip(weights, scales)]
    return np.concatenate(codes).clip(-STEPS, STEPS).astype(np.int8), scales


def restore(codes, scales, shapes):
    """Undo `quantize`.

    Parameters
    ----------
    codes, scales : arrays
        As `quantize` gives them.
    shapes : list of tuple of int
        Those of the arrays.

    Returns
    -------
    list of float32 arrays
    """
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [
        (np.float32(part) * scale).reshape(shape)
        for part, scale, shape in zip(np.split(codes, ends[:-1]), scales, shapes)
    ]


def thin_out(frames, most=MAX_FRAMES):
    """Keep the first frame, the last, and of those between every second, fourth, eighth ...

    Parameters
    ----------
    frames : dict
        From the epoch's number to anything.
    most : int
        Frames to keep at most.

    Returns
    -------
    dict

    Examples
    --------
    >>> from mnist_cnn.storage.film import thin_out
    >>> sorted(thin_out(dict.fromkeys(range(23)), most=7))
    [0, 4, 8, 12, 16, 20, 22]
    """
    frames, stride = dict(frames), 1
    while len(frames) > most:
        stride *= 2
        last = max(frames)
        frames = {epoch: frame for epoch, frame in frames.items() if epoch % stride == 0 or epoch == last}
    return frames
