"""One training of a sweep on a worker: from the data's name to a record and weights."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..system import machine
from ..system.errors import MnistCnnError

if TYPE_CHECKING:
    from ..datasets.card import DataCard
    from ..training.config import Config

MAX_THREADS = 1024  # of a training, and workers on a machine

__all__ = ["source_version", "run_task", "warm_up"]

# The scheduler imports this module too, and may lack Theano. So the tasks import the trainer.


@functools.lru_cache(maxsize=1)
def _load(data_dir, name):
    from ..data import load_dataset

    return load_dataset(data_dir, dataset=name)


def source_version() -> str:
    """The package's git commit, with a + if files differ from it; outside a repository its version."""
    from .. import __version__

    folder = Path(__file__).resolve().parents[1]
    # in a git hook these variables name another repository
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
        # a repository around the virtual environment is not the package's
        git("ls-files", "--error-unmatch", "__init__.py")
        commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return commit + ("+" if changes else "")


def _use_threads(count):
    """Set the number of threads for trainings in this thread."""
    try:
        # it is a setting of this thread; Dask may run the next training in another one
        ctypes.CDLL("libgomp.so.1").omp_set_num_threads(count)
    except OSError as error:
        if machine.threads() != count:
            raise MnistCnnError(
                "this worker has {0} threads, and the sweep's trainings have {1}; start "
                "it with OMP_NUM_THREADS={1}".format(machine.threads(), count)
            ) from error
    os.environ["OMP_NUM_THREADS"] = str(count)


def run_task(
    config: Config, data: tuple[str | None, str | None], digest: str, threads: int
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Train once.

    Parameters
    ----------
    config : Config
        The settings, with a seed.
    data : pair of str, optional
        The data's folder and name, as for `mnist_cnn.data.load_dataset`.
    digest : str
        The `mnist_cnn.datasets.card.fingerprint` that the data must have.
    threads : int
        The number of threads to train with.

    Returns
    -------
    record : dict
        ``config``, ``seed``, ``data``, ``commit``, ``processor``, ``threads``, ``seconds`` and
        ``status``: 'ok' with accuracies and losses, or 'failed' with the ``error``.
    weights : list of arrays
        The learned parameters; empty for a failed training.
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
    start = time.monotonic()  # the system's clock may be set meanwhile
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


def warm_up(configs: Iterable[Config], card: DataCard) -> None:
    """Fill the compile cache for trainings with these settings on such data."""
    from ..datasets.card import Dataset
    from ..training.trainer import train

    few = Dataset([np.zeros((2,) + card.shape, np.float32), np.zeros(2, np.uint8)] * 3, classes=card.classes)
    for config in configs:
        train(few, replace(config, num_epochs=1, batch_size=2, warm_up=0.0, seed=1))
