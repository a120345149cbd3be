"""Arrays in npz files, written whole, and read from files that anybody may have written."""

import contextlib
import io
import warnings
import zipfile
import zlib

import numpy as np

from ..system.errors import MnistCnnError
from .atomic import atomic_open, open_regular

__all__ = ["write_npz", "read_npz", "read_npz_shapes"]

MAX_ITEMS = 10**7  # in an array whose length a file may choose
MAX_HEADER = 10**5  # bytes before an npy array's data; more than NumPy parses
MAX_ARRAYS = 1000  # in a file of weights
MAX_REASON = 200  # characters of what Python says of a file: it may quote all of it


def write_npz(path, arrays, comment=b""):
    """Write arrays to an npz file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists.
    arrays : dict
        From a name to its array.
    comment : bytes
        What the zip archive that it is says of itself, at most 65,535 bytes. NumPy reads past it.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    archive = io.BytesIO()  # in memory first: a ZipFile cut short by a full disk prints a traceback
    np.savez(archive, **arrays)
    if comment:
        with zipfile.ZipFile(archive, "a") as whole:
            whole.comment = comment
    with atomic_open(path) as file:
        file.write(archive.getbuffer())


def read_npz(path, wanted, optional=(), others=False):
    """Read just the arrays that one expects from an npz file that anybody may have written.

    Nothing in the file is executed, and no array's data are read before its header is found to
    be what is wanted, so that memory is bounded.

    Parameters
    ----------
    path : path-like
        The file.
    wanted : dict
        From each array's name to (dtypes, shape): the NumPy type characters it may have, e.g.
        'fd', and its shape, where None stands for any length.
    optional : dict
        The same of arrays that may be there or not.
    others : bool
        Whether there may be others besides, which are left alone.

    Returns
    -------
    dict
        From each name to its array. Numbers are finite.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or is anything else than that.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.storage.npz import read_npz, write_npz
    >>> write_npz("numbers.npz", {"a": np.arange(3.)})
    >>> read_npz("numbers.npz", {"a": ("fd", (None,))})
    {'a': array([0., 1., 2.])}
    >>> read_npz("numbers.npz", {"a": ("fd", (4,))})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    mnist_cnn.system.errors.MnistCnnError: numbers.npz is not ...: a has shape (3,), not (4,)
    """
    with _refused(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        names = sorted(archive.namelist())
        there = [name for name in optional if name + ".npy" in names]
        if others:
            names = [name for name in names if name[: -len(".npy")] in [*wanted, *there]]
        if names != sorted(name + ".npy" for name in [*wanted, *there]):
            raise ValueError(
                "it holds {} arrays, not {} ({} to {})".format(len(names), len(wanted), min(wanted), max(wanted))
            )
        return {name: _read_array(archive, name, *(wanted.get(name) or optional[name])) for name in [*wanted, *there]}


def read_npz_shapes(path):
    """Read the shapes of an npz file's arrays, and its comment, without reading the arrays.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    shapes : dict
        From each array's name to its shape, a tuple of int.
    comment : bytes

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or is no npz file.
    """
    with _refused(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
        if len(names) > MAX_ARRAYS:
            raise ValueError("it holds {} arrays".format(len(names)))
        return {name: _read_header(archive, name)[0] for name in names}, archive.comment


@contextlib.contextmanager
def _refused(path):
    """What comes of a damaged or hostile npz file, as one line."""
    try:
        yield
    except OSError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror or error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise MnistCnnError(
            "{} is not a file that train.py saved: {}".format(path, " ".join(str(error).split())[:MAX_REASON])
        ) from error


def _read_header(archive, name):
    """The shape and dtype of one array of an npz archive."""
    info = archive.getinfo(name + ".npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("{} is compressed in a way that NumPy does not use".format(name))
    with archive.open(name + ".npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError("{} has the npy format {}.{}, not 1.0".format(name, *version))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of types that NumPy will read otherwise one day
                stored_shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if any(type(length) is not int for length in stored_shape):  # True is one to NumPy
                raise ValueError
        except Exception as error:  # NumPy parses it as Python, with all that can come of that
            raise ValueError("{} has no npy header".format(name)) from error
    return stored_shape, dtype


def _read_array(archive, name, dtypes, shape):
    """One array of an npz archive, once its header says that it is the one that is wanted."""
    stored_shape, dtype = _read_header(archive, name)
    if len(stored_shape) != len(shape) or any(want not in (None, got) for want, got in zip(shape, stored_shape)):
        raise ValueError("{} has shape {}, not {}".format(name, stored_shape, shape))
    if dtype.hasobject or dtype.char not in dtypes:
        raise ValueError("{} has dtype {}, not {}".format(name, dtype, np.dtype(dtypes[0])))
    if np.prod(stored_shape, dtype=float) > MAX_ITEMS:
        raise ValueError("{} claims the shape {}".format(name, stored_shape))
    claimed = dtype.itemsize * int(np.prod(stored_shape, dtype=float))
    if archive.getinfo(name + ".npy").file_size > claimed + MAX_HEADER:
        raise ValueError("{} holds more than the {} bytes of its shape".format(name, claimed))
    with archive.open(name + ".npy") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # to the end, where the checksum is
            raise ValueError("{} holds more than the {} bytes of its shape".format(name, claimed))
    if not np.isfinite(array).all():
        raise ValueError("{} holds NaN or infinity".format(name))
    # in this machine's order of bytes, and laid out as kernels read fastest
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")
