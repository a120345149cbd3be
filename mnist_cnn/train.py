"""Training, as the tutorial does it: loss, updates, two compiled functions, and the loop."""

import lasagne
import numpy as np
import theano
import theano.tensor as T

from .data import dataset_files, iterate_minibatches, load_dataset
from .datasets.checks import check_arrays
from .model import build_cnn
from .support.about import about_of
from .support.errors import MnistCnnError, interrupt, signals
from .support.files import keep_apart
from .support.records import checkpoint_path
from .training.augment import distort
from .training.callbacks import Checkpoint, Report, SaveWeights, Snapshots, StopRequests
from .training.config import Config, configure
from .training.ema import decay_of, ema_updates
from .training.engine import choose_engine
from .training.focus import Focus
from .training.run import Run, one_at_a_time

__all__ = ["compile_functions", "evaluate", "train", "main"]


def compile_functions(network, input_var, target_var, learning_rate=0.01, momentum=0.9,
                      averaged=None, decay=None, focus=None, mode=None):
    """Compile a training step and a measurement.

    Parameters
    ----------
    network : lasagne Layer
        The output layer: class probabilities, (batch, classes).
    input_var : Theano 4D tensor
        The network's input, (batch, channels, rows, columns).
    target_var : Theano int32 vector
        The true classes, (batch,).
    learning_rate, momentum : float, or scalar shared variable
        Of stochastic gradient descent with Nesterov momentum [1]_.
    averaged : lasagne Layer, optional
        A network of the same shape, which follows `network` as an exponential moving average
        (`mnist_cnn.training.ema`). `val_fn` measures it then.
    decay : float
        What a step leaves of that average, in [0, 1).
    focus : mnist_cnn.training.focus.Focus, optional
        What keeps the loss of each example, to choose the next ones by.
    mode : theano.Mode, optional
        How Theano compiles; as its settings say if not given.

    Returns
    -------
    train_fn, val_fn : Theano functions
        Each takes inputs and targets and returns the mean cross-entropy in nats and the accuracy
        in [0, 1]. `train_fn` goes through dropout and takes a step; `val_fn` does neither.

    References
    ----------
    .. [1] I. Sutskever, J. Martens, G. Dahl, G. Hinton: On the importance of initialization and
       momentum in deep learning. ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.train import compile_functions
    >>> import lasagne
    >>> import theano.tensor as T
    >>> inputs, targets = T.tensor4("inputs"), T.ivector("targets")
    >>> layer = lasagne.layers.InputLayer((None, 1, 2, 2), inputs)
    >>> network = lasagne.layers.DenseLayer(
    ...     layer, 2, W=lasagne.init.Constant(0), nonlinearity=lasagne.nonlinearities.softmax)
    >>> train_fn, val_fn = compile_functions(network, inputs, targets, learning_rate=.1)
    >>> batch = np.ones((4, 1, 2, 2), np.float32), np.ones(4, np.int32)
    >>> loss, accuracy = val_fn(*batch)  # a guess between two classes: log 2 nats
    >>> print("{:.4f}".format(loss))
    0.6931
    >>> loss, accuracy = train_fn(*batch)
    >>> val_fn(*batch)[0] < loss
    True
    """
    # Training goes through dropout: each step trains another part of the network.
    losses, accuracy = _losses_and_accuracy(network, target_var)
    loss = losses.mean()
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.nesterov_momentum(loss, params, learning_rate, momentum)
    if averaged is not None:
        updates.update(ema_updates(updates, network, averaged, decay))
    if focus is not None:
        updates.update(focus.updates(losses))

    # Validation sees the whole network, without dropout.
    measured = network if averaged is None else averaged
    val_losses, val_accuracy = _losses_and_accuracy(measured, target_var, deterministic=True)

    train_fn = theano.function([input_var, target_var], [loss, accuracy], updates=updates,
                               mode=mode)
    val_fn = theano.function([input_var, target_var], [val_losses.mean(), val_accuracy],
                             mode=mode)
    return train_fn, val_fn


def _losses_and_accuracy(network, target_var, **kwargs):
    prediction = lasagne.layers.get_output(network, **kwargs)
    losses = lasagne.objectives.categorical_crossentropy(prediction, target_var)
    accuracy = T.mean(T.eq(T.argmax(prediction, axis=1), target_var), dtype=theano.config.floatX)
    return losses, accuracy


def evaluate(val_fn, inputs, targets, batch_size):
    """Loss and accuracy over a whole data set.

    Parameters
    ----------
    val_fn : callable
        Takes a batch of inputs and targets; returns their mean loss and accuracy.
    inputs, targets : arrays
        At least one example. All count alike, those of a last, smaller batch as well.
    batch_size : int
        Examples in a batch.

    Returns
    -------
    loss, accuracy : float
        Means over the examples.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.train import evaluate
    >>> val_fn = lambda inputs, targets: (inputs.mean(), np.mean(targets == 1))
    >>> evaluate(val_fn, np.arange(5.), np.array([1, 1, 1, 0, 0]), batch_size=2)
    (2.0, 0.6)
    """
    sums = np.zeros(2)
    for start in range(0, len(inputs), batch_size):
        batch = slice(start, start + batch_size)
        sums += np.multiply(val_fn(inputs[batch], targets[batch]), len(targets[batch]))
    return tuple(sums / len(targets))


@one_at_a_time
def train(dataset, config=Config(), callbacks=()):
    """Train the network.

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
        When a setting does not go with the data or the machine, or the loss is no number any more.

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset
    >>> from mnist_cnn.train import train
    >>> from mnist_cnn.training.config import configure
    >>> few = [array[:100] for array in load_dataset()]
    >>> weights = train(few, configure(num_epochs=1, seed=1))
    >>> [array.shape for array in weights]
    [(32, 1, 5, 5), (32,), (32, 32, 5, 5), (32,), (512, 256), (256,), (256, 10), (10,)]
    """
    dataset = check_arrays(dataset)
    about = about_of(dataset)
    X_train, y_train, X_val, y_val, X_test, y_test = _prepare(dataset, config)
    run = Run(config, callbacks)
    rng = np.random.RandomState(config.seed)
    lasagne.random.set_rng(rng)

    engine = choose_engine(config.engine, config.device)
    input_var, images, (X_train, X_val, X_test) = engine.place(
        X_train, X_val, X_test, travel=config.distorted > 0)
    target_var = T.ivector("targets")
    shape, num_classes = about.shape, len(about.classes)
    trained = network = build_cnn(images, config.dropout, shape, num_classes)
    averaged = decay = None
    if config.ema:  # what is measured and saved is a second network, which follows the first
        network = averaged = build_cnn(images, config.dropout, shape, num_classes)
        lasagne.layers.set_all_param_values(network, lasagne.layers.get_all_param_values(trained))
        decay = decay_of(config.ema, len(X_train) // config.batch_size)
    focus = None
    if config.skip_easy:  # hard digits come more often
        focus = Focus(len(X_train), config.skip_easy, config.num_epochs)

    learning_rate = theano.shared(lasagne.utils.floatX(config.learning_rate_at(0)), "learning rate")
    train_fn, val_fn = compile_functions(trained, input_var, target_var, learning_rate,
                                         config.momentum, averaged, decay, focus, engine.mode)
    augment = engine.distortions(config.distorted, shape[1:])
    engine.compiled(train_fn)
    run.built(engine, network, train_fn, rng, y_train, about)

    with run.under_way():
        for epoch in run.epochs_left:
            if focus is None:
                batches = iterate_minibatches(X_train, y_train, config.batch_size, shuffle=True,
                                              rng=rng)
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
        X_val, y_val = X_val[:config.batch_size], y_val[:config.batch_size]
    if config.batch_size > len(X_train):
        raise MnistCnnError("batch_size is {}; it must be from 1 to the number of training "
                            "examples, {}".format(config.batch_size, len(X_train)))
    # ivector in Theano, as in the tutorial; the files hold bytes
    y_train, y_val, y_test = (y.astype(np.int32) for y in (y_train, y_val, y_test))
    return X_train, y_train, X_val, y_val, X_test, y_test


def main(model="cnn", recipe="plain", data_dir=None, output="model.npz", checkpoint=None,
         resume=False, keep_best=False, snapshots=False, quiet=False, dataset=None, **options):
    """Load the data, train, report and save: the tutorial's main function.

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
        When an option is out of its range, the data or the engine cannot be used, the loss is no
        number any more (what was saved before stays), or a file cannot be written (the weights are
        then saved elsewhere, as its text says).
    Interrupted
        On Ctrl-C or SIGTERM, after the step under way, once the weights are saved. It is a
        KeyboardInterrupt.

    Examples
    --------
    >>> from mnist_cnn.train import main
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
        raise MnistCnnError("keep_best has nothing to choose the best epoch by where all_data "
                            "trains on the validation digits")
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
    keep_apart(dataset_files(data_dir, dataset),
               [path for callback in callbacks for path in callback.outputs])
    callbacks += [Report(quiet), StopRequests()]
    with signals(interrupt):  # SIGTERM too ends the start in good order; then StopRequests takes over
        if not quiet:
            print("Loading data...")
        return train(load_dataset(data_dir, dataset=dataset), config, callbacks)
