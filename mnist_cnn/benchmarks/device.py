"""Check a device: its libraries, its speed, and in full its weights and trainings beside the CPU's."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import theano.tensor as T

from .. import compat
from ..data import load_dataset
from ..model import build_cnn
from ..storage.atomic import atomic_open, make_folder
from ..storage.records import load_history
from ..system.errors import MnistCnnError
from ..train import compile_functions
from ..training.config import Config
from ..training.engine import choose_engine
from .processes import accuracy_in, run_program, run_torch
from .step import measure, repeat, theano_step

__all__ = ["train_apart", "noisy_digits", "main"]

#: A training in a process of its own, since a process cannot leave a device again.
_TRAIN = """
import json, sys
import numpy as np
from mnist_cnn.system.process import main_guard
from mnist_cnn.training import callbacks, config, trainer

device, dataset, options = json.loads(sys.argv[1])
output, checkpoint = options.pop("output", None), options.pop("checkpoint", None)
saved = [callbacks.SaveWeights(output)] if output else []
saved += [callbacks.Checkpoint(checkpoint)] if checkpoint else []
with np.load(dataset) as file:
    dataset = [file["arr_%d" % i] for i in range(6)]
sys.exit(main_guard(lambda: trainer.train(
    dataset, config.configure(device=device, **options), saved + [callbacks.Report()])))
"""


def train_apart(
    device: str, dataset: Path | str, environment: Mapping[str, str] | None = None, **options: object
) -> tuple[str, str]:
    """Train in a process of its own.

    Parameters
    ----------
    device : str
        'cpu', 'cuda', 'opencl0:0' and the like.
    dataset : path-like
        An npz file with the six arrays of a data set.
    environment : dict, optional
        Environment variables to set for it.
    **options
        ``output`` and ``checkpoint``, files for the weights and for the run's state; and fields of
        `mnist_cnn.training.config.Config`.

    Returns
    -------
    stdout, stderr : str
        What it printed.

    Raises
    ------
    MnistCnnError
        When it fails.
    """
    env = dict(os.environ, **environment or {})
    # Theano sets it where this process has the GPU, and would refuse the GPU to the child.
    env.pop("THEANO_GPU_IS_ALREADY_ACTIVE", None)
    command = [sys.executable, "-c", _TRAIN, json.dumps([device, str(dataset), options])]
    process = run_program(command, "training on {}".format(device), env)
    return process.stdout, process.stderr


def noisy_digits(dataset: Sequence[np.ndarray], batches: int = 3, batch_size: int = 50) -> list[np.ndarray]:
    """A small data set on which two devices should agree to rounding.

    On MNIST itself weights differ by 1e-4 after a few steps: in a digit's flat regions the four
    numbers of a pooling window are equal, and rounding decides which one gets the gradient. A tenth
    of noise makes the four numbers differ.

    Parameters
    ----------
    dataset : six arrays
        As `mnist_cnn.data.load_dataset` returns them.
    batches, batch_size : int
        It keeps so many batches for training, one for validation, one for the test.

    Returns
    -------
    six arrays
        The first examples, float32 images in [0, 1).
    """
    rng = np.random.RandomState(0)
    result = []
    for images, labels, number in zip(dataset[::2], dataset[1::2], (batches * batch_size, batch_size, batch_size)):
        noise = rng.rand(*images[:number].shape).astype(np.float32)
        result += [images[:number] * np.float32(0.9) + noise * np.float32(0.1), labels[:number]]
    return result


def _device_step(inputs):
    """As `mnist_cnn.benchmarks.step.theano_step`, with the images kept on the device."""
    numbers_var, images, (numbers,) = choose_engine().place(inputs)
    target_var = T.ivector("targets")
    train_fn, _ = compile_functions(build_cnn(images), numbers_var, target_var)
    compat.require_on_device(train_fn)
    return lambda _, targets: train_fn(numbers[: len(targets)], targets)


def _check(device, dataset, batch_sizes):
    """Print the device's libraries, and the speed of the train step there and on the CPU."""
    largest = max(batch_sizes)
    inputs, targets = dataset[0][:largest], dataset[1][:largest].astype(np.int32)
    on_cpu = theano_step()  # compiled before the device is used, it stays on the CPU
    compat.use_device(device)
    for name, text in compat.device_parts.items():
        print("{:20}{}".format(name, text))
    print("Compiling the train step for it...")
    steps = {device: _device_step(inputs), "CPU": on_cpu}
    print("Train step, images a second (median of 3 rounds)")
    for batch_size in batch_sizes:
        batches = [(inputs[:batch_size], targets[:batch_size])]
        speeds = measure({name: repeat(step, batches) for name, step in steps.items()}, batch_size, 3)
        print(
            "  batch size {:<8}{}".format(
                batch_size, ", ".join("{}: {:.0f}".format(name, np.median(values)) for name, values in speeds.items())
            )
        )


def _row(what, batch_size, seconds, validation, test):
    """A line of the table; the median of the seconds leaves out the first epoch, a warm-up."""
    return "| {} | {} | {:.3f} | {:.2f} % | {:.2f} % |".format(
        what, batch_size, np.median(seconds[1:] or seconds), validation * 100, test * 100
    )


def _rows_of_torch(torch_python, dataset, batch_sizes, num_epochs):
    """PyTorch's lines of the table, or one line with the error."""
    try:
        configs = [Config(batch_size=size, num_epochs=num_epochs, seed=1) for size in batch_sizes]
        results = run_torch(torch_python, dataset, configs)
    except MnistCnnError as error:
        return ["| {} | | | | |".format(error)]
    names = ("what", "batch_size", "seconds", "validation", "test")
    return [_row(*(result[name] for name in names)) for result in results]


def _difference_of_weights(device, dataset):
    """The largest difference of the device's weights and the CPU's after six steps of the plain network."""
    weights = []
    with tempfile.TemporaryDirectory() as folder:
        noisy, output = os.path.join(folder, "noisy.npz"), os.path.join(folder, "weights.npz")
        np.savez(noisy, *noisy_digits(dataset))
        for where in ("cpu", device):
            print("Six steps on {}...".format(where), flush=True)
            train_apart(where, noisy, batch_size=50, num_epochs=2, seed=1, engine="plain", output=output)
            with np.load(output) as file:
                weights.append([file[name] for name in file.files])
    return max(abs(a - b).max() for a, b in zip(*weights))


def _row_of_training(where, arrays, batch_size, num_epochs, folder):
    """Train, keep the model in the folder, and return the training's line of the table."""
    print("Training on {} at batch size {}...".format(where, batch_size), flush=True)
    output = os.path.join(folder, "{}-{}.npz".format(where.replace(":", "-"), batch_size))
    report, _ = train_apart(where, arrays, batch_size=batch_size, num_epochs=num_epochs, seed=1, output=output)
    history = load_history(output)
    validation = history["validation_accuracy"][-1]
    return _row("this package, " + where, batch_size, list(history["seconds"]), validation, accuracy_in(report))


def _profile(device, dataset, batch_size, path):
    """Have Theano profile 20 steps, save its report, and return the report's table of Op classes."""
    print("Profile at batch size {}...".format(batch_size), flush=True)
    flags = ",".join(filter(None, [os.environ.get("THEANO_FLAGS"), "profile=True"]))
    with tempfile.TemporaryDirectory() as folder:
        short = os.path.join(folder, "short.npz")
        np.savez(
            short, *(part[: 20 * batch_size] for part in dataset[:2]), *(part[:batch_size] for part in dataset[2:])
        )
        # Without CUDA_LAUNCH_BLOCKING the times would be those of the launches, and Theano refuses to profile.
        _, profile = train_apart(
            device,
            short,
            {"THEANO_FLAGS": flags, "CUDA_LAUNCH_BLOCKING": "1"},
            batch_size=batch_size,
            num_epochs=1,
            seed=1,
        )
    with atomic_open(path, "w") as file:
        file.write(profile)
    classes = re.search(r"^Class\n.*?(?=\n\n)", profile, re.M | re.S)
    return classes.group() if classes else "(none)"


def _compare(device, dataset, batch_sizes, num_epochs, folder, torch_python):
    """The whole comparison: weights, trainings on the device, the CPU and with PyTorch, profile."""
    lines = ["{}: {}".format(name, text) for name, text in compat.device_parts.items()]
    lines += [
        "",
        "Weights after six steps, the device's and the CPU's, differ by at most {:.1e}".format(
            _difference_of_weights(device, dataset)
        ),
        "",
        "| what | batch size | seconds an epoch | validation accuracy after {} epochs | test accuracy |".format(
            num_epochs
        ),
        "| --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        arrays = os.path.join(scratch, "dataset.npz")
        np.savez(arrays, *dataset)
        lines += [
            _row_of_training(where, arrays, batch_size, num_epochs, folder)
            for where in (device, "cpu")
            for batch_size in batch_sizes
        ]
        print("Training with PyTorch...", flush=True)
        lines += _rows_of_torch(torch_python, arrays, batch_sizes, num_epochs)
    for batch_size in batch_sizes:
        path = os.path.join(folder, "profile-{}.txt".format(batch_size))
        lines += [
            "",
            "Profile at batch size {} ({}):".format(batch_size, path),
            "```",
            _profile(device, dataset, batch_size, path),
            "```",
        ]
    text = "\n".join(lines)
    with atomic_open(os.path.join(folder, "table.md"), "w") as file:
        file.write(text + "\n")
    print(text)


def main(
    device: str = "cuda",
    batch_sizes: Sequence[int] = (50, 500),
    full: bool = False,
    num_epochs: int = 5,
    examples: int | None = None,
    output: Path | str = "gpu_check",
    torch_python: str = sys.executable,
) -> None:
    """Check a device: print its libraries and its speed, or compare it in full.

    Parameters
    ----------
    device : str
        The device: 'cuda', 'cuda0', 'opencl0:0' and the like.
    batch_sizes : sequence of int
        Examples a step.
    full : bool
        Whether to train there, on the CPU and with PyTorch too, compare weights and profile.
    num_epochs : int
        Epochs of each of those trainings.
    examples : int, optional
        Use only so many of the training, validation and test examples each, for a short trial.
    output : path-like
        The folder for the full comparison's table, profiles and models; made if missing.
    torch_python : str
        The Python that has PyTorch.

    Raises
    ------
    MnistCnnError
        When the device cannot be used, or a training there fails.
    """
    if not full and (num_epochs, output, torch_python) != (5, "gpu_check", sys.executable):
        raise MnistCnnError("num_epochs, output and torch_python are for the full comparison; give --full too")
    for name, number in (("num_epochs", num_epochs), ("examples", examples)):
        if number is not None and not 1 <= number <= 10**9:
            raise MnistCnnError("{} is {}; it must be from 1 to 10**9".format(name, number))
    compat.use_device("cpu")  # the comparison needs it, whatever the configuration says
    dataset = [part[:examples] for part in load_dataset()]
    if not all(1 <= batch_size <= len(dataset[0]) for batch_size in batch_sizes):
        raise MnistCnnError("the batch sizes must be from 1 to the number of examples, {}".format(len(dataset[0])))
    if full:
        make_folder(output)
    _check(device, dataset, batch_sizes)
    if full:
        _compare(device, dataset, batch_sizes, num_epochs, output, torch_python)
