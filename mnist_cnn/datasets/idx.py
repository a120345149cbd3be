"""The IDX format, in which MNIST is published."""

import gzip
import hashlib
import math
import re
import struct
import zlib
from io import BufferedReader
from pathlib import Path
from zipfile import ZipExtFile

import numpy as np

from ..storage.atomic import open_regular
from ..system.errors import MnistCnnError

__all__ = ["read_idx", "parse_idx", "idx_digest", "canonical_name"]

MAX_BYTES = 2**30  # more than any data set of this kind holds

#: From the third byte of a file to NumPy's name of the dtype.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_NAME = re.compile(
    r"((?:[a-z0-9]+[-_.])*?)(train|t10k|test)[-_.](images|labels)[-_.]idx([1-4])"
    r"(?:[-_.](ubyte|int))?(?:\.gz)?",
    re.IGNORECASE,
)


def read_idx(path: Path | str) -> np.ndarray:
    """Read an IDX file, gzipped or plain.

    The format is a magic number (two zero bytes, a type code, the number of dimensions), the
    dimensions as big-endian 32-bit integers, then the data in C order [1]_.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    array
        With the shape and dtype of the file's header, usually uint8.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or its size differs from its header's.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
       http://yann.lecun.com/exdb/mnist/

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.datasets.idx import read_idx
    >>> _ = Path("two-labels").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 9]))
    >>> read_idx("two-labels")
    array([5, 9], dtype=uint8)
    """
    try:
        with open_regular(path) as file:
            return parse_idx(file, path)
    except OSError as error:
        raise MnistCnnError("{} is not a valid IDX file: {}".format(path, error.strerror or error)) from error


def parse_idx(file: BufferedReader | ZipExtFile, path: Path | str) -> np.ndarray:
    """Read an open IDX file, as `read_idx` does.

    Parameters
    ----------
    file : binary file object
        With `peek`; it may lie in an archive.
    path : path-like
        Its name in messages.

    Returns
    -------
    array
    """

    def refuse(what):
        return MnistCnnError("{} is not a valid IDX file: {}".format(path, what))

    try:
        start = file.peek(2)[:2]
        if start.startswith(b"<"):
            raise refuse("it holds a web page (HTML), perhaps from a proxy or a log-in page; download it again")
        content = gzip.GzipFile(fileobj=file) if start == b"\x1f\x8b" else file
        magic = content.read(4)
        if not magic:
            raise refuse("it is empty")
        if len(magic) < 4 or magic[:2] != b"\0\0":
            raise refuse("it starts with the bytes '{}', not with the magic number 0000".format(magic[:2].hex()))
        if magic[2] not in TYPES:
            raise refuse(
                "its data type code is 0x{:02x}, not one of {}".format(
                    magic[2], ", ".join(map("0x{:02x}".format, TYPES))
                )
            )
        dtype = np.dtype(TYPES[magic[2]])
        num_dims = magic[3]
        if not 1 <= num_dims <= 4:
            raise refuse("it claims {} dimensions, not 1 to 4".format(num_dims))
        sizes = content.read(4 * num_dims)
        if len(sizes) < 4 * num_dims:
            raise refuse("it ends within its header")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        size = math.prod(shape) * dtype.itemsize
        # NumPy multiplies all sizes, even where one is 0
        if math.prod(max(length, 1) for length in shape) * dtype.itemsize > MAX_BYTES:
            raise refuse(
                "its header claims more data than any data set of this kind holds ({} values)".format(
                    " x ".join(map(str, shape))
                )
            )
        data = content.read(size + 1)  # one more, to reach the end and gzip's checksum
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(getattr(error, "strerror", None) or error) from error
    if len(data) < size:
        raise refuse("it is truncated: {} of {} bytes of data".format(len(data), size))
    if len(data) > size:
        raise refuse("more bytes follow the {} that its header announces".format(size))
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def idx_digest(array: np.ndarray) -> str:
    """MD5 of the unpacked IDX file of a uint8 array, as hexadecimal digits."""
    header = struct.pack(">4B{}I".format(array.ndim), 0, 0, 8, array.ndim, *array.shape)
    digest = hashlib.md5(header)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def canonical_name(name: str) -> str | None:
    """Normalize the name of an IDX file to the form of MNIST's: hyphens, not packed.

    Parameters
    ----------
    name : str
        With hyphens, dots or underscores, packed or not.

    Returns
    -------
    str or None
        None where it is not the name of an IDX file.

    Examples
    --------
    >>> from mnist_cnn.datasets.idx import canonical_name
    >>> canonical_name("train-images.idx3-ubyte"), canonical_name("model.npz")
    ('train-images-idx3-ubyte', None)
    >>> canonical_name("emnist-letters-test-labels-idx1-ubyte.gz")
    'emnist-letters-test-labels-idx1-ubyte'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    prefix, half, what, dims, kind = match.groups()
    return "{}{}-{}-idx{}-{}".format(re.sub("[_.]", "-", prefix), half, what, dims, kind or "ubyte").lower()
