"""A training run's whole state on disk, from which it goes on as if never interrupted."""

import json
from dataclasses import asdict, replace

import numpy as np

from ..support.errors import MnistCnnError
from ..support.files import read_npz, write_npz
from ..support.records import HISTORY_FIELDS

__all__ = ["save_checkpoint", "load_checkpoint"]


def _containers(train_fn):
    """What a train step changes: weights, velocities, the state of dropout's generators."""
    return [variable.value for variable in train_fn.maker.expanded_inputs
            if variable.update is not None]


def _settings(run):
    """What must be the same when the run goes on: names and JSON's kinds of values."""
    settings = asdict(run.config)
    # weights of a device and of the CPU's plain layers go on as each other
    settings.update(run.data, engine="fused" if run.engine.name == "fused" else "plain")
    del settings["device"]
    if settings["schedule"] == "constant":
        del settings["num_epochs"]  # a longer run begins with the shorter one
    return settings


def save_checkpoint(path, run):
    """Write a run's state after an epoch, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file, npz.
    run : Run
        The run: the shared variables of its train step, its history, its generator and what
        the result depends on are saved.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    arrays = {"variable_{}".format(i): np.asarray(container.data)
              for i, container in enumerate(_containers(run.train_fn))}
    _, keys, position, has_gauss, gauss = run.rng.get_state()
    write_npz(path, dict(
        arrays, settings=np.frombuffer(json.dumps(_settings(run)).encode(), np.uint8),
        history=np.array(run.history, float).reshape(-1, len(HISTORY_FIELDS)),
        order_keys=keys, order_rest=np.array([position, has_gauss, gauss], float)))


def load_checkpoint(path, run):
    """Set a run to a saved one's state.

    Parameters
    ----------
    path : path-like
        A file that `save_checkpoint` wrote.
    run : Run
        A run of the same network; its `train_fn`, `rng` and `history` are set.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, is no checkpoint of this network, or was made with other
        settings; nothing is changed then.
    """
    containers = _containers(run.train_fn)
    wanted = {"variable_{}".format(i): (np.asarray(container.data).dtype.char,
                                        np.shape(container.data))
              for i, container in enumerate(containers)}
    try:
        arrays = read_npz(path, dict(
            wanted, settings=("Bd", (None,)), history=("d", (None, len(HISTORY_FIELDS))),
            order_keys=("LI", (624,)), order_rest=("d", (3,))),
            optional=dict(batches=("l", ()), sums=("d", (3,))))
    except MnistCnnError as error:
        if isinstance(error.__cause__, OSError):
            raise
        # other settings have other arrays, and say more than these
        _compare(path, _settings_alone(path, error), run)
        raise
    config = _compare(path, arrays, run)
    position, has_gauss, gauss = arrays["order_rest"]
    if not 0 <= position <= 624:
        raise MnistCnnError("{} is not a file that train.py saved: its numbers are out of range"
                            .format(path))
    run.config = config
    run.rng.set_state(("MT19937", arrays["order_keys"], int(position), int(has_gauss), gauss))
    run.history = [(int(record[0]), *record[1:]) for record in arrays["history"].tolist()]
    for name, container in zip(wanted, containers):
        container.data = arrays[name]


def _settings_alone(path, error):
    """The settings of a checkpoint whose other arrays are not what they should be, or `error`."""
    try:
        return read_npz(path, dict(settings=("Bd", (None,))), others=True)
    except MnistCnnError:
        raise error from error.__cause__


def _compare(path, arrays, run):
    """The run's settings with the checkpoint's seed; refuse one made with other settings."""
    settings = _settings(run)
    if settings["seed"] is None:  # the generators' states are saved, and need none
        del settings["seed"]
    if arrays["settings"].dtype != np.uint8:
        saved, settings = arrays["settings"].tolist(), _settings_of_version_1_0(run)
        if len(saved) != len(settings) or arrays.get("batches", 0):
            raise MnistCnnError("{} was saved by version 1.0 with another recipe or amid an epoch; "
                                "start anew without --resume".format(path))
        saved = dict(zip(settings, saved))
    else:
        try:
            saved = dict(json.loads(arrays["settings"].tobytes().decode()))
        except (ValueError, TypeError) as error:
            raise MnistCnnError("{} is not a file that train.py saved: its settings are damaged"
                                .format(path)) from error
    for name, now in settings.items():
        if saved.get(name, now) != now:
            raise MnistCnnError("{} was made with another {} ({}, now {}); give that, or start "
                                "anew without --resume".format(path, name, saved[name], now))
    return replace(run.config, seed=saved.get("seed"))


def _settings_of_version_1_0(run):
    """The settings as version 1.0 saved them: numbers alone, in this order."""
    config = run.config
    settings = {"batch_size": config.batch_size, "learning_rate": config.learning_rate,
                "momentum": config.momentum, "engine": run.engine.name == "fused", **run.data}
    if config.schedule == "cosine":  # its highest rate was the highest of 1001
        rates = map(config.learning_rate_at, np.linspace(0, config.num_epochs, 1001))
        settings = {"num_epochs": config.num_epochs, **settings, "learning_rate": max(rates)}
    if config.dropout != .5:
        settings["dropout"] = config.dropout
    if config.distorted or config.ema:
        settings.update(distorted=config.distorted > 0, ema=config.ema)
    return settings
