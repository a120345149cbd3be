"""The first layer's kernels, saved as training goes along."""

from pathlib import Path

import numpy as np

from .errors import MnistCnnError
from .files import read_npz, write_npz

__all__ = ["snapshots_path", "save_snapshots", "load_snapshots"]


def snapshots_path(output):
    """The npz file of the kernels that goes beside a file of weights."""
    return Path(output).with_suffix(".snapshots.npz")


def save_snapshots(output, snapshots):
    """Write kernels beside a file of weights, whole or not at all.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    snapshots : dict of int to array
        An epoch, 0 for before training, to the kernels then, (maps, channels, rows, columns).

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    epochs = sorted(snapshots)
    write_npz(snapshots_path(output), {"epochs": np.array(epochs), "kernels": np.stack(
        [snapshots[epoch] for epoch in epochs])})


def load_snapshots(output, shape):
    """Read the kernels that were saved beside a file of weights.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    shape : tuple of int
        (maps, channels, rows, columns) of the kernels.

    Returns
    -------
    epochs : int array
        (n,), increasing, 0 for before training.
    snapshots : array
        (n,) + shape, n at least 1.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is none that `save_snapshots` wrote.
    """
    path = snapshots_path(output)
    if not path.exists():
        raise MnistCnnError("there is no {}; train with --snapshots to see how the kernels came "
                            "to be".format(path))
    arrays = read_npz(path, {"epochs": ("lqi", (None,)), "kernels": ("fd", (None,) + tuple(shape))})
    epochs, snapshots = arrays["epochs"], arrays["kernels"]
    if not len(epochs) or len(epochs) != len(snapshots) or (np.diff(epochs) <= 0).any():
        raise MnistCnnError("{} is not a file that train.py saved: its epochs and kernels do not "
                            "match".format(path))
    return epochs, snapshots
