"""MNIST as the tutorial loads it, other data sets beside it, and mini-batches."""

import numpy as np

from .datasets import dataset_files, load
from .datasets.card import Dataset, require_same_data
from .datasets.idx import read_idx
from .datasets.mnist import DIGESTS, PACKAGED
from .system.errors import MnistCnnError

__all__ = ["load_dataset", "load_dataset_of", "dataset_files", "iterate_minibatches"]

NUM_VALIDATION = 10000


def load_dataset(data_dir=None, base_urls=None, dataset=None):
    """Load MNIST, or another data set.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder or file with a data set in any format of `mnist_cnn.datasets`. MNIST, or the data set
        that `dataset` names, is downloaded into an empty folder. By default the package's copy of MNIST,
        or a folder in the user's cache for other names.
    base_urls : sequence of str, optional
        Addresses to download from, tried in turn; by default the published ones.
    dataset : str, optional
        A name in ``mnist_cnn.datasets.DATASETS``, such as 'fashion-mnist' or 'cifar10'. By default the
        folder's data set, or MNIST.

    Returns
    -------
    X_train, y_train, X_val, y_val, X_test, y_test : arrays
        Images, float32 of shape (n, channels, rows, columns) in [0, 255/256], and labels, uint8 of
        shape (n,). The last 10,000 training examples are held out for validation, or the last sixth of
        at most 10,000, unless the data have a validation part. The tuple is a
        `mnist_cnn.datasets.card.Dataset`, whose ``card`` describes the data.

    Raises
    ------
    MnistCnnError
        When the name is unknown, or files are missing, cannot be downloaded or are damaged.

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset
    >>> X_train, y_train, X_val, y_val, X_test, y_test = load_dataset()
    >>> X_train.shape, X_val.shape, X_test.shape
    ((50000, 1, 28, 28), (10000, 1, 28, 28), (10000, 1, 28, 28))
    >>> y_train[:5]
    array([5, 0, 4, 1, 9], dtype=uint8)
    """
    if not (data_dir is None and dataset in (None, "mnist")):
        return load(dataset, data_dir, base_urls)

    X_train, y_train, X_test, y_test = (read_idx(PACKAGED / (name + ".gz")) for name in DIGESTS)

    # Theano needs (examples, channels, rows, columns). Pixels are in [0, 255/256], as in the older
    # mnist.pkl.gz, on which published results are based.
    X_train = X_train.reshape(-1, 1, 28, 28) / np.float32(256)
    X_test = X_test.reshape(-1, 1, 28, 28) / np.float32(256)

    # The last 10,000 training examples are held out for validation.
    X_train, X_val = X_train[:-NUM_VALIDATION], X_train[-NUM_VALIDATION:]
    y_train, y_val = y_train[:-NUM_VALIDATION], y_train[-NUM_VALIDATION:]
    return Dataset((X_train, y_train, X_val, y_val, X_test, y_test), "mnist")


def load_dataset_of(model, card, data_dir=None, dataset=None):
    """Load the data set that a model was trained on.

    Parameters
    ----------
    model : path-like
        The model's file, for a message.
    card : DataCard
        The model's card, as `mnist_cnn.model.load_model` returns it.
    data_dir, dataset
        As for `load_dataset`; by default the data set that `card` names. A model without a card takes
        MNIST, or any data set of its shape.

    Returns
    -------
    Dataset
        As `load_dataset` returns it.

    Raises
    ------
    MnistCnnError
        When the data cannot be loaded, or are not the model's.
    """
    if data_dir is None and dataset is None:
        if card.dataset is None and card.digest is not None:
            raise MnistCnnError(
                "{} was trained on an unnamed data set; name the folder of its files (--data-dir)".format(model)
            )
        dataset = card.dataset
    elif dataset is not None and card.dataset not in (None, dataset):
        raise MnistCnnError("{} was trained on {}, not on {}".format(model, card.dataset, dataset))
    loaded = load_dataset(data_dir, dataset=dataset)
    require_same_data(model, card, loaded.card)
    return loaded


def iterate_minibatches(inputs, targets, batchsize, shuffle=False, rng=np.random):
    """Cut a data set into mini-batches of one size; a last, smaller one is dropped.

    Parameters
    ----------
    inputs, targets : arrays
        Of equal length along the first axis.
    batchsize : int
        Examples in a batch, at least 1.
    shuffle : bool
        Whether to draw the examples in random order.
    rng : RandomState
        The generator of that order.

    Yields
    ------
    inputs, targets : arrays
        Of `batchsize` examples.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.data import iterate_minibatches
    >>> for inputs, targets in iterate_minibatches(np.arange(5), np.arange(5) % 2, batchsize=2):
    ...     print(inputs, targets)
    [0 1] [0 1]
    [2 3] [0 1]
    """
    if len(inputs) != len(targets):
        raise ValueError("{} inputs but {} targets".format(len(inputs), len(targets)))
    if batchsize < 1:
        raise ValueError("batchsize is {}, not a positive number".format(batchsize))
    if shuffle:
        indices = np.arange(len(inputs))
        rng.shuffle(indices)
    for start in range(0, len(inputs) - batchsize + 1, batchsize):
        excerpt = slice(start, start + batchsize)
        if shuffle:
            excerpt = indices[excerpt]
        yield inputs[excerpt], targets[excerpt]
