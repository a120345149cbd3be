"""Sweeps over settings and seeds: many trainings on many cores or machines."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data import load_dataset
from ..datasets import dataset_files
from ..storage.atomic import atomic_open, check_writable, keep_apart, lock, make_folder
from ..system.errors import MnistCnnError
from ..training.config import Config
from .records import read_records, record_path
from .settings import expand, is_recipe, parse_grid, parse_seeds, read_spec
from .summary import comparison, plot, require_drawing, table
from .task import MAX_THREADS

__all__ = ["sweep", "main"]

MAX_TRAININGS = 10**5  # years of training; more would be a typing error


def sweep(
    configs: Mapping[str, Config],
    seeds: Sequence[int],
    output: Path | str,
    data_dir: Path | str | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    dataset: str | None = None,
    then: Callable[[list[dict[str, Any]], Path], object] | None = None,
) -> list[dict[str, Any]]:
    """Train every setting with every seed, except the trainings whose records are in the folder.

    Parameters
    ----------
    configs : dict
        From a setting's name to its `Config`, without a seed.
    seeds : sequence of int
    output : path-like
        The folder of the records and weights; created if missing. Sweeps in the same folder wait for
        each other.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset`; workers load the data by these names.
    scheduler : str, optional
        The address of a Dask scheduler, ``tcp://HOST:8786``; by default workers are started here.
    workers, threads : int, optional
        The number of local workers, and of the threads of each training; by default as many workers
        as the machine has cores and memory for. Since results depend on the number of threads, it is
        the same in all trainings: by default that of the records in the folder, else that of the
        scheduler's workers, or the cores divided by the local workers.
    then : callable, optional
        A function of the records and the folder, such as `report`, that is called before another sweep
        may use the folder.

    Returns
    -------
    list of dict
        The records of these settings and seeds, setting by setting, with failed trainings.

    Raises
    ------
    MnistCnnError
        When the data, the folder or the scheduler cannot be used. Finished trainings stay; the same
        call resumes.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and (int(value) != value or not 1 <= value <= MAX_THREADS):
            raise MnistCnnError("{} is {!r}; it must be a whole number, 1 to {}".format(name, value, MAX_THREADS))
    if len(configs) * len(seeds) > MAX_TRAININGS:
        raise MnistCnnError(
            "the sweep has {} trainings; the maximum is {}".format(len(configs) * len(seeds), MAX_TRAININGS)
        )
    require_drawing()
    folder = make_folder(output)
    if data_dir is not None and os.path.isdir(data_dir) and os.path.samefile(folder, data_dir):
        raise MnistCnnError("{} is the folder of the data; choose another for the results".format(output))
    with _alone_in(folder):
        records = _records(configs, seeds, folder, data_dir, scheduler, workers, threads, dataset)
        if then is not None:
            then(records, folder)
    return records


@contextlib.contextmanager
def _alone_in(folder):
    """Wait until no other sweep uses the folder, and lock it for the block.

    Two sweeps at once would train everything twice, and could overwrite each other's records, table
    and picture.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # Windows cannot open folders
            number = os.open(str(folder), os.O_RDONLY)
            stack.callback(os.close, number)
            if lock(number, wait=False) is False:
                print("Another sweep is at work in {}; waiting for its end".format(folder), flush=True)
                lock(number)
        yield


def _records(configs, seeds, folder, data_dir, scheduler, workers, threads, dataset):
    """Train what is missing, and return the records of these settings and seeds."""
    for path in _report_files(folder):
        check_writable(path)
    card = load_dataset(data_dir, dataset=dataset).card
    trainings = [(name, replace(config, seed=seed)) for name, config in configs.items() for seed in seeds]
    done = read_records(folder)
    if threads is None:
        threads = _threads_of(done.values(), [config for _, config in trainings], card.digest)
    if threads is None:
        from .engine import threads_there

        threads = threads_there(scheduler, workers, len(trainings))
    wanted = {record_path(folder, name, config, card.digest, threads): (name, config) for name, config in trainings}
    # seeds outermost: a part of a sweep is fair, too
    missing = sorted((path for path in wanted if path not in done), key=lambda path: wanted[path][1].seed)
    if missing:
        from .engine import train_all

        train_all(
            {path: wanted[path] for path in missing},
            done=len(wanted) - len(missing),
            data=(data_dir, dataset),
            card=card,
            threads=threads,
            scheduler=scheduler,
            workers=workers,
        )
        done = read_records(folder)
    return [done[path] for path in wanted]


def _threads_of(records, configs, digest):
    """The most frequent number of threads in the records of these settings; None without any."""
    counts = Counter(
        record["threads"] for record in records if record["data"] == digest and Config(**record["config"]) in configs
    )
    return max(counts, key=lambda threads: (counts[threads], threads), default=None)


def _report_files(folder):
    """The files that `report` writes."""
    return Path(folder) / "table.md", Path(folder) / "accuracies.png"


def report(records: Sequence[dict[str, Any]], output: Path | str) -> None:
    """Print the table and the comparison, and write them and the picture to the folder.

    Parameters
    ----------
    records : list of dict
    output : path-like
        The sweep's folder.

    Raises
    ------
    MnistCnnError
        When a file cannot be written.
    """
    text = "\n\n".join(filter(None, (table(records), comparison(records))))
    table_file, picture = _report_files(output)
    with atomic_open(table_file, "w") as file:
        file.write(text + "\n")
    with atomic_open(picture) as file:
        file.write(plot(records))
    print(text)
    for record in records:
        if record["status"] == "failed":
            print("failed: {}, seed {}: {}".format(record["setting"], record["seed"], record["error"]))


def main(
    spec: Sequence[str] = (),
    seeds: str | Sequence[int] | None = None,
    grid: Sequence[str] = (),
    num_epochs: int | None = None,
    output: Path | str = "results",
    data_dir: Path | str | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    dataset: str | None = None,
) -> list[dict[str, Any]]:
    """Train every setting with every seed, and print how they compare.

    Parameters
    ----------
    spec : sequence of str
        Names of recipes, and at most one TOML file for `mnist_cnn.sweeps.settings.read_spec`.
    seeds : str or sequence of int, optional
        Like '1-10'; by default the file's, or '1-3'.
    grid : sequence of str
        Like ``dropout=.2,.5``; every recipe is trained at every point of the grid.
    num_epochs : int, optional
        Of every training; by default each recipe's own.
    output, data_dir, scheduler, workers, threads, dataset
        As for `sweep`.

    Returns
    -------
    list of dict
        The records.

    Raises
    ------
    MnistCnnError
        As `sweep`, and when the settings or seeds are invalid.
    """
    spec = [spec] if isinstance(spec, (str, Path)) else list(spec)
    recipes = [str(word) for word in spec if is_recipe(str(word))]
    files = [word for word in spec if not is_recipe(str(word))]
    if len(files) > 1:
        raise MnistCnnError(
            "there is no recipe {!r}; give names of recipes and one TOML file at most".format(str(files[0]))
        )
    found = read_spec(files[0]) if files else {}
    keep_apart([*files, *dataset_files(data_dir, dataset)], _report_files(output))
    options = dict(found.get("options", {}))
    if num_epochs is not None:
        options["num_epochs"] = num_epochs
    configs = expand(
        recipes + found.get("recipes", []),
        options,
        {**found.get("grid", {}), **parse_grid(grid)},
        found.get("settings"),
    )
    seeds = parse_seeds(found.get("seeds", "1-3") if seeds is None else seeds)
    return sweep(configs, seeds, output, data_dir, scheduler, workers, threads, dataset, then=report)
