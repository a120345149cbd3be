"""A training run's whole state on disk, from which it goes on as if never interrupted."""

import numpy as np

from ..support.errors import MnistCnnError
from ..support.files import read_npz, write_npz

__all__ = ["Progress", "save_checkpoint", "load_checkpoint"]

HISTORY_FIELDS = ("epoch", "seconds", "training_loss", "training_accuracy",
                  "validation_loss", "validation_accuracy")


class Progress:
    """How far a run has come.

    Attributes
    ----------
    history : list of tuples
        A record of `HISTORY_FIELDS` for each epoch that is finished.
    batches : int
        Mini-batches done of the epoch under way.
    sums : float array
        Of their losses, accuracies, and seconds.
    order : tuple
        The state of the generator before it drew the order of that epoch's examples, as
        ``RandomState.get_state`` gives it.
    """

    def __init__(self, order):
        self.history = []
        self.start_epoch(order)

    def start_epoch(self, order):
        """Set everything but the history to an epoch's beginning."""
        self.batches, self.sums, self.order = 0, np.zeros(3), order


def _containers(train_fn):
    """What a train step changes: weights, velocities, the state of dropout's generators."""
    return [variable.value for variable in train_fn.maker.expanded_inputs
            if variable.update is not None]


def save_checkpoint(path, train_fn, settings, progress):
    """Write a run's state, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file, npz.
    train_fn : Theano function
        The train step, whose shared variables are saved.
    settings : dict
        From a name to a number: what must be the same when the run goes on.
    progress : Progress
        How far the run has come.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    arrays = {"variable_{}".format(i): np.asarray(container.data)
              for i, container in enumerate(_containers(train_fn))}
    _, keys, position, has_gauss, gauss = progress.order
    write_npz(path, dict(
        arrays, settings=np.array(list(settings.values()), float),
        history=np.array(progress.history, float).reshape(-1, len(HISTORY_FIELDS)),
        batches=np.int64(progress.batches), sums=progress.sums,
        order_keys=keys, order_rest=np.array([position, has_gauss, gauss], float)))


def load_checkpoint(path, train_fn, settings):
    """Set a train step's shared variables to a saved run's.

    Parameters
    ----------
    path : path-like
        A file that `save_checkpoint` wrote.
    train_fn : Theano function
        The train step of the same network.
    settings : dict
        As they were when the file was saved.

    Returns
    -------
    Progress
        How far that run had come.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, is no checkpoint of this network, or was made with other
        settings; nothing is changed then.
    """
    containers = _containers(train_fn)
    wanted = {"variable_{}".format(i): (np.asarray(container.data).dtype.char,
                                        np.shape(container.data))
              for i, container in enumerate(containers)}
    try:
        arrays = read_npz(path, dict(
            wanted, settings=("d", (len(settings),)), history=("d", (None, len(HISTORY_FIELDS))),
            batches=("l", ()), sums=("d", (3,)), order_keys=("LI", (624,)),
            order_rest=("d", (3,))))
    except MnistCnnError as error:
        if isinstance(error.__cause__, OSError):
            raise
        # a recipe that averages weights, or has a schedule, keeps more
        raise MnistCnnError("{}; or it is of another --recipe".format(error)) from error
    for name, saved in zip(settings, arrays["settings"]):
        if saved != settings[name]:
            raise MnistCnnError("{} was made with another {} ({:g}, now {:g}); give that, or start "
                                "anew without --resume".format(path, name, saved, settings[name]))
    position, has_gauss, gauss = arrays["order_rest"]
    if not 0 <= position <= 624 or arrays["batches"] < 0:
        raise MnistCnnError("{} is not a file that train.py saved: its numbers are out of range"
                            .format(path))
    progress = Progress(("MT19937", arrays["order_keys"], int(position), int(has_gauss), gauss))
    progress.history = [(int(record[0]), *record[1:]) for record in arrays["history"].tolist()]
    progress.batches, progress.sums = int(arrays["batches"]), arrays["sums"]
    for name, container in zip(wanted, containers):
        container.data = arrays[name]
    return progress
