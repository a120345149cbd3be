"""Speed of the train step, or of answers, beside PyTorch's where that is installed."""

import importlib.util
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..data import iterate_minibatches, load_dataset
from ..system import machine
from ..system.errors import MnistCnnError
from .answers import theano_answers, torch_answers
from .networks import NETWORKS, compile_network

__all__ = ["theano_step", "torch_step", "measure", "main"]


def theano_step(engine: str = "auto", network: str = "tutorial") -> Callable:
    """A network's train step.

    Parameters
    ----------
    engine, network : str
        As for `mnist_cnn.benchmarks.networks.compile_network`.

    Returns
    -------
    callable
        It takes images float32 (batch, channels, rows, columns) and labels int32 (batch,), and
        takes one step.
    """
    return compile_network(network, engine)[0]


def torch_step(channels_last: bool, network: str = "tutorial") -> Callable:
    """The same network and step in PyTorch, eager, on the CPU.

    Parameters
    ----------
    channels_last : bool
        Whether images and filters are stored in the order (batch, row, column, channel).
    network : str
        As for `theano_step`.

    Returns
    -------
    callable
        As `theano_step` returns it.
    """
    import torch
    from torch import nn

    from .torch_baseline import build_optimizer, memory_format

    order = memory_format(channels_last)
    module = NETWORKS[network].build_torch().to(memory_format=order)
    optimizer = build_optimizer(module)
    cross_entropy = nn.CrossEntropyLoss()

    def step(inputs, targets):
        inputs = torch.from_numpy(inputs).to(memory_format=order)
        loss = cross_entropy(module(inputs), torch.from_numpy(targets.astype(np.int64)))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def measure(
    steps: Mapping[str, Callable], inputs: np.ndarray, targets: np.ndarray, repeats: int = 7, seconds: float = 1.0
) -> dict[str, np.ndarray]:
    """Time several train steps in turn, round after round.

    Parameters
    ----------
    steps : dict
        From a name to a callable such as `theano_step` returns.
    inputs, targets : arrays
        One batch.
    repeats : int
        Rounds; each step is timed once a round.
    seconds : float
        About how long each step is repeated in a round.

    Returns
    -------
    dict
        From each name to an array of its images a second, a value for each round.
    """
    counts, speeds = {}, {name: [] for name in steps}
    for name, step in steps.items():  # warm-up, and the number of calls in a round
        for _ in range(3 if len(inputs) < 10000 else 1):
            step(inputs, targets)
        start = time.perf_counter()
        step(inputs, targets)
        counts[name] = max(1, int(seconds / (time.perf_counter() - start)))
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(counts[name]):
                step(inputs, targets)
            elapsed = time.perf_counter() - start
            speeds[name].append(counts[name] * len(inputs) / elapsed)
    return {name: np.array(values) for name, values in speeds.items()}


def main(
    batch_sizes: Sequence[int] = (50, 500),
    repeats: int = 7,
    seconds: float = 1.0,
    evaluate: bool = False,
    whole: bool = False,
    options: str = "--recipe fast",
    against: str | None = None,
    torch_python: str = sys.executable,
    network: str = "tutorial",
    explain: bool = False,
) -> None:
    """Measure the train step at given batch sizes, or the whole command, and print a table.

    Parameters
    ----------
    batch_sizes : sequence of int
        Examples in a batch.
    repeats : int
        Rounds; the table shows their median.
    seconds : float
        About how long each step runs in a round.
    evaluate : bool
        Whether to time the loss and accuracy of 10,000 images instead.
    whole : bool
        Whether to time the whole command instead (`mnist_cnn.benchmarks.whole.main`).
    options, against, torch_python : str
        As for that function.
    network : str
        'tutorial', 'lasagne-cnn', 'cifar10-quick' or 'small-vgg'.
    explain : bool
        Whether to print first how the fast layers compute each layer, and each layer's share of a
        step at the first batch size.

    Raises
    ------
    MnistCnnError
        When a number is out of its range.
    """
    if not 1 <= repeats <= 10**9 or not 0 < seconds <= 10**9:
        raise MnistCnnError(
            "repeats is {} and seconds is {}; both must be positive, up to 10**9".format(repeats, seconds)
        )
    if whole:
        from . import whole as whole_command

        return whole_command.main(options, repeats, torch_python, against)
    if (options, against, torch_python) != ("--recipe fast", None, sys.executable):
        raise MnistCnnError("options, against and torch_python are for the whole command; give --whole too")
    if network not in NETWORKS:
        raise MnistCnnError("the network is {!r}; it must be one of {}".format(network, ", ".join(NETWORKS)))
    images, labels = _examples(NETWORKS[network].shape)
    for batch_size in batch_sizes:
        if not 1 <= batch_size <= len(images):
            raise MnistCnnError("the batch size is {}; it must be from 1 to {}".format(batch_size, len(images)))

    if explain:
        from .. import fused

        batch = (part[: batch_sizes[0]] for part in (images, labels))
        print(fused.explain(theano_step(network=network), *batch))
    threads = machine.threads()
    torch_is_here = importlib.util.find_spec("torch") is not None
    if torch_is_here:
        import torch

        torch.set_num_threads(threads)
        print("PyTorch {}, eager".format(torch.__version__))
    print(
        "{}, images a second: median of {} rounds (lowest to highest), {} thread(s)".format(
            "Loss and accuracy" if evaluate else "Train step", repeats, threads
        )
    )
    steps = {} if evaluate else _steps(network, torch_is_here)
    for batch_size in batch_sizes:
        if evaluate:
            answers = _answers(batch_size, images, labels, network, torch_is_here)
            speeds = measure(answers, images[:10000], labels[:10000], repeats, seconds)
        else:
            speeds = measure(steps, images[:batch_size], labels[:batch_size], repeats, seconds)
        _print(batch_size, speeds)


def _steps(network, torch_is_here):
    """The train steps to measure, by name."""
    steps = {"Theano": theano_step(network=network), "Theano, plain Lasagne": theano_step("plain", network)}
    if torch_is_here:
        steps["PyTorch"] = torch_step(False, network)
        steps["PyTorch, channels last"] = torch_step(True, network)
    return steps


def _answers(batch_size, images, labels, network, torch_is_here):
    """The callables that measure loss and accuracy, by name."""
    examples = iterate_minibatches(images[-10000:], labels[-10000:], 50)
    answers = {"Theano": theano_answers(batch_size, examples, network=network)}
    if torch_is_here:
        answers["PyTorch"] = torch_answers(batch_size, False, network)
        answers["PyTorch, channels last"] = torch_answers(batch_size, True, network)
    return answers


def _print(batch_size, speeds):
    """Print a line for each of `speeds`, and one that compares."""
    print("batch size {}".format(batch_size))
    for name, values in speeds.items():
        print("  {:24} {:8.0f} ({:.0f} to {:.0f})".format(name, np.median(values), values.min(), values.max()))
    rivals = [values for name, values in speeds.items() if name.startswith("PyTorch")]
    if rivals:
        best = max(rivals, key=np.median)
        print("  {:24} {:8.2f}".format("Theano / best PyTorch", np.median(speeds["Theano"] / best)))


def _examples(shape):
    """MNIST's images and labels where the shape fits, else noise."""
    if shape == (1, 28, 28):
        images, labels = load_dataset()[:2]
        return images, labels.astype(np.int32)
    rng = np.random.RandomState(0)
    images = rng.normal(size=(1000,) + shape).astype(np.float32)
    return images, rng.randint(10, size=1000).astype(np.int32)
