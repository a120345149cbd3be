"""What each ingredient of the better recipe is worth: trainings with and without it, in a table."""

import csv

import numpy as np

from ..data import load_dataset
from ..support.errors import MnistCnnError
from ..support.files import atomic_open, make_folder
from ..model import build_cnn, load_weights
from ..predict import predict
from ..support.records import load_history
from ..train import main as train
from ..training.config import RECIPES

__all__ = ["variants", "table", "main"]

FIELDS = ("variant", "seed", "epochs", "validation_accuracy", "test_accuracy", "seconds")


def variants(num_epochs):
    """The recipes to compare, from the plain one to the best.

    Parameters
    ----------
    num_epochs : int

    Returns
    -------
    dict
        From each name to the fields of `mnist_cnn.training.config.Config` that make it.
    """
    full = RECIPES["best"](num_epochs)

    def without(*names):
        return {name: value for name, value in full.items() if name not in names}

    return {"plain": {},
            "schedule": without("ema", "distorted", "dropout"),
            "schedule, average": without("distorted", "dropout"),
            "schedule, average, distortions": dict(without("dropout"), distorted=1),
            "schedule, average, distortions, less dropout": dict(full, distorted=1),
            "best: half of the digits undistorted": full,
            "best, without average": without("ema"),
            "best, on all 60,000 digits": dict(full, all_data=True)}


def table(records):
    """Means over seeds, in Markdown.

    Parameters
    ----------
    records : list of dict
        With the keys `FIELDS`; accuracies in [0, 1].

    Returns
    -------
    str
        A row a variant, in the order in which they first come.
    """
    lines = ["| recipe | epochs | seeds | validation, % | test, %: mean | standard deviation "
             "| lowest | highest | seconds an epoch |", "| --- " * 9 + "|"]
    for variant, epochs in dict.fromkeys((r["variant"], r["epochs"]) for r in records):
        rows = [r for r in records if (r["variant"], r["epochs"]) == (variant, epochs)]
        test = 100 * np.array([r["test_accuracy"] for r in rows])
        validation = 100 * np.mean([r["validation_accuracy"] for r in rows])
        lines.append("| {} | {} | {} | {} | {:.3f} | {} | {:.2f} | {:.2f} | {:.1f} |".format(
            variant, epochs, ", ".join(str(r["seed"]) for r in rows),
            "trained on" if "all 60,000" in variant else "{:.3f}".format(validation),
            test.mean(), "{:.3f}".format(test.std(ddof=1)) if len(rows) > 1 else "-",
            test.min(), test.max(), np.mean([r["seconds"] for r in rows]) / epochs))
    return "\n".join(lines)


def _read(path):
    """The records of an earlier start, none where there was none."""
    try:
        with open(path, newline="") as file:
            return [dict(row, **{name: kind(row[name]) for name, kind in zip(
                FIELDS[1:], (int, int, float, float, float))}) for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MnistCnnError("{} is no list of results that ablation.py saved; remove it"
                            .format(path)) from error


def main(num_epochs=50, num_seeds=3, only=None, output="ablation", data_dir=None):
    """Train every variant with every seed and print the table.

    What is done is kept in the folder: a second start goes on where the first was broken off.

    Parameters
    ----------
    num_epochs : int
        Of every training.
    num_seeds : int
        The seeds are 1 to this.
    only : sequence of str, optional
        The variants to train; by default all of `variants`.
    output : path-like
        The folder of the models and of the results, ``results.csv``.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`.

    Raises
    ------
    MnistCnnError, Interrupted
        As `train` does.
    """
    if num_epochs < 1 or num_seeds < 1:
        raise MnistCnnError("the numbers of epochs and of seeds must be at least 1")
    wanted = variants(num_epochs)
    for name in only or ():
        if name not in wanted:
            raise MnistCnnError("there is no variant {!r}; there are: {}".format(
                name, "; ".join(wanted)))
    folder = make_folder(output)
    path = folder / "results.csv"
    records = _read(path)
    done = {(r["variant"], r["seed"], r["epochs"]) for r in records}
    dataset = load_dataset(data_dir)
    for seed in range(1, num_seeds + 1):  # seeds outermost: a part of the table is fair, too
        for name in only or wanted:
            if (name, seed, num_epochs) in done:
                continue
            print("{}, seed {}".format(name, seed), flush=True)
            model = folder / "{}-{}-{}.npz".format(
                "".join(c if c.isalnum() else "_" for c in name), num_epochs, seed)
            checkpoint = model.with_suffix(".checkpoint")
            train(num_epochs=num_epochs, seed=seed, data_dir=data_dir, output=model,
                  resume=checkpoint.exists(), quiet=True, **wanted[name])
            network = build_cnn()
            load_weights(model, network)
            history = load_history(model)
            answers = predict(network, dataset[4]).argmax(axis=1)
            records.append(dict(zip(FIELDS, (
                name, seed, num_epochs, history["validation_accuracy"][-1],
                (answers == dataset[5]).mean(), history["seconds"].sum()))))
            with atomic_open(path, "w", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                writer.writeheader()
                writer.writerows(records)
    order = list(wanted)
    records.sort(key=lambda r: (r["epochs"], order.index(r["variant"]), r["seed"]))
    print(table(records))
