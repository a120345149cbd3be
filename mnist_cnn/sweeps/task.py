"""One training of a sweep, as a worker does it: from the data's name to a record and weights."""

import ctypes
import functools
import os
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..system import machine
from ..system.errors import MnistCnnError

MAX_THREADS = 1024  # of a training, and workers on a machine

__all__ = ["source_version", "run_task", "warm_up"]

# Workers import this module before they train. What takes a second to import is imported by the
# tasks, so that a scheduler can be one without Theano.


@functools.lru_cache(maxsize=1)
def _load(data_dir, name):
    from ..data import load_dataset

    return load_dataset(data_dir, dataset=name)


def source_version():
    """The commit that the package is of, with a + where files differ from it; else its version."""
    from .. import __version__

    folder = Path(__file__).resolve().parents[1]
    # where a hook of git's runs this, they name another repository
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*args):
        return subprocess.run(
            ["git", "-C", str(folder), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            env=env,
        ).stdout.strip()

    try:
        # a repository around the environment that the package is installed in is not the package's
        git("ls-files", "--error-unmatch", "__init__.py")
        commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return commit + ("+" if changes else "")


def _use_threads(count):
    """Train with so many threads from here on, in this thread."""
    try:
        # of this thread: Dask may run the next training in another
        ctypes.CDLL("libgomp.so.1").omp_set_num_threads(count)
    except OSError as error:
        if machine.threads() != count:
            raise MnistCnnError(
                "this worker has {} threads, and the sweep's trainings have {}; start "
                "it with OMP_NUM_THREADS={}".format(machine.threads(), count, count)
            ) from error
    os.environ["OMP_NUM_THREADS"] = str(count)


def run_task(config, data, digest, threads):
    """Train once.

    Parameters
    ----------
    config : Config
        The settings, with a seed.
    data : pair of str, optional
        The data's folder and name, as for `mnist_cnn.data.load_dataset`.
    digest : str
        The `mnist_cnn.datasets.card.fingerprint` that it must have.
    threads : int
        How many to train with.

    Returns
    -------
    record : dict
        ``config``, ``seed``, ``commit``, ``processor``, ``threads``, ``seconds``, and ``status``:
        'ok' with the accuracies and losses, or 'failed' with the ``error``.
    weights : list of arrays
        The learned parameters; none of a failed training.
    """
    from ..training.callbacks import Callback
    from ..training.trainer import train

    class Results(Callback):
        def on_finish(self, run):
            names = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
            record.update(zip(names, map(float, run.history[-1][2:])))

        def on_result(self, run, loss, accuracy):
            record.update(test_loss=float(loss), test_accuracy=float(accuracy), engine=run.engine.name)

    record = dict(
        status="ok",
        config=asdict(config),
        seed=config.seed,
        data=digest,
        commit=source_version(),
        processor=machine.processor(),
        threads=threads,
    )
    start = time.monotonic()  # a clock may be set
    try:
        _use_threads(threads)
        dataset = _load(*data)
        if dataset.card.digest != digest:
            raise MnistCnnError(
                "this worker's data set ({}) differs from the sweep's".format(data[0] or data[1] or "the package's")
            )
        weights = train(dataset, config, [Results()])
    except MnistCnnError as error:
        weights = []
        record.update(status="failed", error=str(error))
    record["seconds"] = time.monotonic() - start
    return record, weights


def warm_up(configs, card):
    """Have everything compiled that trainings with these settings, on such data, need."""
    from ..datasets.card import Dataset
    from ..training.trainer import train

    few = Dataset([np.zeros((2,) + card.shape, np.float32), np.zeros(2, np.uint8)] * 3, classes=card.classes)
    for config in configs:
        train(few, replace(config, num_epochs=1, batch_size=2, warm_up=0.0, seed=1))
