"""Arrays in npz files: atomic writes, and reads that are safe for untrusted files."""

import contextlib
import io
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..system.errors import MnistCnnError
from .atomic import atomic_open, open_regular

__all__ = ["ZipReader", "write_npz", "read_npz", "read_npz_shapes"]

MAX_ITEMS = 10**7  # in one array
MAX_HEADER = 10**5  # bytes before an npy array's data; more than NumPy parses
MAX_ARRAYS = 1000  # in a file of weights
MAX_REASON = 200  # characters of another library's error, which may quote a whole file


#: The type characters that an array may have, and its shape, where None stands for any length.
Expected = tuple[str, tuple[int | None, ...]]


class ZipReader(zipfile.ZipFile):
    """A zip archive whose overlapping entries are a BadZipFile, as before Python 3.15, which may only warn."""

    def open(self, *args, **kwargs):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Overlapped entries")
            try:
                return super().open(*args, **kwargs)
            except UserWarning as error:
                raise zipfile.BadZipFile(str(error)) from error


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray], comment: bytes = b"") -> None:
    """Write arrays to an npz file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; replaced if it exists.
    arrays : dict
        From a name to its array.
    comment : bytes
        Comment of the zip archive, at most 65,535 bytes; NumPy ignores it.

    Raises
    ------
    MnistCnnError
        When the file cannot be written.
    """
    archive = io.BytesIO()  # in memory, because on a full disk ZipFile prints a traceback when it is deleted
    np.savez(archive, **arrays)  # type: ignore[arg-type]  # allow_pickle is no array's name
    if comment:
        with zipfile.ZipFile(archive, "a") as whole:
            whole.comment = comment
    with atomic_open(path) as file:
        file.write(archive.getbuffer())


def read_npz(
    path: Path | str,
    wanted: Mapping[str, Expected],
    optional: Mapping[str, Expected] | None = None,
    others: bool = False,
) -> dict[str, np.ndarray]:
    """Read the expected arrays from an untrusted npz file.

    Nothing in the file is executed. An array is read only after its header was checked, so that memory
    is bounded.

    Parameters
    ----------
    path : path-like
        The file.
    wanted : dict
        From each array's name to (dtypes, shape): the allowed NumPy type characters, e.g. 'fd', and
        the shape, where None stands for any length.
    optional : dict, optional
        The same for arrays that may be missing.
    others : bool
        Whether the file may hold other arrays; they are ignored.

    Returns
    -------
    dict
        From each name to its array. All numbers are finite.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or an array is missing, unexpected or of another dtype or shape.

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
    with _refused(path), open_regular(path) as file, ZipReader(file) as archive:
        names = sorted(archive.namelist())
        optional = optional or {}
        there = [name for name in optional if name + ".npy" in names]
        if others:
            names = [name for name in names if name[: -len(".npy")] in [*wanted, *there]]
        if names != sorted(name + ".npy" for name in [*wanted, *there]):
            raise ValueError(
                "it holds {} arrays, not {} ({} to {})".format(len(names), len(wanted), min(wanted), max(wanted))
            )
        return {name: _read_array(archive, name, *(wanted.get(name) or optional[name])) for name in [*wanted, *there]}


def read_npz_shapes(path: Path | str) -> tuple[dict[str, tuple[int, ...]], bytes]:
    """Read only the comment of an npz file and the shapes of its arrays.

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
    with _refused(path), open_regular(path) as file, ZipReader(file) as archive:
        names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
        if len(names) > MAX_ARRAYS:
            raise ValueError("it holds {} arrays".format(len(names)))
        return {name: _read_header(archive, name)[0] for name in names}, archive.comment


@contextlib.contextmanager
def _refused(path):
    """Turn the exceptions of a damaged or hostile npz file into MnistCnnError."""
    try:
        yield
    except OSError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror or error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise MnistCnnError(
            "{} is not a file that train.py saved: {}".format(path, " ".join(str(error).split())[:MAX_REASON])
        ) from error


def _read_header(archive, name):
    """Read the shape and dtype of one array of an npz archive."""
    info = archive.getinfo(name + ".npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("{} has a compression that NumPy does not write".format(name))
    with archive.open(name + ".npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError("{} has the npy format {}.{}, not 1.0".format(name, *version))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecated types
                stored_shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if any(type(length) is not int for length in stored_shape):  # NumPy accepts True as 1
                raise ValueError
        except Exception as error:  # NumPy parses the header as Python, which may raise anything
            raise ValueError("{} has no npy header".format(name)) from error
    return stored_shape, dtype


def _read_array(archive, name, dtypes, shape):
    """Read one array of an npz archive after checking its header."""
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
        if file.read(1):  # at the end zipfile verifies the CRC
            raise ValueError("{} holds more than the {} bytes of its shape".format(name, claimed))
    if not np.isfinite(array).all():
        raise ValueError("{} holds NaN or infinity".format(name))
    # native byte order and C layout, for fast kernels
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")
