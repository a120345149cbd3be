"""A sweep's folder: a record and weights for every training, written atomically."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.card import DataCard
from ..model import save_weights
from ..storage.atomic import atomic_open, open_regular
from ..system.errors import MnistCnnError
from ..training.config import Config

__all__ = ["record_path", "read_records", "write_record"]

MAX_RECORD = 10**6  # bytes; a record has about a thousand


def record_path(folder: Path | str, name: str, config: Config, digest: str, threads: int) -> Path:
    """The file of a training's record.

    Parameters
    ----------
    folder : path-like
        The sweep's folder.
    name : str
        The setting's name.
    config : Config
        With the seed.
    digest : str
        The digest of the data card.
    threads : int
        The number of threads, on which the last bits of sums depend.

    Returns
    -------
    pathlib.Path
        With the setting, the seed, and a digest of all that the result depends on.

    Examples
    --------
    >>> from mnist_cnn.sweeps.records import record_path
    >>> from mnist_cnn.training.config import configure
    >>> record_path("results", "best", configure("best", seed=1), digest="0f", threads=1).name[:7]
    'best-1-'
    """
    key = json.dumps([asdict(config), digest, threads], sort_keys=True).encode()
    words = "".join(c if c.isalnum() else "_" for c in name)[:60]
    return Path(folder) / "{}-{}-{}.json".format(words, config.seed, hashlib.sha256(key).hexdigest()[:8])


def write_record(
    path: Path, name: str, record: dict[str, Any], weights: Sequence[np.ndarray], card: DataCard | None = None
) -> dict[str, Any]:
    """Write a training's weights, then its record.

    Parameters
    ----------
    path : pathlib.Path
        As `record_path` returns it; the weights are saved beside it.
    name : str
        The setting's name.
    record : dict
        As `mnist_cnn.sweeps.task.run_task` returns it.
    weights : list of arrays
    card : mnist_cnn.datasets.card.DataCard, optional
        The data card.

    Returns
    -------
    dict
        The record, with the setting, the weights' file and its digest.

    Raises
    ------
    MnistCnnError
        When a file cannot be written.
    """
    record = dict(record, setting=name)
    if record["status"] == "ok":
        model = path.with_suffix(".npz")
        save_weights(model, weights, card)
        record.update(weights=model.name, sha256=hashlib.sha256(model.read_bytes()).hexdigest())
    with atomic_open(path, "w") as file:
        json.dump(record, file, indent=1)
    return record


def read_records(folder: Path | str) -> dict[Path, dict[str, Any]]:
    """Read all records of a sweep's folder.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    dict
        From each record's path to the record, in the order of the files' names.

    Raises
    ------
    MnistCnnError
        When a record is damaged or invalid.
    """
    records = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            with open_regular(path) as file:
                record = json.loads(file.read(MAX_RECORD).decode())
            record["config"] = asdict(Config(**record["config"]))
            require_record(record)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, MnistCnnError) as error:
            raise MnistCnnError("{} is not a record of a sweep; remove it to train it anew".format(path)) from error
        records[path] = record
    return records


def require_record(record: Any) -> None:
    """Raise ValueError, KeyError or TypeError where a record is invalid."""
    finished = record["status"] == "ok"
    whole, texts = ["seed", "threads"], ["setting", "data"] + ([] if finished else ["error"])
    losses, accuracies = ["seconds"], []
    if finished:
        parts = ("training", "test") + (() if record["config"]["all_data"] else ("validation",))
        losses += [part + "_loss" for part in parts]
        accuracies += [part + "_accuracy" for part in parts]
    numbers = losses + accuracies
    if not (
        record["status"] in ("ok", "failed")
        and all(type(record[name]) is int for name in whole)
        and all(type(record[name]) is str for name in texts)
        and all(type(record[name]) in (int, float) for name in numbers)
        and all(0 <= record[name] < np.inf for name in numbers)
        and all(record[name] <= 1 for name in accuracies)
    ):
        raise ValueError("the record is invalid")
