"""Speed of the train step, or of answers, beside PyTorch, JAX and Keras on TensorFlow."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from ..data import load_dataset
from ..system import machine
from ..system.errors import MnistCnnError
from .networks import NETWORKS, compile_network
from .peers import Peer, find_peers

__all__ = ["theano_step", "repeat", "measure", "main"]

_THEANO = "Theano"
_BATCHES = 50  # that take turns, as in peers/worker.py


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


def repeat(function: Callable, batches: Sequence[tuple]) -> Callable[[int], float]:
    """Make a function that calls another for one batch after the other, and says how long it took.

    Parameters
    ----------
    function : callable
        Of a batch.
    batches : sequence of tuple
        They take turns.

    Returns
    -------
    callable
        From the number of calls to their seconds.
    """

    def run(count):
        start = time.perf_counter()
        for i in range(count):
            function(*batches[i % len(batches)])
        return time.perf_counter() - start

    return run


def measure(
    contenders: Mapping[str, Callable[[int], float]], batch_size: int, repeats: int = 7, seconds: float = 1.0
) -> dict[str, np.ndarray]:
    """Time several functions in turn, round after round.

    Parameters
    ----------
    contenders : dict
        From a name to a callable such as `repeat` returns.
    batch_size : int
        Images in a batch.
    repeats : int
        Rounds; each contender is timed once a round.
    seconds : float
        About how long each runs in a round.

    Returns
    -------
    dict
        From each name to an array of its images a second, a value for each round.
    """
    counts, speeds = {}, {name: [] for name in contenders}
    for name, run in contenders.items():  # warm-up, and the number of calls in a round
        run(3)
        once = run(1)
        counts[name] = max(1, int(seconds / once))
    for _ in range(repeats):
        for name, run in contenders.items():
            speeds[name].append(counts[name] * batch_size / run(counts[name]))
    return {name: np.array(values) for name, values in speeds.items()}


def main(
    batch_sizes: Sequence[int] = (50, 500),
    repeats: int = 7,
    seconds: float = 1.0,
    evaluate: bool = False,
    whole: bool = False,
    options: str = "--recipe fast",
    against: str | None = None,
    peers: Sequence[str] = (sys.executable,),
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
        Whether to time the loss and accuracy of batches instead, without training.
    whole : bool
        Whether to time the whole command instead (`mnist_cnn.benchmarks.whole.main`).
    options, against : str
        As for that function.
    peers : sequence of str
        Pythons; all that they have of PyTorch, JAX with optax, and Keras with TensorFlow is measured.
    network : str
        A name in the table of `mnist_cnn.benchmarks.networks`.
    explain : bool
        Whether to print first how the fast layers compute each layer, and each layer's share of a
        step at the first batch size.

    Raises
    ------
    MnistCnnError
        When a number is out of its range, or a peer fails.
    """
    if not 1 <= repeats <= 10**9 or not 0 < seconds <= 10**9:
        raise MnistCnnError(
            "repeats is {} and seconds is {}; both must be positive, up to 10**9".format(repeats, seconds)
        )
    if whole:
        from . import whole as whole_command

        return whole_command.main(options, repeats, peers, against)
    if (options, against) != ("--recipe fast", None):
        raise MnistCnnError("options and against are for the whole command; give --whole too")
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
    with ExitStack() as stack:
        data = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "data.npz")
        np.savez(data, images=images, labels=labels)
        rivals = [
            stack.enter_context(Peer(python, program, NETWORKS[network], data)) for python, program in find_peers(peers)
        ]
        for rival in rivals:
            print(rival.version)
        print(
            "{}, images a second: median of {} rounds (lowest to highest), {} thread(s)".format(
                "Loss and accuracy" if evaluate else "Train step", repeats, machine.threads()
            )
        )
        functions = _functions(network, evaluate, images, labels)
        for batch_size in batch_sizes:
            batches = [
                (images[i : i + batch_size], labels[i : i + batch_size])
                for i in range(0, len(images) - batch_size + 1, batch_size)[:_BATCHES]
            ]
            contenders = {name: repeat(function, batches) for name, function in functions.items()}
            for rival in rivals:
                contenders.update(_contenders(rival, "answer" if evaluate else "step", batch_size))
            _print(batch_size, measure(contenders, batch_size, repeats, seconds), len(functions))


def _functions(network, evaluate, images, labels):
    """This package's functions of a batch, by name."""
    train_fn, val_fn = compile_network(network)
    if not evaluate:
        return {_THEANO: train_fn, "Theano, plain Lasagne": theano_step("plain", network)}
    # Speed depends on the number of zeros among the activations: let it be that of a trained network.
    for start in range(0, min(len(images), 10000) - 49, 50):
        train_fn(images[start : start + 50], labels[start : start + 50])
    return {_THEANO: val_fn}


def _contenders(rival, method, batch_size):
    """A peer's contenders for `measure`, by name."""
    return {name: lambda count, name=name: rival.time(name, method, batch_size, count)[0] for name in rival.sizes}


def _print(batch_size, speeds, ours):
    """Print a line for each of `speeds`, of which the first are ours, and one that compares."""
    print("batch size {}".format(batch_size))
    for name, values in speeds.items():
        print("  {:28} {:8.0f} ({:.0f} to {:.0f})".format(name, np.median(values), values.min(), values.max()))
    rivals = list(speeds)[ours:]
    if rivals:
        best = max(rivals, key=lambda name: np.median(speeds[name]))
        ratio = np.median(speeds[_THEANO] / speeds[best])
        print("  {:28} {:8.2f}".format("Theano / fastest peer", ratio), "({})".format(best))


def _examples(shape):
    """MNIST's images and labels where the shape fits, else noise."""
    if shape == (1, 28, 28):
        images, labels = load_dataset()[:2]
        return images, labels.astype(np.int32)
    rng = np.random.RandomState(0)
    images = rng.normal(size=(1000,) + shape).astype(np.float32)
    return images, rng.randint(10, size=1000).astype(np.int32)
