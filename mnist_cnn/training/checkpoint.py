"""A training run's whole state on disk, from which it resumes as if never interrupted."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import lasagne
import numpy as np

from ..storage.npz import read_npz, write_npz
from ..storage.records import HISTORY_FIELDS, TRAINING_FIELDS
from ..system import machine
from ..system.errors import MnistCnnError
from .config import Config
from .focus import LOSSES

if TYPE_CHECKING:
    from .state import Training

__all__ = ["save_checkpoint", "load_checkpoint"]

FINGERPRINT = "data set (fingerprint of its arrays)"
MAX_SETTINGS = 10**5  # characters; a run's take less than a thousand
LARGEST = float(np.finfo(np.float32).max)
MRG_MODULI = 2147483647, 2147462579  # of Theano's generator, MRG31k3p; three words of each


def _containers(train_fn):
    """The variables that a train step updates: weights, velocities, the state of dropout's generators."""
    return [variable.value for variable in train_fn.maker.expanded_inputs if variable.update is not None]


def _settings(run):
    """The settings that must be the same when the run resumes: names and values for JSON."""
    settings = {"data set": run.card.dataset or "one without a name", "shape of an image": list(run.card.shape)}
    settings.update(asdict(run.config))
    # a run on a device may resume with the CPU's plain layers, and the other way round
    settings["engine"] = "fused" if run.engine.name == "fused" else "plain"
    settings["number of training examples"] = run.num_examples
    settings[FINGERPRINT] = run.card.digest
    del settings["device"]
    if settings["schedule"] == "constant" and not settings["skip_easy"]:
        del settings["num_epochs"]  # a longer run starts like a shorter one
    return settings


def _best(run):
    """The dtypes and shapes of the best weights, by their names in a checkpoint."""
    params = [] if run.network is None else lasagne.layers.get_all_params(run.network)
    return {
        "best_{}".format(i): (np.dtype(param.dtype).char, param.get_value(borrow=True).shape)
        for i, param in enumerate(params)
    }


class _Range(NamedTuple):
    """The valid values of an array. Bounds are numbers or arrays that broadcast."""

    least: Any
    most: Any
    whole: Any = False  # which ones must be whole numbers
    group: int = 1  # the size of a generator's state, which is not all 0

    def holds(self, array):
        """Whether all values of an array are valid."""
        inside = (self.least <= array) & (array <= self.most)
        inside &= ~np.asarray(self.whole) | (array % 1 == 0)
        return inside.all() and (self.group == 1 or array.reshape(-1, self.group).any(axis=1).all())


def _ranges(arrays, containers):
    """The `_Range` of a checkpoint's arrays, by their names.

    Weights and velocities may be any finite numbers, which `read_npz` checks.
    """
    num_epochs, fields = arrays["history"].shape
    # epoch, seconds (a clock may be set back), losses in nats and accuracies
    least, most = (
        np.tile(record[:fields], (num_epochs, 1))
        for record in ([1, -LARGEST, 0, 0, 0, 0], [1, LARGEST, LARGEST, 1, LARGEST, 1])
    )
    least[:, 0] = most[:, 0] = np.arange(1, num_epochs + 1)
    ranges = {
        "history": _Range(least, most),
        "order_keys": _Range(0, 2**32 - 1, group=624),
        # position, has_gauss, gauss: of Marsaglia's polar method on numbers of 53 bits
        "order_rest": _Range([0, 0, -13], [624, 1, 13], whole=[True, True, False]),
    }
    for name, container in containers.items():
        now = np.asarray(container.data)
        if now.dtype == np.int32:  # MRG_RandomStreams: a row a stream
            ranges[name] = _Range(0, np.repeat(MRG_MODULI, 3) - 1, group=3)
    return ranges


def save_checkpoint(path: Path | str, run: Training) -> None:
    """Write a run's state after an epoch, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file, npz.
    run : Training
        The file holds the shared variables of its train step, the best weights so far, its history,
        the state of its generator and all settings that the result depends on.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    arrays = {
        "variable_{}".format(i): np.asarray(container.data) for i, container in enumerate(_containers(run.train_fn))
    }
    if run.best_weights is not None:
        arrays.update(zip(_best(run), run.best_weights))
    _, keys, position, has_gauss, gauss = run.rng.get_state()
    settings = json.dumps(dict(_settings(run), threads=machine.threads()))
    write_npz(
        path,
        dict(
            arrays,
            settings=np.frombuffer(settings.encode(), np.uint8),
            history=np.array(run.history, float).reshape(-1, _fields(run)),
            order_keys=np.asarray(keys),
            order_rest=np.array([position, has_gauss, gauss], float),
        ),
    )


def load_checkpoint(path: Path | str, run: Training) -> None:
    """Set a run to a saved one's state.

    Parameters
    ----------
    path : path-like
        A file that `save_checkpoint` wrote.
    run : Training
        A run of the same network, whose shared variables, `rng`, `history` and `best_weights` are set.
        `remarks` warn where the number of threads is another, since the last bits of sums depend on it.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, is not a checkpoint of this network, or was made with other
        settings. The run is unchanged then.
    """
    containers = {"variable_{}".format(i): container for i, container in enumerate(_containers(run.train_fn))}
    wanted = {
        name: (
            np.asarray(container.data).dtype.char,
            # where the number of examples differs, the comparison of the settings says it more clearly
            (None,) if container.name == LOSSES else np.shape(container.data),
        )
        for name, container in containers.items()
    }
    try:
        arrays = read_npz(
            path,
            dict(
                wanted,
                settings=("B", (None,)),
                history=("d", (None, None)),
                order_keys=("LI", (624,)),
                order_rest=("d", (3,)),
            ),
            optional=_best(run),
        )
    except MnistCnnError as error:
        if isinstance(error.__cause__, OSError):
            raise
        # where the settings differ too, their error says more than that of the arrays
        _compare(path, _settings_alone(path, error), run)
        raise
    config, threads = _compare(path, arrays, run)
    if arrays["history"].shape[1] != _fields(run):
        raise _refusal(path, "its history has the wrong number of columns")
    for name, numbers in _ranges(arrays, containers).items():
        if not arrays[name].size or not numbers.holds(arrays[name]):
            raise _refusal(path, "{} has numbers out of range".format(name))

    position, has_gauss, gauss = arrays["order_rest"]
    if any(arrays[name].shape != np.shape(container.data) for name, container in containers.items()):
        raise _refusal(path, "its number of training examples differs")

    best = [arrays[name] for name in _best(run) if name in arrays]
    if len(best) not in (0, len(_best(run))):
        raise _refusal(path, "some of the best weights are missing")

    run.config = config
    run.rng.set_state(("MT19937", arrays["order_keys"], int(position), int(has_gauss), gauss))
    run.history = [(int(record[0]), *record[1:]) for record in arrays["history"].tolist()]
    for name, container in containers.items():
        container.data = arrays[name]
    run.best_weights = best or None
    if threads not in (None, machine.threads()) and run.engine.name in ("plain", "fused"):
        run.remarks.append(
            "the checkpoint was saved with {0} threads and this run has {1}: the last bits may differ from "
            "those of an unbroken run; set OMP_NUM_THREADS={0} to avoid this".format(threads, machine.threads())
        )


def _fields(run):
    """The number of fields of a record in the run's history."""
    return len(TRAINING_FIELDS if run.config.all_data else HISTORY_FIELDS)


def _refusal(path, reason):
    return MnistCnnError("{} is not a file that train.py saved: {}".format(path, reason))


def _settings_alone(path, error):
    """The settings of a checkpoint whose other arrays are invalid; raises `error` where they are too."""
    try:
        return read_npz(path, dict(settings=("B", (None,))), others=True)
    except MnistCnnError:
        raise error from error.__cause__


def _compare(path, arrays, run):
    """The run's settings with the checkpoint's seed, and the checkpoint's number of threads.

    Raises MnistCnnError where the settings differ.
    """
    saved = _parse(path, arrays["settings"])
    for name, now in _settings(run).items():
        if name == "seed" and now is None:  # the checkpoint has the generators' states
            continue
        if name not in saved:
            raise _refusal(path, "its settings lack {}".format(name))
        if saved[name] != now:
            raise MnistCnnError(
                "{} was made with another {} ({:.40}, now {:.40}); use the same, or start anew without --resume".format(
                    path, name, _in_words(saved[name]), _in_words(now)
                )
            )
    threads = saved.get("threads")
    if threads is not None and type(threads) is not int:
        raise _refusal(path, "its number of threads is not a whole number")
    try:
        return replace(run.config, seed=saved.get("seed")), threads
    except MnistCnnError as error:
        raise _refusal(path, error) from error


def _in_words(value):
    """A setting on one line."""
    return value if isinstance(value, str) and value.isprintable() else repr(value)


def _parse(path, settings):
    """The settings in a checkpoint; fields that newer versions added have their defaults."""
    try:
        if len(settings) > MAX_SETTINGS:
            raise ValueError("{} characters".format(len(settings)))
        saved = json.loads(settings.tobytes().decode())
        if not isinstance(saved, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        raise _refusal(path, "its settings are damaged") from error
    defaults = {setting.name: setting.default for setting in fields(Config)}
    del defaults["engine"]  # a checkpoint has the name of the engine in use, not 'auto'
    return dict(defaults, **saved)
