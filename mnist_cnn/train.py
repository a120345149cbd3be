"""Training: Theano functions compiled, the loop, the tutorial's report."""

import contextlib
import csv
import itertools
import signal
import tempfile
import threading
import time
import zlib
from pathlib import Path

import lasagne
import numpy as np
import theano
import theano.tensor as T
from tqdm import tqdm

from . import compat as stack
from .training.checkpoint import HISTORY_FIELDS, Progress, load_checkpoint, save_checkpoint
from .data import iterate_minibatches, load_dataset
from .support.errors import Interrupted, MnistCnnError
from .support.files import atomic_open, check_writable
from .fused import fuse, is_fused, nesterov_momentum
from .model import build_cnn, load_weights, save_weights
from .training.recipe import best
from .support.records import load_snapshots, save_snapshots, snapshots_path

__all__ = ["compile_functions", "evaluate", "history_path", "load_history", "train", "main"]


def compile_functions(network, input_var, target_var, learning_rate=0.01, momentum=0.9,
                      average=None, decay=None):
    """Compile a training step and a measurement.

    Parameters
    ----------
    network : lasagne Layer
        The output layer: class probabilities, (batch, classes).
    input_var : Theano 4D tensor
        The network's input, (batch, 1, 28, 28).
    target_var : Theano int32 vector
        The true classes, (batch,).
    learning_rate, momentum : float, or scalar shared variable
        Of stochastic gradient descent with Nesterov momentum [1]_.
    average : lasagne Layer, optional
        A network of the same shape whose parameters follow those of `network`, as the exponential
        moving average over the steps [2]_; `val_fn` measures it then. `network` itself trains as it
        would without.
    decay : float
        What a step leaves of that average, in [0, 1): it remembers about 1 / (1 - decay) steps.

    Returns
    -------
    train_fn, val_fn : Theano functions
        Each takes inputs and targets and returns the mean cross-entropy in nats and the accuracy
        in [0, 1]. `train_fn` goes through dropout and takes a step; `val_fn` does neither.

    References
    ----------
    .. [1] I. Sutskever, J. Martens, G. Dahl, G. Hinton: On the importance of initialization and
       momentum in deep learning. ICML 2013.
    .. [2] B. T. Polyak, A. B. Juditsky: Acceleration of stochastic approximation by averaging.
       SIAM Journal on Control and Optimization 30, 1992.
    """
    def loss_and_accuracy(network, **kwargs):
        prediction = lasagne.layers.get_output(network, **kwargs)
        loss = lasagne.objectives.categorical_crossentropy(prediction, target_var).mean()
        accuracy = T.mean(T.eq(T.argmax(prediction, axis=1), target_var),
                          dtype=theano.config.floatX)
        return loss, accuracy

    loss, accuracy = loss_and_accuracy(network)
    params = lasagne.layers.get_all_params(network, trainable=True)
    nesterov = nesterov_momentum if is_fused(network) else lasagne.updates.nesterov_momentum
    updates = nesterov(loss, params, learning_rate, momentum)
    if average is not None:
        means = lasagne.layers.get_all_params(average, trainable=True)
        updates.update((mean, mean + (1 - decay) * (updates[param] - mean))
                       for param, mean in zip(params, means))
    # Theano frees every array after use by default; to ask the system for the same ones again takes
    # a fifth of a step.
    mode = theano.compile.get_default_mode().clone({"allow_gc": False})
    train_fn = theano.function([input_var, target_var], [loss, accuracy], updates=updates,
                               mode=mode)

    # Deterministic: validation sees the whole network, without dropout.
    val_fn = theano.function([input_var, target_var], loss_and_accuracy(
        network if average is None else average, deterministic=True), mode=mode)
    return train_fn, val_fn


def keep_on_device(*parts):
    """Move images to Theano's device, to be used by index.

    Parameters
    ----------
    *parts : float32 arrays
        Images, (n, 1, 28, 28).

    Returns
    -------
    images : Theano 4D tensor
        Those that the indices name, (batch, 1, 28, 28).
    indices : Theano int64 vector
        The input of functions on `images`, (batch,).
    indices_of_parts : list of int64 arrays
        For each part its indices, which take its place.
    """
    indices = T.lvector("indices")
    images = theano.shared(np.concatenate(parts), "images")[indices]
    numbers = np.arange(sum(map(len, parts)))
    return images, indices, np.split(numbers, np.cumsum([len(part) for part in parts[:-1]]))


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
    """
    sums = np.zeros(2)
    for start in range(0, len(inputs), batch_size):
        batch = slice(start, start + batch_size)
        sums += np.multiply(val_fn(inputs[batch], targets[batch]), len(targets[batch]))
    return tuple(sums / len(targets))


def _run_epoch(train_fn, inputs, targets, batch_size, rng, run, check, bar, set_rate, augment):
    """Go on with a pass over the training data to its end; `run` notes each batch."""
    total = len(inputs) // batch_size
    # a batch's distortions depend on the seed, the epoch and the batch alone: a resumed run makes
    # the same ones
    key = rng.randint(2 ** 32, size=4, dtype=np.uint32) if augment else None
    batches = enumerate(iterate_minibatches(inputs, targets, batch_size, shuffle=True, rng=rng))
    with tqdm(total=total, initial=run.batches, unit="batch", leave=False,
              disable=None if bar else True) as progress_bar:
        now = time.time()
        for number, (images, labels) in itertools.islice(batches, run.batches, None):
            check()
            set_rate(len(run.history) + number / total)
            if augment:
                images = augment(images, np.random.default_rng([*key, number]))
            err, acc = train_fn(images, labels)
            if not np.isfinite(err):
                raise MnistCnnError(
                    "the training loss became {}: the learning rate is too high for this data and "
                    "batch size; try a tenth of it".format(err))
            run.batches += 1
            before, now = now, time.time()
            run.sums += err, acc, now - before
            progress_bar.update()


@contextlib.contextmanager
def _stop_requests():
    """Note Ctrl-C and SIGTERM instead of raising amid a step, which would be torn in two.

    Yields
    ------
    callable
        Raises `Interrupted` if a signal has come. A second Ctrl-C raises by itself.
    """
    received = []

    def note(signum, frame):
        if received:
            raise Interrupted(signum)
        received.append(signum)

    def check():
        if received:
            raise Interrupted(received[0])

    handlers = {}
    if threading.current_thread() is threading.main_thread():  # no other may set them
        for signum in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(signum) != signal.SIG_IGN:  # nohup and the like stay in force
                handlers[signum] = signal.signal(signum, note)
    try:
        yield check
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def history_path(output):
    """The CSV file that goes beside a file of weights."""
    return Path(output).with_suffix(".csv")


def load_history(output):
    """Read the history that `train` saved beside a file of weights.

    Parameters
    ----------
    output : path-like
        The file of the weights.

    Returns
    -------
    structured array
        A record an epoch: ``epoch``, ``seconds``, ``training_loss`` and ``validation_loss`` in
        nats, ``training_accuracy`` and ``validation_accuracy`` in [0, 1].

    Raises
    ------
    MnistCnnError
        When the file cannot be read or is no history.
    """
    path = history_path(output)
    try:
        with open(path, newline="") as file:
            header, *rows = csv.reader(file)
        if tuple(header) != HISTORY_FIELDS:
            raise ValueError
        return np.array([tuple(map(float, row)) for row in rows],
                        dtype=[(name, float) for name in HISTORY_FIELDS])
    except OSError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror)) from error
    except ValueError as error:
        raise MnistCnnError("{} is no history that train.py saved; remove it to draw the other "
                            "pictures".format(path)) from error


def _save(output, network, history):
    """Write the weights, and the history as CSV beside them."""
    save_weights(output, lasagne.layers.get_all_param_values(network))
    with atomic_open(history_path(output), "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HISTORY_FIELDS)
        writer.writerows(history)


@contextlib.contextmanager
def _saved_elsewhere(network):
    """Where saving in the block fails, save the weights in the system's temporary folder."""
    try:
        yield
    except MnistCnnError as error:
        folder = Path(tempfile.gettempdir())
        fallback = folder / "mnist_cnn-{:x}.npz".format(time.time_ns())
        try:
            save_weights(fallback, lasagne.layers.get_all_param_values(network))
        except MnistCnnError:
            raise MnistCnnError("{}; nor could the weights be saved in {}".format(
                error, folder)) from error
        raise MnistCnnError("{}; the weights so far are in {}".format(error, fallback)) from error


def train(dataset, batch_size=500, num_epochs=500, learning_rate=0.01, momentum=0.9, seed=None,
          output=None, checkpoint=None, resume=False, keep_best=False, quiet=False, fused=True,
          snapshots=False, augment=None, average=None, all_data=False, dropout=0.5):
    """Train the network and print the tutorial's report.

    Parameters
    ----------
    dataset : six arrays
        As `mnist_cnn.data.load_dataset` returns them.
    batch_size : int
        Examples a step. An epoch drops a last, smaller batch; validation and test count it.
    num_epochs : int
        Passes over the training data.
    learning_rate : float or callable
        The step size of gradient descent; or a schedule: a function from the epochs done so far,
        a float, to that.
    momentum : float
        Nesterov's.
    seed : int, optional
        Makes a run on the CPU repeat to the last bit: weights, order of examples, dropout.
    output : path-like, optional
        The npz file to save the weights in after every epoch, with the history beside it as CSV.
    checkpoint : path-like, optional
        The file to save the run's whole state in after every epoch and on Ctrl-C or SIGTERM.
    resume : bool
        Whether to go on from that file: to the last bit what would have come without the break.
    keep_best : bool
        Whether to save, test and return the weights of the epoch with the best validation
        accuracy instead of the last.
    quiet : bool
        Whether to print nothing but the final results.
    fused : bool
        Whether to train through `mnist_cnn.fused.fuse`, several times as fast where it applies;
        False takes the plain Lasagne network.
    snapshots : bool
        Whether to save the first layer's kernels before training and after each epoch too, beside
        the weights.
    augment : callable, optional
        Distorts the training images anew each time they are seen: a function from a batch,
        float32 (batch_size, 1, 28, 28), and a `numpy.random.Generator` to as many images.
    average : float, optional
        Measure, save and return an exponential moving average of the weights instead of the
        last ones; the number of epochs that it remembers.
    all_data : bool
        Whether to train on the validation digits too. Their accuracy says nothing then, and the
        report says so.
    dropout : float
        As for `mnist_cnn.model.build_cnn`.

    Returns
    -------
    list of arrays
        The learned parameters: filters (32, 1, 5, 5), their biases (32,), and so on through the
        layers.

    Raises
    ------
    MnistCnnError
        When a value is out of its range, the loss stops being a number (what was saved before
        stays), or a file cannot be written (the weights are then saved elsewhere, as its text
        says).
    Interrupted
        On Ctrl-C or SIGTERM, after the batch under way, once everything is saved. It is a
        KeyboardInterrupt.
    """
    X_train, y_train, X_val, y_val, X_test, y_test = dataset
    if not 1 <= batch_size <= len(X_train):
        raise MnistCnnError("the batch size is {}; it must be from 1 to the number of training "
                            "examples, {}".format(batch_size, len(X_train)))
    if num_epochs < 1:
        raise MnistCnnError("the number of epochs is {}; it must be at least 1".format(num_epochs))
    if keep_best and output is None:
        raise MnistCnnError("keep_best needs an output to keep the best weights in")
    if keep_best and all_data:
        raise MnistCnnError("keep_best has nothing to choose the best epoch by where all_data "
                            "trains on the validation digits")
    if snapshots and output is None:
        raise MnistCnnError("snapshots need an output to lie beside")
    if resume and not (checkpoint and Path(checkpoint).is_file()):
        raise MnistCnnError("there is no checkpoint {} to go on from".format(checkpoint))
    for path in (output, checkpoint, snapshots_path(output) if snapshots else None):
        if path is not None:
            check_writable(path)
    report = (lambda line: None) if quiet else print

    rng = np.random.RandomState(seed)
    lasagne.random.set_rng(rng)
    if all_data:
        X_train, y_train = np.concatenate([X_train, X_val]), np.concatenate([y_train, y_val])
    # ivector in Theano, as in the tutorial; the files hold bytes
    y_train, y_val, y_test = (y.astype(np.int32) for y in (y_train, y_val, y_test))

    report("Building model and compiling functions...")
    if stack.compile_cache_is_empty():
        report("  (Theano compiles C++ for this machine, once: about half a minute)")
    input_var = images = T.tensor4("inputs")
    target_var = T.ivector("targets")
    if stack.on_device():
        report("  (on {})".format(stack.device_parts["device"]))
        if augment is None:  # distorted images are new ones, and travel
            # The images move there once, and a batch is its indices: a transfer of 400 bytes.
            images, input_var, (X_train, X_val, X_test) = keep_on_device(X_train, X_val, X_test)

    def build():
        plain = build_cnn(images, dropout)
        return plain, fuse(plain) if fused else plain  # one set of parameters

    network, trained = build()
    averaged, decay = None, None
    if average is not None:  # measured and saved is another network, which follows the trained one
        network, averaged = build()
        lasagne.layers.set_all_param_values(network, lasagne.layers.get_all_param_values(trained))
        decay = 1 - 1 / max(1., average * (len(X_train) // batch_size))
    schedule = learning_rate if callable(learning_rate) else lambda epoch: learning_rate
    rate = theano.shared(np.asarray(schedule(0), theano.config.floatX), "learning rate")
    train_fn, val_fn = compile_functions(trained, input_var, target_var, rate, momentum,
                                         averaged, decay)
    stack.require_on_device(train_fn)

    def set_rate(epoch):
        rate.set_value(np.asarray(schedule(epoch), rate.dtype))

    settings = {"batch size": batch_size, "learning rate": learning_rate, "momentum": momentum,
                "path (1 fused, 0 plain)": is_fused(trained),
                "number of training examples": len(X_train),
                "data set (checksum of its labels)": zlib.crc32(y_train.tobytes())}
    if callable(learning_rate):
        settings["learning rate"] = max(map(schedule, np.linspace(0, num_epochs, 1001)))
        settings = {"number of epochs": num_epochs, **settings}  # matters from the first step
    if dropout != .5:
        settings["dropout"] = dropout
    if augment or average is not None:
        settings.update({"distortion (1 with, 0 without)": augment is not None,
                         "number of epochs to average over": average or 0})
    if resume:
        run = load_checkpoint(checkpoint, train_fn, settings)
        report("Going on from {}, in epoch {}".format(checkpoint, len(run.history) + 1))
    else:
        run = Progress(rng.get_state())

    kernels = lasagne.layers.get_all_params(network)[0]
    taken = {}  # an epoch to the kernels then
    if snapshots and resume and snapshots_path(output).exists():
        taken = dict(zip(*load_snapshots(output, kernels.get_value().shape)))
        taken = {epoch: array for epoch, array in taken.items() if epoch <= len(run.history)}
    if not run.batches:
        taken.setdefault(len(run.history), kernels.get_value())

    def save():
        """Save what is asked for, of the state as it is."""
        with _saved_elsewhere(network):
            if checkpoint is not None:
                save_checkpoint(checkpoint, train_fn, settings, run)
            accuracies = [record[-1] for record in run.history]
            if output is not None and not (
                    keep_best and accuracies and (run.batches or accuracies[-1] < max(accuracies))):
                _save(output, network, run.history)
            if snapshots:
                # an epoch that is broken off counts, since the weights may be of then
                taken[len(run.history) + bool(run.batches)] = kernels.get_value()
                save_snapshots(output, taken)

    if all_data:
        report("Training on all {} digits: the validation digits are among them, and accuracy on "
               "them says nothing".format(len(X_train)))
    remark = " (trained on)" if all_data else ""
    report("Starting training...")
    with _stop_requests() as check:
        def measure(inputs, targets):
            check()
            return val_fn(inputs, targets)

        try:
            for epoch in range(len(run.history) + 1, num_epochs + 1):
                rng.set_state(run.order)
                _run_epoch(train_fn, X_train, y_train, batch_size, rng, run, check, not quiet,
                           set_rate, augment)
                start_time = time.time()
                val_err, val_acc = evaluate(measure, X_val, y_val, batch_size)
                train_err, train_acc, seconds = run.sums / (run.batches, run.batches, 1)
                seconds += time.time() - start_time
                run.history.append((epoch, seconds, train_err, train_acc, val_err, val_acc))
                run.start_epoch(rng.get_state())
                save()
                report("Epoch {} of {} took {:.3f}s".format(epoch, num_epochs, seconds))
                report("  training loss:\t\t{:.6f}".format(train_err))
                report("  training accuracy:\t\t{:.2f} %".format(train_acc * 100))
                report("  validation loss:\t\t{:.6f}{}".format(val_err, remark))
                report("  validation accuracy:\t\t{:.2f} %{}".format(val_acc * 100, remark))
            if keep_best:
                load_weights(output, network)
            test_err, test_acc = evaluate(measure, X_test, y_test, batch_size)
        except Interrupted:
            save()
            report("Interrupted in epoch {}; saved: {}".format(
                len(run.history) + 1, ", ".join(str(p) for p in (output, checkpoint) if p)
                or "nothing"))
            raise

    print("Final results:")
    print("  test loss:\t\t\t{:.6f}".format(test_err))
    print("  test accuracy:\t\t{:.2f} %".format(test_acc * 100))
    return lasagne.layers.get_all_param_values(network)


def main(model="cnn", batch_size=500, num_epochs=500, data_dir=None, recipe="plain", **options):
    """Load the data and train: the tutorial's main function.

    Parameters
    ----------
    model : str
        'cnn', the tutorial's only one.
    batch_size, num_epochs : int
        As for `train`.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`.
    recipe : str
        'plain', the tutorial's, or 'best', that of `mnist_cnn.training.recipe.best`.
    **options
        As for `train`, or for `mnist_cnn.training.recipe.best`.

    Returns
    -------
    list of arrays
        The learned parameters.

    Raises
    ------
    MnistCnnError, Interrupted
        As `load_dataset` and `train` do.
    """
    if model != "cnn":
        raise MnistCnnError("the model is {!r}; there is one, 'cnn'".format(model))
    if recipe not in ("plain", "best"):
        raise MnistCnnError("the recipe is {!r}; it must be 'plain' or 'best'".format(recipe))
    if recipe == "best":
        options = best(num_epochs, **options)
    if not options.get("quiet"):
        print("Loading data...")
    return train(load_dataset(data_dir), batch_size, num_epochs, **options)
