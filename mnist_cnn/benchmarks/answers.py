"""Speed of loss and accuracy on a data set, without training, and the same in PyTorch."""

from collections.abc import Callable, Iterable

import numpy as np

from ..train import evaluate
from .networks import NETWORKS, compile_network

__all__ = ["theano_answers", "torch_answers"]


#: From images and labels to loss and accuracy.
AnswersFn = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def theano_answers(
    batch_size: int,
    examples: Iterable[tuple[np.ndarray, np.ndarray]] = (),
    engine: str = "auto",
    network: str = "tutorial",
) -> AnswersFn:
    """Make a function that measures a network on a data set, batch by batch.

    Parameters
    ----------
    batch_size : int
        Examples in a batch.
    examples : sequence of (images, labels)
        Mini-batches to train on first. The number of zeros among the activations, on which speed
        depends, is then that of a trained network.
    engine, network : str
        As for `mnist_cnn.benchmarks.networks.compile_network`.

    Returns
    -------
    callable
        It takes images float32 (n, channels, rows, columns) and labels int32 (n,), and returns
        loss and accuracy.
    """
    train_fn, val_fn = compile_network(network, engine)
    for inputs, targets in examples:
        train_fn(inputs, targets)
    return lambda inputs, targets: evaluate(val_fn, inputs, targets, batch_size)


def torch_answers(batch_size: int, channels_last: bool, network: str = "tutorial") -> AnswersFn:
    """The same network in PyTorch, in evaluation and inference mode, on the CPU.

    Parameters
    ----------
    batch_size, network
        As for `theano_answers`.
    channels_last : bool
        Whether images and filters are stored in the order (batch, row, column, channel).

    Returns
    -------
    callable
        As `theano_answers` returns it.
    """
    import torch
    from torch import nn

    from .torch_baseline import memory_format

    order = memory_format(channels_last)
    module = NETWORKS[network].build_torch().to(memory_format=order).eval()
    cross_entropy = nn.CrossEntropyLoss(reduction="sum")

    def answers(inputs, targets):
        inputs = torch.from_numpy(inputs).to(memory_format=order)
        targets = torch.from_numpy(targets.astype(np.int64))
        loss = hits = 0
        with torch.inference_mode():
            for start in range(0, len(inputs), batch_size):
                logits = module(inputs[start : start + batch_size])
                labels = targets[start : start + batch_size]
                loss += cross_entropy(logits, labels)
                hits += (logits.argmax(1) == labels).sum()
        return loss.item() / len(inputs), hits.item() / len(inputs)

    return answers
