"""Programs that are measured in processes of their own: a training, and PyTorch's baseline."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..system.errors import MnistCnnError
from ..training.config import Config
from .networks import NETWORKS

__all__ = ["environment", "run_program", "run_torch", "accuracy_in"]


def environment(python: str) -> dict[str, str]:
    """The environment variables for a process of a Python: without PYTHONPATH and the like for another one.

    Parameters
    ----------
    python : str
        Its path.

    Returns
    -------
    dict
    """
    if python == sys.executable:
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run_program(
    command: Sequence[str], name: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    Parameters
    ----------
    command : list of str
    name : str
        What an error calls it.
    env : dict, optional
        Its environment; by default this process's.

    Returns
    -------
    subprocess.CompletedProcess
        With its ``stdout`` and ``stderr`` as text.

    Raises
    ------
    MnistCnnError
        When it cannot be run, or when it fails: then with the last line of its stderr.
    """
    try:
        process = subprocess.run(command, capture_output=True, text=True, env=env)
    except OSError as error:
        raise MnistCnnError("cannot run {}: {}".format(command[0], error.strerror)) from error
    if process.returncode:
        lines = process.stderr.splitlines() or ["it printed no error"]
        raise MnistCnnError("{} failed: {}".format(name, lines[-1]))
    return process


def run_torch(torch_python: str, dataset: Path | str, configs: Sequence[Config], *options: str) -> list[dict[str, Any]]:
    """Train the tutorial's network with PyTorch: run ``peers/train_torch.py``.

    Parameters
    ----------
    torch_python : str
        The Python that has PyTorch.
    dataset : path-like
        An npz file with the six arrays of a data set.
    configs : sequence of mnist_cnn.training.config.Config
        A training, or two on a GPU, for each.
    *options : str
        ``--cpu``, ``--channels-last``.

    Returns
    -------
    list of dict
        For each training what the program prints of it.

    Raises
    ------
    MnistCnnError
        As `run_program`.
    """
    program = Path(__file__).parent / "peers" / "train_torch.py"
    layers = json.dumps(NETWORKS["tutorial"].layers)
    words = [torch_python, program, layers, dataset, *(json.dumps(asdict(config)) for config in configs), *options]
    process = run_program(list(map(str, words)), "PyTorch", environment(torch_python))
    return list(map(json.loads, process.stdout.splitlines()))


def accuracy_in(report: str) -> float:
    """The test accuracy, in [0, 1], that a training's report ends with."""
    return float(report.rpartition("test accuracy:")[2].split()[0]) / 100
