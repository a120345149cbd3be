"""Speed of the train step, beside PyTorch's where that is installed."""

import importlib.util
import os
import sys
import time

import numpy as np
import theano.tensor as T

from ..data import load_dataset
from ..support.errors import MnistCnnError
from ..train import compile_functions
from ..training.engine import choose_engine
from .networks import NETWORKS

__all__ = ["theano_step", "torch_step", "measure", "main"]


def theano_step(engine="auto", network="tutorial"):
    """A network's train step.

    Parameters
    ----------
    engine : str
        As in `mnist_cnn.training.config.Config`.
    network : str
        Its name in `mnist_cnn.benchmarks.networks`.

    Returns
    -------
    callable
        Takes images float32 (batch, channels, rows, columns) and labels int32 (batch,); takes
        one step.
    """
    input_var, target_var = T.tensor4("inputs"), T.ivector("targets")
    layers = choose_engine(engine).accelerate(NETWORKS[network].build(input_var))
    train_fn, _ = compile_functions(layers, input_var, target_var)
    return train_fn


def torch_step(channels_last, network="tutorial"):
    """The same network and step in PyTorch, eager, on the CPU.

    Parameters
    ----------
    channels_last : bool
        Whether the convolutions' data and weights lie in the order (batch, row, column, channel).
    network : str
        As for `theano_step`.

    Returns
    -------
    callable
        As `theano_step` gives.
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


def measure(steps, inputs, targets, repeats=7, seconds=1.0):
    """Time several train steps in turn, round after round.

    Parameters
    ----------
    steps : dict
        From a name to a callable as `theano_step` gives.
    inputs, targets : arrays
        One batch.
    repeats : int
        Rounds; in each, every step has its turn.
    seconds : float
        About how long a turn lasts.

    Returns
    -------
    dict
        From each name to its images a second, an array with a value a round.
    """
    counts, speeds = {}, {name: [] for name in steps}
    for name, step in steps.items():  # warm-up, and how many calls a turn takes
        for _ in range(3):
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


def main(batch_sizes=(50, 500), repeats=7, seconds=1.0, whole=False, recipe="fast",
         torch_python=sys.executable, network="tutorial", explain=False):
    """Measure the train step at given batch sizes, or the whole command, and print a table.

    Parameters
    ----------
    batch_sizes : sequence of int
        Examples a step.
    repeats : int
        Rounds; the table shows their median.
    seconds : float
        About how long each step runs in a round.
    whole : bool
        Whether to time the whole command instead (`mnist_cnn.benchmarks.whole.main`).
    recipe, torch_python : str
        Of the whole command, and the Python that has PyTorch there.
    network : str
        'tutorial', 'lasagne-cnn', 'cifar10-quick' or 'small-vgg'.
    explain : bool
        Whether to print first what the fast layers make of each layer, and what each takes of a
        step at the first batch size.

    Raises
    ------
    MnistCnnError
        When a number is out of its range.
    """
    if whole:
        from . import whole as whole_command
        return whole_command.main(recipe, repeats, torch_python)
    if repeats < 1 or not seconds > 0:
        raise MnistCnnError("repeats and seconds must be positive")
    if network not in NETWORKS:
        raise MnistCnnError("the network is {!r}; it must be one of {}".format(
            network, ", ".join(NETWORKS)))
    X_train, y_train = _examples(NETWORKS[network].shape)
    for batch_size in batch_sizes:
        if not 1 <= batch_size <= len(X_train):
            raise MnistCnnError("the batch size is {}; it must be from 1 to {}".format(
                batch_size, len(X_train)))

    if explain:
        from .. import fused
        print(fused.explain(NETWORKS[network].build(), batch_sizes[0]))
    steps = {"Theano": theano_step(network=network),
             "Theano, plain Lasagne": theano_step("plain", network)}
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    if importlib.util.find_spec("torch") is not None:
        import torch
        torch.set_num_threads(int(threads))
        steps["PyTorch"] = torch_step(False, network)
        steps["PyTorch, channels last"] = torch_step(True, network)
        print("PyTorch {}, eager".format(torch.__version__))
    print("Train step, images a second: median of {} rounds (lowest to highest), {} thread(s)"
          .format(repeats, threads))
    for batch_size in batch_sizes:
        speeds = measure(steps, X_train[:batch_size], y_train[:batch_size], repeats, seconds)
        print("batch size {}".format(batch_size))
        for name, values in speeds.items():
            print("  {:24} {:8.0f} ({:.0f} to {:.0f})".format(
                name, np.median(values), values.min(), values.max()))
        rivals = [values for name, values in speeds.items() if name.startswith("PyTorch")]
        if rivals:
            best = max(rivals, key=np.median)
            print("  {:24} {:8.2f}".format("Theano / best PyTorch",
                                           np.median(speeds["Theano"] / best)))


def _examples(shape):
    """Images and labels: MNIST's for images like its own, else noise."""
    if shape == (1, 28, 28):
        images, labels = load_dataset()[:2]
        return images, labels.astype(np.int32)
    rng = np.random.RandomState(0)
    images = rng.normal(size=(1000,) + shape).astype(np.float32)
    return images, rng.randint(10, size=1000).astype(np.int32)
