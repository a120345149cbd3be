"""Many trainings on many cores or machines: sweeps over settings and seeds."""

import contextlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

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

MAX_TRAININGS = 10**5  # years; a slip of the keyboard would fill the memory


def sweep(configs, seeds, output, data_dir=None, scheduler=None, workers=None, threads=None, dataset=None, then=None):
    """Train every setting with every seed, but for what the folder has already.

    Parameters
    ----------
    configs : dict
        From a setting's name to its `Config`, without a seed.
    seeds : sequence of int
    output : path-like
        The folder of the records and weights; made if missing. While another sweep is at work in it,
        this one waits.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset`; workers load the data by these names.
    scheduler : str, optional
        The address of a Dask scheduler, ``tcp://HOST:8786``; by default workers are started here.
    workers, threads : int, optional
        How many local workers, and the threads of each training; by default as many workers as the
        machine has cores and memory for. Since results depend on the number of threads, all
        trainings have one: that of the records in the folder, else the scheduler's workers', or
        the cores shared out among local ones.
    then : callable, optional
        What is done with the records and the folder before another sweep may use it, such as `report`.

    Returns
    -------
    list of dict
        The records of these settings and seeds, failed trainings among them: setting by setting.

    Raises
    ------
    MnistCnnError
        When the data, the folder or the scheduler cannot be used. What is finished stays; the same
        call goes on from there.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and (int(value) != value or not 1 <= value <= MAX_THREADS):
            raise MnistCnnError("{} is {!r}; it must be a whole number, 1 to {}".format(name, value, MAX_THREADS))
    if len(configs) * len(seeds) > MAX_TRAININGS:
        raise MnistCnnError("that makes {} trainings; {} are the most".format(len(configs) * len(seeds), MAX_TRAININGS))
    require_drawing()
    folder = make_folder(output)
    if data_dir is not None and os.path.isdir(data_dir) and os.path.samefile(folder, data_dir):
        raise MnistCnnError("{} is the folder of the data; name another for the results".format(output))
    with _alone_in(folder):
        records = _records(configs, seeds, folder, data_dir, scheduler, workers, threads, dataset)
        if then is not None:
            then(records, folder)
    return records


@contextlib.contextmanager
def _alone_in(folder):
    """No other sweep is at work in the folder until the block ends, or the process.

    Two at once would train everything twice, one's failure could take the place of the other's result,
    and the table and the picture could come of different ones.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # Windows opens no folder
            number = os.open(str(folder), os.O_RDONLY)
            stack.callback(os.close, number)
            if lock(number, wait=False) is False:
                print("Another sweep is at work in {}; waiting for its end".format(folder), flush=True)
                lock(number)
        yield


def _records(configs, seeds, folder, data_dir, scheduler, workers, threads, dataset):
    """The records of these settings and seeds, after training those that are missing."""
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
    """The number of threads of a sweep that was begun: of most of its records; None without any."""
    counts = Counter(
        record["threads"] for record in records if record["data"] == digest and Config(**record["config"]) in configs
    )
    return max(counts, key=lambda threads: (counts[threads], threads), default=None)


def _report_files(folder):
    """What `report` writes."""
    return Path(folder) / "table.md", Path(folder) / "accuracies.png"


def report(records, output):
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
    spec=(),
    seeds=None,
    grid=(),
    num_epochs=None,
    output="results",
    data_dir=None,
    scheduler=None,
    workers=None,
    threads=None,
    dataset=None,
):
    """Train every setting with every seed, and print how they compare.

    Parameters
    ----------
    spec : sequence of str
        Names of recipes, or one TOML file as for `mnist_cnn.sweeps.settings.read_spec`.
    seeds : str or sequence of int, optional
        Like '1-10'; by default the file's, or '1-3'.
    grid : sequence of str
        Like ``dropout=.2,.5``; every recipe is trained at every point.
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
        As `sweep` does, and when the settings are none.
    """
    spec = [spec] if isinstance(spec, (str, Path)) else list(spec)
    recipes = [str(word) for word in spec if is_recipe(str(word))]
    files = [word for word in spec if not is_recipe(str(word))]
    if len(files) > 1:
        raise MnistCnnError("there is no recipe {!r}, and one TOML file is enough".format(str(files[0])))
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
