"""The tutorial's training with more settings, engines and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lasagne
import numpy as np
import theano
import theano.tensor as T

from ..data import iterate_minibatches, load_dataset
from ..datasets import dataset_files
from ..datasets.card import describe
from ..datasets.checks import check_arrays
from ..model import build_cnn
from ..storage.atomic import keep_apart
from ..storage.records import checkpoint_path
from ..system.errors import MnistCnnError
from ..system.signals import interrupt, signals
from ..train import evaluate
from .callbacks import Callback, Checkpoint, Report, SaveWeights, Snapshots, StopRequests
from .config import Config, configure
from .distortions import distort
from .ema import decay_of, follow
from .engine import choose_engine
from .focus import Focus
from .state import Training, one_at_a_time

__all__ = ["compile_functions", "train", "main"]


def compile_functions(
    network: lasagne.layers.Layer,
    input_var: theano.Variable,
    target_var: theano.Variable,
    learning_rate: float | theano.Variable,
    momentum: float | theano.Variable,
    averaged: lasagne.layers.Layer | None = None,
    decay: float = 0.0,
    focus: Focus | None = None,
    mode: theano.compile.mode.Mode | None = None,
) -> tuple[Callable, Callable]:
    """Compile the tutorial's training step and measurement, with an average and a focus if given.

    Parameters
    ----------
    network, input_var, target_var, mode
        As for `mnist_cnn.train.compile_functions`.
    learning_rate, momentum : float, or scalar shared variable
        Of stochastic gradient descent with Nesterov momentum.
    averaged, decay
        As for `mnist_cnn.training.ema.follow`; by default there is no average. `val_fn` measures the
        averaged network.
    focus : mnist_cnn.training.focus.Focus, optional
        It stores the loss of each example.

    Returns
    -------
    train_fn, val_fn : Theano functions
        As `mnist_cnn.train.compile_functions` returns them.
    """
    losses, accuracy = _losses_and_accuracy(network, target_var)
    loss = losses.mean()
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.nesterov_momentum(loss, params, learning_rate, momentum)
    if averaged is not None:
        updates = follow(updates, network, averaged, decay)
    if focus is not None:
        updates = focus.remember(updates, losses)
    train_fn = theano.function([input_var, target_var], [loss, accuracy], updates=updates, mode=mode)

    measured = network if averaged is None else averaged
    losses, accuracy = _losses_and_accuracy(measured, target_var, deterministic=True)
    val_fn = theano.function([input_var, target_var], [losses.mean(), accuracy], mode=mode)
    return train_fn, val_fn


def _losses_and_accuracy(network, target_var, **kwargs):
    prediction = lasagne.layers.get_output(network, **kwargs)
    losses = lasagne.objectives.categorical_crossentropy(prediction, target_var)
    accuracy = T.mean(T.eq(T.argmax(prediction, axis=1), target_var), dtype=theano.config.floatX)
    return losses, accuracy


@one_at_a_time
def train(
    dataset: Sequence[np.ndarray], config: Config = Config(), callbacks: Sequence[Callback] = ()
) -> list[np.ndarray]:
    """Train the network.

    With the default settings it is the loop of `mnist_cnn.train.main`, and gives the same weights.

    Parameters
    ----------
    dataset : six arrays
        As `mnist_cnn.data.load_dataset` returns them. They determine the network's image shape and
        number of classes.
    config : Config
    callbacks : sequence of mnist_cnn.training.callbacks.Callback
        For example a report or saved files.

    Returns
    -------
    list of arrays
        The learned parameters, layer by layer: filters (32, channels, 5, 5), biases (32,) and so on.

    Raises
    ------
    MnistCnnError
        When a setting does not fit the data or the machine, or the loss is NaN or infinite.

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.trainer import train
    >>> few = [array[:100] for array in load_dataset()]
    >>> weights = train(few, configure(num_epochs=1, seed=1))
    >>> [array.shape for array in weights]
    [(32, 1, 5, 5), (32,), (32, 32, 5, 5), (32,), (512, 256), (256,), (256, 10), (10,)]
    """
    dataset = check_arrays(dataset)
    card = describe(dataset)
    X_train, y_train, X_val, y_val, X_test, y_test = _prepare(dataset, config)
    run = Training(config, callbacks)
    rng = np.random.RandomState(config.seed)
    lasagne.random.set_rng(rng)

    engine = choose_engine(config.engine, config.device)
    input_var, images, (X_train, X_val, X_test) = engine.place(X_train, X_val, X_test, travel=config.distorted > 0)
    target_var = T.ivector("targets")
    shape, num_classes = card.shape, len(card.classes)
    trained = network = build_cnn(images, config.dropout, shape, num_classes)
    averaged = None
    if config.ema:  # a second network holds the average, and is measured and saved
        network = averaged = build_cnn(images, config.dropout, shape, num_classes)
        lasagne.layers.set_all_param_values(averaged, lasagne.layers.get_all_param_values(trained))
    focus = Focus(len(X_train), config.skip_easy, config.num_epochs) if config.skip_easy else None

    learning_rate = theano.shared(lasagne.utils.floatX(config.learning_rate_at(0)), "learning rate")
    train_fn, val_fn = compile_functions(
        trained,
        input_var,
        target_var,
        learning_rate,
        config.momentum,
        averaged,
        decay_of(config.ema, len(X_train) // config.batch_size),
        focus,
        engine.mode,
    )
    augment = engine.distortions(config.distorted, card.shape[1:])
    engine.compiled(train_fn)
    run.built(engine, network, train_fn, rng, y_train, card)

    with run.under_way():
        for epoch in run.epochs_left:
            if focus is None:
                batches = iterate_minibatches(X_train, y_train, config.batch_size, shuffle=True, rng=rng)
            else:
                batches = focus.minibatches(X_train, y_train, config.batch_size, epoch, rng)
            for inputs, targets in distort(batches, augment, rng):
                learning_rate.set_value(lasagne.utils.floatX(run.learning_rate))
                run.step_done(*train_fn(inputs, targets))
            run.epoch_done(*evaluate(val_fn, X_val, y_val, config.batch_size))
        run.finished()
        run.tested(*evaluate(val_fn, X_test, y_test, config.batch_size))
    return lasagne.layers.get_all_param_values(network)


def _prepare(dataset, config):
    """The six arrays for training, with int32 labels."""
    X_train, y_train, X_val, y_val, X_test, y_test = dataset
    if config.all_data:  # a batch is left to check the loss for NaN; it is not reported
        X_train, y_train = np.concatenate([X_train, X_val]), np.concatenate([y_train, y_val])
        X_val, y_val = X_val[: config.batch_size], y_val[: config.batch_size]
    if config.batch_size > len(X_train):
        raise MnistCnnError(
            "batch_size is {}; it must be from 1 to the number of training examples, {}".format(
                config.batch_size, len(X_train)
            )
        )
    # ivector in Theano, as in the tutorial; the files hold bytes
    y_train, y_val, y_test = (y.astype(np.int32) for y in (y_train, y_val, y_test))
    return X_train, y_train, X_val, y_val, X_test, y_test


def main(
    model: str = "cnn",
    recipe: str = "plain",
    data_dir: Path | str | None = None,
    output: Path | str | None = "model.npz",
    checkpoint: Path | str | None = None,
    resume: bool = False,
    keep_best: bool = False,
    snapshots: bool = False,
    quiet: bool = False,
    dataset: str | None = None,
    **options: Any,
) -> list[np.ndarray]:
    """Load the data, train, report and save: the command ``scripts/train.py``.

    Parameters
    ----------
    model : 'cnn'
    recipe : str
        As for `mnist_cnn.training.config.configure`.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset`.
    output : path-like, optional
        The npz file for the weights, saved after every epoch and on Ctrl-C, with the history beside
        it as CSV. None saves nothing.
    checkpoint : path-like, optional
        The file for the run's whole state, saved after every epoch; by default beside the weights,
        ending in ``.checkpoint``.
    resume : bool
        Whether to resume from the checkpoint; the result is that of an unbroken run to the last bit.
    keep_best : bool
        Whether to save, test and return the weights of the epoch with the best validation
        accuracy, not the last.
    snapshots : bool
        Whether to save the first layer's kernels of every epoch too, beside the weights.
    quiet : bool
        Whether to print nothing but the final results.
    **options
        Fields of `mnist_cnn.training.config.Config`, such as ``num_epochs``.

    Returns
    -------
    list of arrays
        The learned parameters.

    Raises
    ------
    MnistCnnError
        When an option is out of its range, the data or the engine cannot be used, the loss is NaN or
        infinite (files saved before stay), or a file cannot be written (the weights are then saved
        in the system's temporary folder, which the message names).
    Interrupted
        On Ctrl-C or SIGTERM, after the current step and once the weights are saved. It is a
        KeyboardInterrupt.
    """
    if model != "cnn":
        raise MnistCnnError("model is {!r}; it must be 'cnn'".format(model))
    config = configure(recipe, **options)
    if keep_best and config.all_data:
        raise MnistCnnError("keep_best needs a validation set, and all_data trains on it; leave one of them out")
    if output is None and (keep_best or snapshots):
        raise MnistCnnError("keep_best and snapshots need an output; name a file for the weights")
    if checkpoint is None and output is not None:
        checkpoint = checkpoint_path(output)
    if resume and checkpoint is None:
        raise MnistCnnError("resume needs an output or a checkpoint to resume from")

    choose_engine(config.engine, config.device)  # its errors come before those of the data and the files
    callbacks: list[Callback] = []
    if checkpoint is not None:
        callbacks.append(Checkpoint(checkpoint, resume))
    if output is not None:
        callbacks.append(SaveWeights(output, keep_best))
        if snapshots:
            callbacks.append(Snapshots(output))
    keep_apart(dataset_files(data_dir, dataset), [path for callback in callbacks for path in callback.outputs])
    callbacks += [Report(quiet), StopRequests()]
    with signals(interrupt):  # until StopRequests takes over
        if not quiet:
            print("Loading data...")
        return train(load_dataset(data_dir, dataset=dataset), config, callbacks)
