"""MNIST and data sets of its kind: downloaded, checked, parsed, and cut into mini-batches."""

import gzip
import hashlib
import logging
import math
import os
import sys
import zlib
from pathlib import Path

import numpy as np

from .support.errors import MnistCnnError
from .support.files import open_regular

__all__ = ["BASE_URLS", "read_idx", "download", "load_dataset", "dataset_files",
           "iterate_minibatches"]

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
    """
    def refuse(what):
        return MnistCnnError("{} is no usable IDX file: {}".format(path, what))

    try:
        with open_regular(path) as file:
            start = file.read(2)
        if start.startswith(b"<"):
            raise refuse("it holds a web page (HTML); download it anew, without the proxy or "
                         "log-in page that sent this")
        with (gzip.open if start == b"\x1f\x8b" else open)(path, "rb") as file:
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


def _find(data_dir, name):
    """The path of a data set's file in a folder, gzipped or plain, or None."""
    for path in (data_dir / (name + ".gz"), data_dir / name):
        if os.path.isfile(path):
            return path
    return None


def dataset_files(data_dir=None):
    """The paths of a data set's files in a folder, as far as they are there.

    Parameters
    ----------
    data_dir : path-like, optional
        As for `load_dataset`.

    Returns
    -------
    list of pathlib.Path
        At most four.
    """
    folder = PACKAGED if data_dir is None else Path(data_dir)
    return list(filter(None, (_find(folder, name) for name in DIGESTS)))


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
    """
    data_dir = Path(data_dir)
    if not os.path.isdir(data_dir):  # unlike pathlib's it answers for every path
        raise MnistCnnError("there is no folder {0}; create it (mkdir {0}), and MNIST is "
                            "downloaded into it".format(data_dir))
    missing = [name for name in DIGESTS if _find(data_dir, name) is None]
    if not missing:
        return
    for name in set(DIGESTS) - set(missing):
        path = _find(data_dir, name)
        if not _is_published(path, name):
            raise MnistCnnError(
                "{} lacks {}, and its {} is not MNIST's: put the missing files of that data set "
                "there by hand, or name another folder"
                .format(data_dir, ", ".join(missing), path.name))

    import pooch  # here, for they take a while to import and most starts download nothing
    import requests

    fetch = pooch.HTTPDownloader(timeout=timeout, progressbar=sys.stderr.isatty())

    def downloader(url, path, _):
        fetch(url, path, _)
        with open(path, "rb") as file:
            if file.read(1) == b"<":
                raise MnistCnnError("a web page (HTML) came, perhaps a proxy's or a log-in's")

    pooch.get_logger().setLevel(logging.WARNING)
    base_urls = list(base_urls)
    for name in missing:
        for base_url in list(base_urls):
            url = base_url + name + ".gz"
            print("Downloading {}".format(url))
            try:
                pooch.retrieve(url, "md5:" + DIGESTS[name][0], fname=name + ".gz", path=data_dir,
                               downloader=downloader)
                break
            except (requests.RequestException, MnistCnnError, ValueError) as error:
                # ValueError: pooch's word for a wrong digest
                print("  no: {}".format(_reason(error)))
                base_urls.append(base_urls.pop(0))  # ask the one that works first from now on
            except OSError as error:
                raise MnistCnnError("cannot write to {}: {}".format(
                    data_dir, error.strerror or error)) from error
        else:
            raise MnistCnnError(
                "none of these gave {0}.gz: {1}; get the four files elsewhere and put them into {2}"
                .format(name, " ".join(base_urls), data_dir))


def _reason(error):
    """A failed download in a few words."""
    import requests

    if isinstance(error, requests.HTTPError):
        return "the server answers {} {}".format(error.response.status_code, error.response.reason)
    if isinstance(error, requests.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return "what came is truncated or another file (its digest differs)"
    return " ".join(str(error).split())


def _load_pair(data_dir, prefix):
    """One half of a data set: images float32 (n, 1, 28, 28) and labels uint8 (n,)."""
    paths = []
    for name in (prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte"):
        path = _find(data_dir, name)
        if path is None:
            raise MnistCnnError("{} has no file {}.gz".format(data_dir, name))
        paths.append(path)
    images, labels = map(read_idx, paths)
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise MnistCnnError("{} holds an array of shape {}, not images of shape (n, 28, 28)"
                            .format(paths[0], images.shape))
    if labels.ndim != 1:
        raise MnistCnnError("{} holds an array of shape {}, not labels of shape (n,)"
                            .format(paths[1], labels.shape))
    if len(images) != len(labels):
        raise MnistCnnError("{} has {} images and {} has {} labels".format(
            paths[0], len(images), paths[1], len(labels)))
    if len(labels) and labels.max() >= NUM_CLASSES:
        raise MnistCnnError("{} has the label {}; the network knows the classes 0 to {}".format(
            paths[1], labels.max(), NUM_CLASSES - 1))
    # [0, 255/256], as in the older mnist.pkl.gz, which published results stand on
    return images.reshape(-1, 1, 28, 28) / np.float32(256), labels


def load_dataset(data_dir=None, base_urls=BASE_URLS):
    """Load MNIST, or another data set in its four files.

    Parameters
    ----------
    data_dir : path-like, optional
        A folder with the four files, gzipped or plain; MNIST's are downloaded into it where
        missing. By default the copy of MNIST that comes with the package.
    base_urls : sequence of str
        Addresses to download from, tried in turn.

    Returns
    -------
    X_train, y_train, X_val, y_val, X_test, y_test : arrays
        Images, float32 of shape (n, 1, 28, 28) in [0, 255/256], and labels, uint8 of shape (n,).
        The last 10,000 training examples are held out for validation.

    Raises
    ------
    MnistCnnError
        When files are missing and cannot be had, or are not what they should be.
    """
    if data_dir is None:
        data_dir = PACKAGED
    else:
        download(data_dir, base_urls)
    X_train, y_train = _load_pair(Path(data_dir), "train")
    X_test, y_test = _load_pair(Path(data_dir), "t10k")
    if len(X_train) <= NUM_VALIDATION:
        raise MnistCnnError(
            "{} has {} training examples; more than {} are needed, since the last {} are held "
            "out for validation".format(data_dir, len(X_train), NUM_VALIDATION, NUM_VALIDATION))
    if not len(X_test):
        raise MnistCnnError("{} has no test examples".format(data_dir))
    X_train, X_val = X_train[:-NUM_VALIDATION], X_train[-NUM_VALIDATION:]
    y_train, y_val = y_train[:-NUM_VALIDATION], y_train[-NUM_VALIDATION:]
    return X_train, y_train, X_val, y_val, X_test, y_test


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
