"""Speed of a network that answers: loss and accuracy of a data set, and the same in PyTorch."""

import numpy as np
import theano.tensor as T

from ..train import compile_functions, evaluate
from ..training.engine import choose_engine
from .networks import NETWORKS

__all__ = ["theano_answers", "torch_answers"]


def theano_answers(batch_size, examples=(), engine="auto", network="tutorial"):
    """Make what measures a network on a data set, batch by batch.

    Parameters
    ----------
    batch_size : int
        Examples in a batch.
    examples : sequence of (images, labels)
        Mini-batches to train it on first: how many zeros it meets depends on what it has learned.
    engine : str
        As in `mnist_cnn.training.config.Config`.
    network : str
        Its name in `mnist_cnn.benchmarks.networks`.

    Returns
    -------
    callable
        Takes images float32 (n, channels, rows, columns) and labels int32 (n,); returns loss and
        accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.benchmarks.answers import theano_answers
    >>> answers = theano_answers(batch_size=2)
    >>> loss, accuracy = answers(np.zeros((5, 1, 28, 28), np.float32), np.zeros(5, np.int32))
    >>> print("{:.4f}".format(loss))  # an even guess among ten classes: log 10 nats
    2.3026
    """
    input_var, target_var = T.tensor4("inputs"), T.ivector("targets")
    train_fn, val_fn = compile_functions(
        NETWORKS[network].build(input_var), input_var, target_var, mode=choose_engine(engine).mode
    )
    for inputs, targets in examples:
        train_fn(inputs, targets)
    return lambda inputs, targets: evaluate(val_fn, inputs, targets, batch_size)


def torch_answers(batch_size, channels_last, network="tutorial"):
    """The same network in PyTorch, in evaluation and inference mode, on the CPU.

    Parameters
    ----------
    batch_size, network
        As for `theano_answers`.
    channels_last : bool
        Whether the convolutions' data and weights lie in the order (batch, row, column, channel).

    Returns
    -------
    callable
        As `theano_answers` gives.

    Examples
    --------
    With PyTorch, which this package does without:

    >>> import numpy as np
    >>> from mnist_cnn.benchmarks.answers import torch_answers
    >>> answers = torch_answers(2, channels_last=True)  # doctest: +SKIP
    >>> images, labels = np.zeros((5, 1, 28, 28), np.float32), np.zeros(5, np.int32)
    >>> loss, accuracy = answers(images, labels)  # doctest: +SKIP
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
