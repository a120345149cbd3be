"""The tutorial's training; `mnist_cnn.training.trainer` does the same with more options."""

import time

import lasagne
import numpy as np
import theano
import theano.tensor as T

from .data import iterate_minibatches, load_dataset
from .model import build_cnn, save_weights
from .storage.atomic import check_writable
from .system.errors import MnistCnnError

__all__ = ["compile_functions", "evaluate", "main"]


def compile_functions(network, input_var, target_var, learning_rate=0.01, momentum=0.9, mode=None):
    """Compile a training step and a measurement.

    Parameters
    ----------
    network, input_var : lasagne Layer, Theano 4D tensor
        The output layer and its input images, (batch, channels, rows, columns).
    target_var : Theano int32 vector
        The true classes.
    learning_rate, momentum : float
        Of stochastic gradient descent with Nesterov momentum (Sutskever et al., ICML 2013).
    mode : theano.Mode, optional

    Returns
    -------
    train_fn, val_fn : Theano functions
        From a batch to its mean cross-entropy in nats and its accuracy in [0, 1]. Only `train_fn` uses
        dropout and changes the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.train import build_cnn, compile_functions
    >>> import theano.tensor as T
    >>> inputs, targets = T.tensor4("inputs"), T.ivector("targets")
    >>> train_fn, val_fn = compile_functions(build_cnn(inputs), inputs, targets)
    >>> loss, accuracy = val_fn(np.zeros((4, 1, 28, 28), np.float32), np.arange(4, dtype=np.int32))
    >>> print("{:.4f}".format(loss))  # a guess among ten classes: log 10 nats
    2.3026
    """
    # Training uses dropout: each step trains another part of the network.
    prediction = lasagne.layers.get_output(network)
    loss = lasagne.objectives.categorical_crossentropy(prediction, target_var).mean()
    accuracy = T.mean(T.eq(T.argmax(prediction, axis=1), target_var), dtype=theano.config.floatX)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.nesterov_momentum(loss, params, learning_rate, momentum)
    train_fn = theano.function([input_var, target_var], [loss, accuracy], updates=updates, mode=mode)

    # Validation uses the whole network, without dropout.
    prediction = lasagne.layers.get_output(network, deterministic=True)
    loss = lasagne.objectives.categorical_crossentropy(prediction, target_var).mean()
    accuracy = T.mean(T.eq(T.argmax(prediction, axis=1), target_var), dtype=theano.config.floatX)
    val_fn = theano.function([input_var, target_var], [loss, accuracy], mode=mode)
    return train_fn, val_fn


def evaluate(val_fn, inputs, targets, batch_size):
    """Measure loss and accuracy over a whole data set, a last, smaller batch included.

    Parameters
    ----------
    val_fn : callable
        From a batch of inputs and targets to their mean loss and accuracy.
    inputs, targets, batch_size : array, array, int
        At least one example.

    Returns
    -------
    loss, accuracy : float

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.train import evaluate
    >>> evaluate(lambda inputs, targets: (inputs.mean(), targets.mean()), np.arange(5.), np.ones(5), 2)
    (2.0, 1.0)
    """
    sums = np.zeros(2)
    for start in range(0, len(inputs), batch_size):
        batch = slice(start, start + batch_size)
        sums += np.multiply(val_fn(inputs[batch], targets[batch]), len(targets[batch]))
    return tuple(sums / len(targets))


def main(model="cnn", batch_size=50, num_epochs=5, seed=None, output="model.npz"):
    """Load MNIST, train, report and save: the tutorial's main function.

    Parameters
    ----------
    model : 'cnn'
    batch_size, num_epochs : int
        Examples in a training step, 1 to 50,000; passes over the training data.
    seed : int, optional
        0 to 2**32 - 1; a run with a seed repeats bit by bit: weights, order of examples and dropout.
    output : path-like, optional
        The npz file for the weights. None saves nothing.

    Returns
    -------
    list of arrays

    Examples
    --------
    >>> from mnist_cnn.train import main
    >>> weights = main(num_epochs=1)  # doctest: +ELLIPSIS
    Loading data...
    ...
    """
    if model != "cnn" or not 1 <= batch_size <= 50000 or num_epochs < 1:
        raise MnistCnnError("main trains the model 'cnn', at least one epoch, in batches of 1 to 50000")
    if output is not None:
        check_writable(output)
    rng = np.random.RandomState(seed)
    lasagne.random.set_rng(rng)

    print("Loading data...")
    X_train, y_train, X_val, y_val, X_test, y_test = dataset = load_dataset()
    print("Building model and compiling functions...")
    input_var, target_var = T.tensor4("inputs"), T.ivector("targets")
    network = build_cnn(input_var)
    train_fn, val_fn = compile_functions(network, input_var, target_var)

    print("Starting training...")
    for epoch in range(num_epochs):
        # a pass over the training data, in random order, and one over the validation data
        start, losses_and_accuracies = time.monotonic(), []
        for inputs, targets in iterate_minibatches(X_train, y_train, batch_size, shuffle=True, rng=rng):
            losses_and_accuracies.append(train_fn(inputs, targets))
        train_loss, train_accuracy = np.mean(losses_and_accuracies, axis=0, dtype=float)
        val_loss, val_accuracy = evaluate(val_fn, X_val, y_val, batch_size)
        print("Epoch {} of {} took {:.3f}s".format(epoch + 1, num_epochs, time.monotonic() - start))
        print("  training loss:\t\t{:.6f}".format(train_loss))
        print("  training accuracy:\t\t{:.2f} %".format(train_accuracy * 100))
        print("  validation loss:\t\t{:.6f}".format(val_loss))
        print("  validation accuracy:\t\t{:.2f} %".format(val_accuracy * 100))
    test_loss, test_accuracy = evaluate(val_fn, X_test, y_test, batch_size)
    print("Final results:")
    print("  test loss:\t\t\t{:.6f}".format(test_loss))
    print("  test accuracy:\t\t{:.2f} %".format(test_accuracy * 100))
    weights = lasagne.layers.get_all_param_values(network)
    if output is not None:
        save_weights(output, weights, dataset.card)
    return weights
