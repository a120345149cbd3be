"""Atomic writes: a file is replaced whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import functools
import glob
import itertools
import operator
import os
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from io import BufferedRandom, BufferedReader
from pathlib import Path

from ..system.errors import MnistCnnError

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from typing import IO, Any

MIN_FREE = 8 * 10**6  # bytes: weights and checkpoint, and a second copy of both during the write


@contextlib.contextmanager
def atomic_open(path: Path | str, mode: str = "wb", **kwargs: Any) -> Iterator[IO]:
    """Open a file for writing; it gets its name when all of it is on the disk.

    Parameters
    ----------
    path : path-like
        The file. An existing file is replaced when the block ends, and kept when the block raises.
    mode, **kwargs
        As for `open`.

    Yields
    ------
    file object

    Raises
    ------
    MnistCnnError
        When the folder is missing or read-only, the disk is full, or `path` is a folder.
    """
    path = _resolve(path)
    part = None
    try:
        part, number = _create_part(path)
        with open(number, mode, **kwargs) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":  # where open files cannot be renamed
                file.close()
            os.replace(part, path)  # still locked, so `_remove_parts` of another process leaves it
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror or error)) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _create_part(path):
    """Create and lock a temporary file beside `path`; return its path and descriptor.

    The name is random: process numbers repeat in containers that share a volume, and in an open folder
    another user could guess a name and place a link there. Existing files and links are not opened.
    """
    while True:
        part = path.with_name(".{}.{}.part".format(path.name, secrets.token_hex(8)))
        number = os.open(str(part), os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
        lock(number)
        if os.name == "nt" or os.path.lexists(str(part)):
            return part, number
        os.close(number)  # another process removed it before it was locked


#: Follow no link, wait for no pipe, translate no line ends, pass no descriptor to a child process.
_FLAGS = functools.reduce(
    operator.or_, (getattr(os, "O_" + name, 0) for name in ("NOFOLLOW", "NONBLOCK", "BINARY", "CLOEXEC"))
)


def lock(number: int, wait: bool = True) -> bool | None:
    """Lock an open file or folder until it is closed.

    The system releases a lock when its process ends. Locks work across containers, process numbers do not.

    Parameters
    ----------
    number : int
        The file's descriptor.
    wait : bool
        Whether to wait for another process' lock.

    Returns
    -------
    bool or None
        False where another process holds the lock, None where the disk or the system has no locks.

    Examples
    --------
    >>> from mnist_cnn.storage.atomic import lock
    >>> with open("note.txt", "w") as file, open("note.txt") as other:
    ...     lock(file.fileno()), lock(other.fileno(), wait=False)
    (True, False)
    """
    try:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # Windows, or a network disk without locks
        return None
    return True


def _remove_parts(path):
    """Remove the unlocked temporary files of `path`: killed processes left them."""
    for part in path.parent.glob(".{}.*.part".format(glob.escape(path.name))):
        with contextlib.suppress(OSError):
            number = os.open(str(part), os.O_RDONLY | _FLAGS)
            try:
                if lock(number, wait=False):
                    part.unlink()
            finally:
                os.close(number)


def open_part(path: Path | str) -> BufferedRandom:
    """Open a file for reading and writing bytes, and create it if missing; OSError for a link."""
    number = os.open(str(path), os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "{} is a device or a pipe, not a file".format(path))
    return open(number, "r+b")


def check_writable(path: Path | str) -> None:
    """Check before a long computation that its result can be written.

    Temporary files that killed processes left beside `path` are removed.

    Parameters
    ----------
    path : path-like
        The file to be written later. It is not changed.

    Raises
    ------
    MnistCnnError
        When `path` is a folder, its folder is missing or read-only, or the disk is full.
    """
    file = _resolve(path)
    if not os.path.isdir(file.parent):
        raise MnistCnnError("cannot write {}: there is no folder {}; create it first".format(path, file.parent))
    _remove_parts(file)
    try:
        probe, number = _create_part(file)
        os.close(number)
        probe.unlink()
        disk = shutil.disk_usage(file.parent)
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror)) from error
    if disk.free < MIN_FREE and disk.total:  # a pseudo file system has no size
        raise MnistCnnError("cannot write {}: fewer than {} MB are free on its disk".format(path, MIN_FREE // 10**6))


def _resolve(path):
    """Follow links to the file that is replaced, so that a link stays a link.

    Another user's link in an open folder such as /tmp is refused, as Linux does (fs.protected_symlinks):
    it may lead to any of our files.
    """
    path = Path(path)
    _require_file(path)
    with contextlib.suppress(OSError):  # the file does not exist
        folder, link = os.stat(path.parent), os.lstat(path)
        if (
            stat.S_ISLNK(link.st_mode)
            and folder.st_mode & stat.S_ISVTX
            and folder.st_mode & stat.S_IWOTH
            and link.st_uid not in (os.geteuid(), folder.st_uid)
        ):
            raise MnistCnnError("cannot write {}: it is another user's link; name another file".format(path))
    return Path(os.path.realpath(path))


def _require_file(path):
    """Refuse a folder, a device and a pipe; a missing file is fine."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:  # the name is too long, or the folder is a file or not readable
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror)) from error
    if stat.S_ISDIR(mode):
        raise MnistCnnError("cannot write {}: it is a folder; name a file".format(path))
    if not stat.S_ISREG(mode):
        raise MnistCnnError("cannot write {}: it is a device or a pipe; name a file".format(path))


def open_regular(path: Path | str) -> BufferedReader:
    """Open a file for reading bytes; OSError for devices and pipes, which may never end."""
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file")
    return open(path, "rb")


def keep_apart(inputs: Iterable[Path | str | None], outputs: Iterable[Path | str]) -> None:
    """Refuse to overwrite an input, and to write two outputs to one file.

    Parameters
    ----------
    inputs : sequence of path-like or None
        The files that are read; None and missing files are ignored.
    outputs : sequence of path-like
        The files that will be written.

    Raises
    ------
    MnistCnnError
        When two paths lead to the same file: through links, relative paths, or letter case.
    """
    read = [Path(path) for path in inputs if path]
    outputs = [Path(output) for output in outputs]
    for output, path in itertools.product(outputs, read):
        with contextlib.suppress(OSError):  # one does not exist, so they differ
            if os.path.samefile(output, path):
                raise MnistCnnError(
                    "{} would be written over {}, which is read; name another output".format(output, path)
                )
    for output, other in itertools.combinations(outputs, 2):
        # the files may not exist yet, and their disk may ignore letter case
        if _spelling(output) == _spelling(other):
            raise MnistCnnError("{} and {} would be written over each other; name another output".format(output, other))


def _spelling(path):
    """A path without links, letter case and Unicode variants, which some disks ignore."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def make_folder(path: Path | str) -> Path:
    """Make a folder with its parents if it is missing, and return its path; MnistCnnError where it cannot."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MnistCnnError("cannot make the folder {}: {}".format(folder, error.strerror)) from error
    return folder
