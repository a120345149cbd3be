"""One training of a sweep, as a worker does it: from the data's name to a record and weights."""

import functools
import hashlib
import os
import platform
import re
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

MAX_THREADS = 1024  # of a training, and workers on a machine

__all__ = ["data_digest", "source_version", "processor", "run_task", "warm_up"]

# Workers import this module before they train. What takes a second to import is imported by the
# tasks, so that a scheduler can be one without Theano.


@functools.lru_cache(maxsize=1)
def _load(data_dir, name):
    from ..data import load_dataset
    dataset = load_dataset(data_dir, dataset=name)
    return dataset, data_digest(dataset)


def data_digest(dataset):
    """A data set's digest.

    Parameters
    ----------
    dataset : six arrays

    Returns
    -------
    str
        SHA-256 over all their bytes, as hexadecimal digits.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.sweeps.task import data_digest
    >>> data_digest([np.zeros(3), np.zeros(3)]) == data_digest([np.zeros(3), np.ones(3)])
    False
    """
    sha = hashlib.sha256()
    for array in dataset:
        sha.update(repr((array.dtype.str, array.shape)).encode())
        sha.update(memoryview(array).cast("B"))
    return sha.hexdigest()


def source_version():
    """The commit that the package is of, with a + where files differ from it; else its version.

    Examples
    --------
    >>> from mnist_cnn.sweeps.task import source_version
    >>> type(source_version())
    <class 'str'>
    """
    from .. import __version__
    folder = str(Path(__file__).parents[1])
    try:
        commit, changes = (subprocess.run(
            ["git", "-C", folder, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            universal_newlines=True, check=True).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", folder]))
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return commit + ("+" if changes else "")


def processor():
    """The processor's name.

    Examples
    --------
    >>> from mnist_cnn.sweeps.task import processor
    >>> type(processor())
    <class 'str'>
    """
    try:
        return re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        return platform.processor() or platform.machine()


def threads():
    """How many threads a training uses here: OMP_NUM_THREADS, else all processors."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    if text.isdigit():
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def run_task(config, data, digest):
    """Train once.

    Parameters
    ----------
    config : Config
        The settings, with a seed.
    data : pair of str, optional
        The data's folder and name, as for `mnist_cnn.data.load_dataset`.
    digest : str
        What `data_digest` must say of it.

    Returns
    -------
    record : dict
        ``config``, ``seed``, ``commit``, ``processor``, ``threads``, ``seconds``, and ``status``:
        'ok' with the accuracies and losses, or 'failed' with the ``error``.
    weights : list of arrays
        The learned parameters; none of a failed training.

    Examples
    --------
    >>> from mnist_cnn.sweeps.task import run_task
    >>> from mnist_cnn.training.config import configure
    >>> record, weights = run_task(configure(seed=1), (None, None), digest="of other data")
    >>> record["status"], record["error"]
    ('failed', 'the data of the package on this worker are others than those of the sweep')
    """
    from ..support.errors import MnistCnnError
    from ..train import train
    from ..training.callbacks import Callback

    class Results(Callback):
        def on_finish(self, run):
            names = ("training_loss", "training_accuracy", "validation_loss",
                     "validation_accuracy")
            record.update(zip(names, map(float, run.history[-1][2:])))

        def on_result(self, run, loss, accuracy):
            record.update(test_loss=float(loss), test_accuracy=float(accuracy),
                          engine=run.engine.name)

    record = dict(status="ok", config=asdict(config), seed=config.seed, data=digest,
                  commit=source_version(), processor=processor(), threads=threads())
    start = time.time()
    try:
        dataset, found = _load(*data)
        if found != digest:
            raise MnistCnnError("the data of {} on this worker are others than those of the sweep"
                                .format(data[0] or data[1] or "the package"))
        weights = train(dataset, config, [Results()])
    except MnistCnnError as error:
        weights = []
        record.update(status="failed", error=str(error))
    record["seconds"] = time.time() - start
    return record, weights


def warm_up(configs, about):
    """Have everything compiled that trainings with these settings, on such data, need.

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset
    >>> from mnist_cnn.sweeps.task import warm_up
    >>> from mnist_cnn.training.config import configure
    >>> warm_up([configure("plain")], load_dataset().about)
    """
    from ..support.about import Dataset
    from ..train import train
    few = Dataset([np.zeros((2,) + about.shape, np.float32), np.zeros(2, np.uint8)] * 3,
                  classes=about.classes)
    for config in configs:
        train(few, replace(config, num_epochs=1, batch_size=2, warm_up=0., seed=1))
