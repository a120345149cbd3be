"""The files beside a training's weights: history, checkpoint, and snapshots of the weights."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..system.errors import MnistCnnError
from .atomic import atomic_open, open_regular
from .npz import read_npz, write_npz

__all__ = [
    "HISTORY_FIELDS",
    "history_path",
    "save_history",
    "load_history",
    "checkpoint_path",
    "snapshots_path",
    "save_snapshots",
    "load_snapshots",
    "load_film",
    "files_beside",
    "require_own_names",
    "is_weights",
]

#: The fields of an epoch: seconds, losses in nats, accuracies in [0, 1].
HISTORY_FIELDS = ("epoch", "seconds", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy")

#: The fields of a run on all data, which has no validation set.
TRAINING_FIELDS = HISTORY_FIELDS[:4]

#: From the end of a file's name to what it holds.
_BESIDE = {".csv": "history", ".snapshots.npz": "kernels", ".checkpoint": "checkpoint"}


def _beside(output, suffix):
    """Replace .npz at the end of a path by `suffix`, or append it.

    Names for which two files of weights would share a path are refused here and by `require_own_names`.
    """
    output = Path(output)
    if not output.name:
        raise MnistCnnError("{} is a folder; name a file of weights".format(output))
    for ending, what in _BESIDE.items():
        if output.name.endswith(ending):
            raise MnistCnnError(
                "{} has the name of a training's {}; name a file of weights, such as {}.npz".format(
                    output, what, output.name[: -len(ending)] or "model"
                )
            )
    return output.with_name(_stem(output.name) + suffix)


def _stem(name):
    return name[: -len(".npz")] if name.endswith(".npz") else name


def require_own_names(output: Path | str) -> None:
    """Refuse to write weights beside a file whose name differs only by .npz.

    Parameters
    ----------
    output : path-like
        The file to be written.

    Raises
    ------
    MnistCnnError
        When such a file exists: the two would share history and checkpoint.

    Examples
    --------
    >>> from mnist_cnn.storage.records import require_own_names
    >>> _ = open("weights.npz", "w")
    >>> require_own_names("weights.npz")
    >>> require_own_names("weights")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    mnist_cnn.system.errors.MnistCnnError: weights and weights.npz would share weights.csv; ...
    """
    output = Path(output)
    stem = _stem(output.name)
    other = output.with_name(stem if output.name != stem else stem + ".npz")
    if os.path.isfile(other):
        raise MnistCnnError("{} and {} would share {}; name another output".format(output, other, history_path(output)))


def is_weights(path: Path | str) -> bool:
    """Whether a file's name is that of weights, not of a file beside them.

    Examples
    --------
    >>> from mnist_cnn.storage.records import is_weights
    >>> is_weights("lr0.01.npz"), is_weights("lr0.01.snapshots.npz"), is_weights("lr0.01.csv")
    (True, False, False)
    """
    name = str(path)
    return name.endswith(".npz") and not name.endswith(tuple(_BESIDE))


def history_path(output: Path | str) -> Path:
    """The path of the history, a CSV file, beside a file of weights.

    Examples
    --------
    >>> from mnist_cnn.storage.records import history_path
    >>> history_path("model.npz").name, history_path("lr0.01").name
    ('model.csv', 'lr0.01.csv')
    """
    return _beside(output, ".csv")


def checkpoint_path(output: Path | str) -> Path:
    """The path of the checkpoint beside a file of weights."""
    return _beside(output, ".checkpoint")


def files_beside(model: Path | str) -> list[Path]:
    """The paths of all files that a training may save.

    Examples
    --------
    >>> from mnist_cnn.storage.records import files_beside
    >>> [path.name for path in files_beside("model.npz")]
    ['model.npz', 'model.csv', 'model.snapshots.npz', 'model.checkpoint']
    """
    return [Path(model), history_path(model), snapshots_path(model), checkpoint_path(model)]


def save_history(output: Path | str, history: Sequence[tuple[float, ...]], validated: bool = True) -> None:
    """Write a history beside a file of weights, whole or not at all.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    history : list of tuples
        For each epoch the values of the fields.
    validated : bool
        Whether the fields are `HISTORY_FIELDS`, not `TRAINING_FIELDS`.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.

    Examples
    --------
    >>> from mnist_cnn.storage.records import save_history
    >>> save_history("weights.npz", [(1, .8, .4, .86, .08, .977)])
    >>> print(open("weights.csv").read())
    epoch,seconds,training_loss,training_accuracy,validation_loss,validation_accuracy
    1,0.8,0.4,0.86,0.08,0.977
    <BLANKLINE>
    """
    with atomic_open(history_path(output), "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HISTORY_FIELDS if validated else TRAINING_FIELDS)
        writer.writerows(history)


def load_history(output: Path | str) -> np.ndarray:
    """Read the history beside a file of weights.

    Parameters
    ----------
    output : path-like
        The file of the weights.

    Returns
    -------
    structured array
        A record for each epoch, with `HISTORY_FIELDS`, or `TRAINING_FIELDS` of a run on all data.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is not a history.
    """
    path = history_path(output)
    try:
        with io.TextIOWrapper(open_regular(path), newline="") as file:
            names, *rows = csv.reader(file)
        header = tuple(names)
        if header not in (HISTORY_FIELDS, TRAINING_FIELDS):
            raise ValueError
        values = np.array([list(map(float, row)) for row in rows], float)
        values = values.reshape(len(rows), len(header))
        if not np.isfinite(values).all():
            raise ValueError
        return np.array(list(map(tuple, values)), dtype=[(name, float) for name in header])
    except OSError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror)) from error
    except (ValueError, csv.Error) as error:
        raise MnistCnnError(
            "{} is not a history that train.py saved; remove it to draw the other pictures".format(path)
        ) from error


def snapshots_path(output: Path | str) -> Path:
    """The path of the npz file with snapshots beside a file of weights."""
    return _beside(output, ".snapshots.npz")


def save_snapshots(
    output: Path | str,
    snapshots: Mapping[int, np.ndarray],
    film: Mapping[int, tuple[np.ndarray, np.ndarray]] | None = None,
) -> None:
    """Write snapshots beside a file of weights, whole or not at all.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    snapshots : dict of int to array
        From an epoch, 0 before training, to the first layer's kernels, (maps, channels, rows, columns).
    film : dict of int to pair of arrays, optional
        From some of these epochs to all weights, as `mnist_cnn.storage.film.quantize` gives them.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    epochs = sorted(snapshots)
    arrays = {"epochs": np.array(epochs), "kernels": np.stack([snapshots[epoch] for epoch in epochs])}
    if film:
        codes, scales = zip(*(film[epoch] for epoch in sorted(film)))
        arrays.update(film_epochs=np.array(sorted(film)), codes=np.stack(codes), scales=np.stack(scales))
    write_npz(snapshots_path(output), arrays)


def load_snapshots(output: Path | str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Read the kernels of each epoch that were saved beside a file of weights.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    shape : tuple of int
        (maps, channels, rows, columns) of the kernels.

    Returns
    -------
    epochs : int array
        (n,), increasing, 0 before training.
    snapshots : array
        (n,) + shape, n at least 1.

    Raises
    ------
    MnistCnnError
        When the file is missing, cannot be read, or was not written by `save_snapshots`.
    """
    path = snapshots_path(output)
    if not os.path.exists(path):
        raise MnistCnnError("there is no {}; train with --snapshots to see how the kernels evolve".format(path))
    arrays = read_npz(path, {"epochs": ("lqi", (None,)), "kernels": ("fd", (None,) + tuple(shape))}, others=True)
    epochs, snapshots = arrays["epochs"], arrays["kernels"]
    if not len(epochs) or len(epochs) != len(snapshots) or epochs[0] < 0 or (np.diff(epochs) <= 0).any():
        raise MnistCnnError("{} is not a file that train.py saved: its epochs and kernels do not match".format(path))
    return epochs, snapshots


def load_film(output: Path | str, num_arrays: int, num_weights: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Read all weights of some epochs that were saved beside a file of weights.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    num_arrays, num_weights : int
        The network's arrays, and the numbers in all of them.

    Returns
    -------
    dict of int to pair of arrays
        From the epoch to codes and scales, as `mnist_cnn.storage.film.quantize` gives them; empty
        where only kernels were saved.

    Raises
    ------
    MnistCnnError
        When the file cannot be read or was not written by `save_snapshots`.
    """
    path = snapshots_path(output)
    arrays = read_npz(
        path,
        {},
        optional={
            "film_epochs": ("lqi", (None,)),
            "codes": ("b", (None, num_weights)),
            "scales": ("f", (None, num_arrays)),
        },
        others=True,
    )
    if not arrays:
        return {}
    epochs = arrays.get("film_epochs", np.zeros(0, int))
    if (
        len({len(epochs), *(len(array) for array in arrays.values())}) > 1
        or len(arrays) < 3
        or (np.diff(epochs) <= 0).any()
        or (epochs < 0).any()
    ):
        raise MnistCnnError("{} is not a file that train.py saved: its epochs and weights do not match".format(path))
    return dict(zip(epochs.tolist(), zip(arrays["codes"], arrays["scales"])))
