"""MNIST and data sets of its kind: downloaded, checked, parsed, and cut into mini-batches."""

import glob
import gzip
import hashlib
import importlib.util
import math
import os
import zlib
from pathlib import Path

import numpy as np

from .support.about import MIN_SIDE, Dataset, same_data
from .support.download import fetch
from .support.errors import MnistCnnError
from .support.files import open_regular

__all__ = ["BASE_URLS", "read_idx", "download", "load_dataset", "load_dataset_of", "dataset_files",
           "iterate_minibatches"]

_WRITTEN = (".npz", ".csv", ".checkpoint", ".html", ".png", ".gif", ".json", ".md", ".part")

PACKAGED = Path(__file__).parent / "mnist"

#: Where the four files are looked for, in turn: their first home, then two public mirrors.
BASE_URLS = (
    "http://yann.lecun.com/exdb/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

#: MD5 of each gzip file as it was published, and of the IDX file in it.
DIGESTS = {
    "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873",
                                "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432",
                                "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3",
                               "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c",
                               "27ae3e4e09519cfbb04c329615203637"),
}

NUM_VALIDATION = 10000
NUM_CLASSES = 10
MAX_BYTES = 2 ** 30  # more than any data set of this kind holds
MAX_PUBLISHED = 60000 * 28 * 28 + 16  # bytes of MNIST's largest file, unpacked


def read_idx(path):
    """Read an IDX file of unsigned bytes, gzipped or plain.

    The format is a magic number (two zero bytes, a type code, the number of dimensions), the
    dimensions as big-endian 32-bit integers, then the data in C order [1]_.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    uint8 array
        Of the shape that the file's header states.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or is not exactly what its header says.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
       http://yann.lecun.com/exdb/mnist/

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.data import read_idx
    >>> _ = Path("two-labels").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 9]))
    >>> read_idx("two-labels")
    array([5, 9], dtype=uint8)
    """
    try:
        with open_regular(path) as file:
            return parse_idx(file, path)
    except OSError as error:
        raise MnistCnnError("{} is no usable IDX file: {}".format(
            path, error.strerror or error)) from error


def parse_idx(file, path):
    """Read an IDX file that is open, as a file of its own or within an archive.

    Parameters
    ----------
    file : binary file object
        With `peek`.
    path : path-like
        What to call it in messages.

    Returns
    -------
    uint8 array

    Raises
    ------
    MnistCnnError
        As `read_idx` does.
    """
    def refuse(what):
        return MnistCnnError("{} is no usable IDX file: {}".format(path, what))

    try:
        start = file.peek(2)[:2]
        if start.startswith(b"<"):
            raise refuse("it holds a web page (HTML); download it anew, without the proxy or "
                         "log-in page that sent this")
        if start == b"\x1f\x8b":
            file = gzip.GzipFile(fileobj=file)
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0":
            raise refuse("it starts with the bytes '{}', not with the magic number 0000"
                         .format(magic[:2].hex()))
        if magic[2] != 0x08:
            raise refuse("its data type code is 0x{:02x}; only 0x08 (unsigned bytes) is read"
                         .format(magic[2]))
        num_dims = magic[3]
        if not 1 <= num_dims <= 4:
            raise refuse("it claims {} dimensions, not 1 to 4".format(num_dims))
        sizes = file.read(4 * num_dims)
        if len(sizes) < 4 * num_dims:
            raise refuse("it ends within its header")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        size = math.prod(shape)
        # where one size is 0 the others are still NumPy's to multiply
        if math.prod(max(length, 1) for length in shape) > MAX_BYTES:
            raise refuse("its header claims more data than any data set of this kind holds "
                         "({} bytes)".format(" x ".join(map(str, shape))))
        data = file.read(size + 1)  # one more, to meet the end and gzip's checksum
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(getattr(error, "strerror", None) or error) from error
    if len(data) < size:
        raise refuse("it is truncated: {} of {} bytes of data".format(len(data), size))
    if len(data) > size:
        raise refuse("more bytes follow the {} that its header announces".format(size))
    return np.frombuffer(data, np.uint8).reshape(shape)


def _is_published(path, name):
    """Whether a file is MNIST's own, compressed in whatever way."""
    digest, size = hashlib.md5(), 0
    try:
        with open(path, "rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
        with (gzip.open if is_gzip else open)(path, "rb") as file:
            while size <= MAX_PUBLISHED:  # a few megabytes may unpack to as many gigabytes
                block = file.read(2 ** 20)
                if not block:
                    break
                digest.update(block)
                size += len(block)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == DIGESTS[name][1]


def find_idx(data_dir, name):
    """The path of a data set's file in a folder, gzipped or plain, or None."""
    for path in (data_dir / (name + ".gz"), data_dir / name):
        if os.path.isfile(path):
            return path
    return None


def dataset_files(data_dir=None, dataset=None):
    """The files that a data set may be read from: what no command may write over.

    Parameters
    ----------
    data_dir, dataset
        As for `load_dataset`.

    Returns
    -------
    list of path
        All that lies in the folder and in those below it, but for what this package writes there.

    Examples
    --------
    >>> from mnist_cnn.data import dataset_files
    >>> len(dataset_files())
    4
    """
    folder = PACKAGED if data_dir is None else Path(data_dir)
    if data_dir is None and dataset not in (None, "mnist"):
        from .datasets import cache_folder
        folder = cache_folder(dataset)
    paths = [path for pattern in ("*", "*/*") for path in glob.glob(
        os.path.join(glob.escape(str(folder)), pattern))]
    return [path for path in paths if os.path.isfile(path)
            and os.path.splitext(path)[1] not in _WRITTEN]


def download(data_dir, base_urls=BASE_URLS, timeout=10):
    """Fetch those of MNIST's four files that a folder lacks.

    A file takes its name in the folder only when it is whole and has the published digest.

    Parameters
    ----------
    data_dir : path-like
        The folder. Files in it are left alone.
    base_urls : sequence of str
        Addresses to try in turn, each ending in a slash.
    timeout : float
        Seconds to wait for a server's next bytes.

    Raises
    ------
    MnistCnnError
        When there is no such folder or it cannot be written, no address gave the file, or the
        folder holds part of another data set (whose missing files MNIST's must not replace).

    Examples
    --------
    >>> from mnist_cnn.data import PACKAGED, download
    >>> download(PACKAGED)  # the package's folder has all four files: nothing to fetch
    """
    data_dir = Path(data_dir)
    if not os.path.isdir(data_dir):  # unlike pathlib's it answers for every path
        raise MnistCnnError("there is no folder {0}; create it (mkdir {0}), and MNIST is "
                            "downloaded into it".format(data_dir))
    missing = [name for name in DIGESTS if find_idx(data_dir, name) is None]
    if not missing:
        return
    for name in set(DIGESTS) - set(missing):
        path = find_idx(data_dir, name)
        if not _is_published(path, name):
            raise MnistCnnError(
                "{} lacks {}, and its {} is not MNIST's: put the missing files of that data set "
                "there by hand, or name another folder"
                .format(data_dir, ", ".join(missing), path.name))

    base_urls = list(base_urls)
    for name in missing:
        fetch(data_dir, name + ".gz", DIGESTS[name][0], base_urls, timeout, "the four files")


def read_part(data_dir, prefix):
    """One half of a data set in MNIST's files: images uint8 (n, 28, 28), labels uint8 (n,)."""
    paths = []
    for name in (prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte"):
        path = find_idx(data_dir, name)
        if path is None:
            raise MnistCnnError("{} has no file {}.gz".format(data_dir, name))
        paths.append(path)
    images, labels = map(read_idx, paths)
    check_pair(*paths, images, labels, (28, 28), NUM_CLASSES)
    return images, labels


def check_pair(images_path, labels_path, images, labels, shape, num_classes):
    """Refuse images and labels that do not belong together.

    Parameters
    ----------
    images_path, labels_path : path-like
        Where they come from, for the message.
    images, labels : uint8 arrays
        What was read there.
    shape : tuple of int
        What each image must be.
    num_classes : int
        Labels are to be from 0 to one less.

    Raises
    ------
    MnistCnnError
        When a shape is wrong, the counts differ, or a label is out of range.
    """
    if images.shape[1:] != shape:
        raise MnistCnnError("{} holds an array of shape {}, not images of shape (n, {})".format(
            images_path, images.shape, ", ".join(map(str, shape))))
    if labels.ndim != 1:
        raise MnistCnnError("{} holds an array of shape {}, not labels of shape (n,)"
                            .format(labels_path, labels.shape))
    if len(images) != len(labels):
        raise MnistCnnError("{} has {} images and {} has {} labels".format(
            images_path, len(images), labels_path, len(labels)))
    if len(labels) and labels.max() >= num_classes:
        raise MnistCnnError("{} has the label {}; the network knows the classes 0 to {}".format(
            labels_path, labels.max(), num_classes - 1))


def split_dataset(where, training, test, name=None, classes=None):
    """Make the six arrays of a data set out of its training and its test half.

    Parameters
    ----------
    where : path-like
        Where they come from, for a message.
    training, test : pairs of uint8 arrays
        Images, (n, rows, columns) or (n, channels, rows, columns), and labels, (n,).
    name : str, optional
        The data set's in the catalogue.
    classes : sequence of str, optional
        What its classes are called.

    Returns
    -------
    Dataset
        As `load_dataset` returns it.

    Raises
    ------
    MnistCnnError
        When there are too few examples.
    """
    if min(training[0].shape[-2:]) < MIN_SIDE:
        raise MnistCnnError("{} has images of {} x {} pixels; the network needs at least {} x {}"
                            .format(where, *training[0].shape[-2:], MIN_SIDE, MIN_SIDE))
    num_training = len(training[1])
    if num_training <= NUM_VALIDATION:
        raise MnistCnnError(
            "{} has {} training examples; more than {} are needed, since the last {} are held "
            "out for validation".format(where, num_training, NUM_VALIDATION, NUM_VALIDATION))
    if not len(test[1]):
        raise MnistCnnError("{} has no test examples".format(where))
    # [0, 255/256], as in the older mnist.pkl.gz, which published results stand on
    (X_train, y_train), (X_test, y_test) = (
        (images.reshape((len(images), -1) + images.shape[-2:]) / np.float32(256), labels)
        for images, labels in (training, test))
    return Dataset((X_train[:-NUM_VALIDATION], y_train[:-NUM_VALIDATION],
                    X_train[-NUM_VALIDATION:], y_train[-NUM_VALIDATION:], X_test, y_test),
                   name, classes)


def load_dataset(data_dir=None, base_urls=None, dataset=None):
    """Load MNIST, or another data set.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder with the data set's files, gzipped or plain; those of MNIST, or of the data set
        that `dataset` names, are downloaded into it where missing. By default the copy of MNIST
        that comes with the package, or a folder in the user's cache for other names.
    base_urls : sequence of str, optional
        Addresses to download from, tried in turn; by default the published ones.
    dataset : str, optional
        A name in ``mnist_cnn.datasets.DATASETS``, such as 'fashion-mnist' or 'cifar10'. By default
        what the folder holds, and MNIST where none is given.

    Returns
    -------
    X_train, y_train, X_val, y_val, X_test, y_test : arrays
        Images, float32 of shape (n, channels, rows, columns) in [0, 255/256], and labels, uint8 of
        shape (n,). The last 10,000 training examples are held out for validation. The tuple is a
        `mnist_cnn.support.about.Dataset`, and its ``about`` says what they are.

    Raises
    ------
    MnistCnnError
        When there is no such data set, or files are missing and cannot be had, or are not what
        they should be.

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset
    >>> X_train, y_train, X_val, y_val, X_test, y_test = load_dataset()
    >>> X_train.shape, X_val.shape, X_test.shape
    ((50000, 1, 28, 28), (10000, 1, 28, 28), (10000, 1, 28, 28))
    >>> y_train[:5]
    array([5, 0, 4, 1, 9], dtype=uint8)
    """
    if data_dir is None and dataset in (None, "mnist"):
        folder, name = PACKAGED, "mnist"
    elif importlib.util.find_spec("mnist_cnn.datasets") is not None:
        from .datasets import load
        return load(dataset, data_dir, base_urls)
    elif dataset not in (None, "mnist"):
        raise MnistCnnError("the data set {} is read by mnist_cnn.datasets, and the package has no "
                            "such folder".format(dataset))
    else:
        folder, name = Path(data_dir), dataset
        download(folder, base_urls or BASE_URLS)
    return split_dataset(folder, read_part(folder, "train"), read_part(folder, "t10k"), name)


def load_dataset_of(model, about, data_dir=None, dataset=None):
    """Load the data set that a model was trained on.

    Parameters
    ----------
    model : path-like
        The model's file, for a message.
    about : About
        What it was trained on, as `mnist_cnn.model.load_model` returns it.
    data_dir, dataset
        As for `load_dataset`; by default what `about` names. A model that does not know what it
        was trained on takes MNIST, or any data set of its shape.

    Returns
    -------
    Dataset
        As `load_dataset` returns it.

    Raises
    ------
    MnistCnnError
        When the data cannot be had, or are not those of the model.

    Examples
    --------
    >>> from mnist_cnn.data import load_dataset, load_dataset_of
    >>> about = load_dataset().about
    >>> load_dataset_of("model.npz", about).name
    'mnist'
    """
    if data_dir is None and dataset is None:
        if about.dataset is None and about.digest is not None:
            raise MnistCnnError("{} was trained on a folder of data without a name; name the "
                                "folder (--data-dir)".format(model))
        dataset = about.dataset
    elif dataset is not None and about.dataset not in (None, dataset):
        raise MnistCnnError("{} was trained on {}, not on {}".format(model, about.dataset, dataset))
    loaded = load_dataset(data_dir, dataset=dataset)
    same_data(model, about, loaded.about)
    return loaded


def iterate_minibatches(inputs, targets, batchsize, shuffle=False, rng=np.random):
    """Cut a data set into mini-batches of one size; a last, smaller one is dropped.

    Parameters
    ----------
    inputs, targets : arrays
        As many of each, along their first axis.
    batchsize : int
        Examples in a batch, at least 1.
    shuffle : bool
        Whether to draw the examples in random order.
    rng : RandomState
        Where that order comes from.

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
