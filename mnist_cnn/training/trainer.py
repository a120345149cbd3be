"""The tutorial's training with all that may be added to it: settings, an engine, callbacks."""

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
from .callbacks import Checkpoint, Report, SaveWeights, Snapshots, StopRequests
from .config import Config, configure
from .distortions import distort
from .ema import decay_of, follow
from .engine import choose_engine
from .focus import Focus
from .state import Training, one_at_a_time

__all__ = ["compile_functions", "train", "main"]


def compile_functions(
    network, input_var, target_var, learning_rate, momentum, averaged=None, decay=None, focus=None, mode=None
):
    """Compile the tutorial's training step and measurement, with an average and a focus where there are such.

    Parameters
    ----------
    network, input_var, target_var, mode
        As for `mnist_cnn.train.compile_functions`.
    learning_rate, momentum : float, or scalar shared variable
        Of stochastic gradient descent with Nesterov momentum.
    averaged : lasagne Layer, optional
        A network of the same shape that follows `network` (`mnist_cnn.training.ema`). It is measured then.
    decay : float
        What a step leaves of that average, in [0, 1).
    focus : mnist_cnn.training.focus.Focus, optional
        What keeps the loss of each example.

    Returns
    -------
    train_fn, val_fn : Theano functions
        As `mnist_cnn.train.compile_functions` returns them.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn
    >>> from mnist_cnn.training.trainer import compile_functions
    >>> import theano.tensor as T
    >>> inputs, targets = T.tensor4("inputs"), T.ivector("targets")
    >>> network, averaged = build_cnn(inputs), build_cnn(inputs)
    >>> train_fn, val_fn = compile_functions(network, inputs, targets, .01, .9, averaged, decay=.99)
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
def train(dataset, config=Config(), callbacks=()):
    """Train the network.

    With the default settings it is the loop of `mnist_cnn.train.main`, and gives the same weights.

    Parameters
    ----------
    dataset : six arrays
        As `mnist_cnn.data.load_dataset` returns them; the network takes its shape and its classes
        from them.
    config : Config
        The settings.
    callbacks : sequence of mnist_cnn.training.callbacks.Callback
        What the run does besides: report, save, stop.

    Returns
    -------
    list of arrays
        The learned parameters: filters (32, channels, 5, 5), their biases (32,), and so on through
        the layers.

    Raises
    ------
    MnistCnnError
        When a setting does not go with the data or the machine, or the loss is NaN or infinite.

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
    if config.ema:  # what is measured and saved is a second network, which follows the first
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
    """The six arrays as they are trained on."""
    X_train, y_train, X_val, y_val, X_test, y_test = dataset
    if config.all_data:  # a batch still tells whether the loss is a number, and is not reported
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
    model="cnn",
    recipe="plain",
    data_dir=None,
    output="model.npz",
    checkpoint=None,
    resume=False,
    keep_best=False,
    snapshots=False,
    quiet=False,
    dataset=None,
    **options,
):
    """Load the data, train, report and save: what ``scripts/train.py`` does.

    Parameters
    ----------
    model : str
        'cnn', the tutorial's only one.
    recipe : str
        As for `mnist_cnn.training.config.configure`.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset`.
    output : path-like, optional
        The npz file to save the weights in after every epoch and on Ctrl-C, with the history
        beside it as CSV. None saves nothing.
    checkpoint : path-like, optional
        The file to save the run's whole state in after every epoch; by default beside the weights,
        ending in ``.checkpoint``.
    resume : bool
        Whether to go on from the checkpoint: to the last bit what would have come without the
        break.
    keep_best : bool
        Whether to save, test and return the weights of the epoch with the best validation
        accuracy, not the last.
    snapshots : bool
        Whether to save the first layer's kernels of every epoch too, beside the weights.
    quiet : bool
        Whether to print nothing but the final results.
    **options
        The fields of `mnist_cnn.training.config.Config`: ``num_epochs``, ``batch_size``, ``seed``
        and so on.

    Returns
    -------
    list of arrays
        The learned parameters.

    Raises
    ------
    MnistCnnError
        When an option is out of its range, the data or the engine cannot be used, the loss is NaN
        or infinite (what was saved before stays), or a file cannot be written (the weights are
        then saved elsewhere, as its text says).
    Interrupted
        On Ctrl-C or SIGTERM, after the step under way, once the weights are saved. It is a
        KeyboardInterrupt.

    Examples
    --------
    >>> from mnist_cnn.training.trainer import main
    >>> weights = main(num_epochs=1, output=None, quiet=True)  # doctest: +ELLIPSIS
    Final results:
      test loss:...
      test accuracy:...%
    >>> weights[0].shape
    (32, 1, 5, 5)
    """
    if model != "cnn":
        raise MnistCnnError("model is {!r}; there is one, 'cnn'".format(model))
    config = configure(recipe, **options)
    if keep_best and config.all_data:
        raise MnistCnnError(
            "keep_best has nothing to choose the best epoch by where all_data trains on the validation digits"
        )
    if output is None and (keep_best or snapshots):
        raise MnistCnnError("keep_best and snapshots need an output to lie beside")
    if checkpoint is None and output is not None:
        checkpoint = checkpoint_path(output)
    if resume and checkpoint is None:
        raise MnistCnnError("resume needs an output or a checkpoint to go on from")

    choose_engine(config.engine, config.device)  # what cannot be used is said before all else

    callbacks = []
    if checkpoint is not None:
        callbacks.append(Checkpoint(checkpoint, resume))
    if output is not None:
        callbacks.append(SaveWeights(output, keep_best))
    if snapshots:
        callbacks.append(Snapshots(output))
    keep_apart(dataset_files(data_dir, dataset), [path for callback in callbacks for path in callback.outputs])
    callbacks += [Report(quiet), StopRequests()]
    with signals(interrupt):  # SIGTERM too ends the start in good order; then StopRequests takes over
        if not quiet:
            print("Loading data...")
        return train(load_dataset(data_dir, dataset=dataset), config, callbacks)
