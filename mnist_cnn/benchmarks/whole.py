"""The whole command, from its start to its end, beside PyTorch's training by the same recipe or another command."""

import argparse
import itertools
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data import load_dataset
from ..datasets.labels import shorten
from ..system import machine
from ..system.errors import MnistCnnError
from ..training.config import Config, add_options, configure
from .peers import find_peers
from .processes import accuracy_in, run_program, run_torch

__all__ = ["whole_command", "torch_training", "main"]

_SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "train.py"


def whole_command(options: Sequence[str], seed: int) -> tuple[float, float]:
    """Run ``scripts/train.py`` in a process of its own, as a user does.

    Parameters
    ----------
    options : list of str
        Its options.
    seed : int
        The run's seed.

    Returns
    -------
    seconds : float
        From the start of the process to its end.
    accuracy : float
        On the test set, in [0, 1].

    Raises
    ------
    MnistCnnError
        When it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        output = os.path.join(folder, "model.npz")
        process = run_program(
            [sys.executable, str(_SCRIPT), *options, "--seed", str(seed), "--output", output], str(_SCRIPT)
        )
        seconds = time.perf_counter() - start
    return seconds, accuracy_in(process.stdout)


def torch_training(
    torch_python: str, dataset: Path | str, config: Config, channels_last: bool
) -> tuple[str, float, float]:
    """Train the same network by the same recipe with PyTorch, eager, in a process of its own.

    Parameters
    ----------
    torch_python : str
        The Python that has PyTorch.
    dataset : path-like
        An npz file with the six arrays of a data set.
    config : mnist_cnn.training.config.Config
    channels_last : bool
        Whether the data lies in the order (batch, row, column, channel).

    Returns
    -------
    what : str
        PyTorch's version and settings.
    seconds : float
        Of the training steps alone, without the start, the data and the validation.
    accuracy : float
        On the test set afterwards, in [0, 1].

    Raises
    ------
    MnistCnnError
        When that Python cannot be run or has no PyTorch.
    """
    order = ["--channels-last"] if channels_last else []
    (result,) = run_torch(torch_python, dataset, [config], "--cpu", *order)
    return result["what"], sum(result["training_seconds"]), result["test"]


def _config(words, seed):
    """The settings that the options of ``scripts/train.py`` stand for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="plain")
    add_options(parser)
    options = vars(parser.parse_known_args(words)[0])
    return configure(**dict(options, seed=seed))


def _row(what, seconds, accuracies, ratio):
    return "| {} | {:.2f} ({:.2f} to {:.2f}) | {:.2f} % | {} |".format(
        what, np.median(seconds), min(seconds), max(seconds), 100 * np.mean(accuracies), ratio
    )


def main(
    options: str = "--recipe fast",
    repeats: int = 5,
    peers: Sequence[str] = (sys.executable,),
    against: str | None = None,
) -> None:
    """Time the whole command and its rivals in turn, and print a table.

    A first run, which is not measured, fills the compile cache. Each round has a seed of its own.

    Parameters
    ----------
    options : str
        The command is ``scripts/train.py`` with these.
    repeats : int
        Rounds; the table shows their median.
    peers : sequence of str
        Pythons, one of which has PyTorch; its training by the same recipe is the rival, in two memory formats.
    against : str, optional
        The options of another ``scripts/train.py``, which is then the rival in PyTorch's place.

    Raises
    ------
    MnistCnnError
        When the shell could not parse the options, or a run fails.
    """
    if repeats < 1:
        raise MnistCnnError("repeats is {}; it must be at least 1".format(repeats))
    words, rival_words = _words(options), _words(against or "")
    pythons = [python for python, program in find_peers(peers) if program == "with_torch"] if against is None else []
    if against is None and not pythons:
        raise MnistCnnError("no Python of peers has PyTorch; install it, or name a Python that has it")
    line = "{}, {} core(s); {} round(s) of each in turn"
    print(line.format(machine.processor(), machine.cores(), repeats), flush=True)
    whole_command(words, seed=1)
    ours, rivals = [], {}
    with tempfile.TemporaryDirectory() as folder:
        dataset = os.path.join(folder, "dataset.npz")
        if against is None:
            np.savez(dataset, *load_dataset())
        for seed in range(1, repeats + 1):
            ours.append(whole_command(words, seed))
            if against is not None:
                rivals.setdefault(_command(against), []).append(whole_command(rival_words, seed))
            for python, channels_last in itertools.product(pythons, (False, True)):
                what, *result = torch_training(python, dataset, _config(words, seed), channels_last)
                rivals.setdefault("{}, the same recipe's steps".format(what), []).append(result)
            print(
                "  round {}: {:.2f} s, {}".format(
                    seed, ours[-1][0], ", ".join("{:.2f} s".format(results[-1][0]) for results in rivals.values())
                ),
                flush=True,
            )
    seconds, accuracies = zip(*ours)
    best = min(rivals, key=lambda what: np.median([result[0] for result in rivals[what]]))
    print(
        "| what | seconds, median (lowest to highest) | test accuracy, mean | its seconds as a "
        "multiple of the first row's |\n| --- | --- | --- | --- |"
    )
    print(_row(_command(options), seconds, accuracies, "1"))
    for what, results in rivals.items():
        theirs, their_accuracies = zip(*results)
        print(
            _row(
                what + (" (the faster)" if what == best and len(rivals) > 1 else ""),
                theirs,
                their_accuracies,
                "{:.2f}".format(np.median(np.divide(theirs, seconds))),
            )
        )


def _words(options):
    """The words of a text, as the shell parses it."""
    try:
        return shlex.split(options)
    except ValueError as error:
        raise MnistCnnError(
            "cannot parse the options {}: {}".format(shorten(repr(options), 80), str(error).lower())
        ) from error


def _command(options):
    return "`scripts/train.py {}`, the whole command".format(options)
