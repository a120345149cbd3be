"""Files that are written whole or not at all, and arrays from files that nobody vouches for."""

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
from pathlib import Path

from ..system.errors import MnistCnnError

MIN_FREE = 8 * 10**6  # bytes: the weights, the checkpoint, and both a second time while written


@contextlib.contextmanager
def atomic_open(path, mode="wb", **kwargs):
    """Open a file for writing that takes its name only when all of it is on the disk.

    Parameters
    ----------
    path : path-like
        The file. It may exist; it is replaced when the block ends, and left as it was when the
        block raises.
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
            os.replace(part, path)  # while it is locked: nobody cleans it away
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror or error)) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _create_part(path):
    """Create the file that takes a path's name once it is whole, locked; its path and descriptor.

    Its name is random, and it is neither opened where one of that name lies nor through a link:
    numbers of processes repeat in containers that share a volume, and who guesses a name in an open
    folder could plant a link to another's file there.
    """
    while True:
        part = path.with_name(".{}.{}.part".format(path.name, secrets.token_hex(8)))
        number = os.open(str(part), os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
        lock(number)
        if os.name == "nt" or os.path.lexists(str(part)):
            return part, number
        os.close(number)  # it was cleaned away before it was locked


#: No link is followed, no pipe waited for, no line's end translated; nor are these a child's.
_FLAGS = functools.reduce(
    operator.or_, (getattr(os, "O_" + name, 0) for name in ("NOFOLLOW", "NONBLOCK", "BINARY", "CLOEXEC"))
)


def lock(number, wait=True):
    """Lock an open file, or folder, until it is closed; False where another process has it locked.

    The system ends a lock with its process. Unlike a process' number it holds across containers.

    Parameters
    ----------
    number : int
        The file's descriptor.
    wait : bool
        Whether to wait for another process' lock.

    Returns
    -------
    bool or None
        None where the disk, or the system, has no locks.

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
    except (ImportError, OSError):  # Windows, or some network's disk
        return None
    return True


def _remove_parts(path):
    """Remove what killed processes left of a file half-written: it is locked by nobody."""
    for part in path.parent.glob(".{}.*.part".format(glob.escape(path.name))):
        with contextlib.suppress(OSError):
            number = os.open(str(part), os.O_RDONLY | _FLAGS)
            try:
                if lock(number, wait=False):
                    part.unlink()
            finally:
                os.close(number)


def open_part(path):
    """Open a file for reading and writing bytes, made where there is none; OSError through a link."""
    number = os.open(str(path), os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "{} is a device or a pipe, not a file".format(path))
    return open(number, "r+b")


def check_writable(path):
    """Find out before a long computation whether its result can be written.

    What killed processes left beside it, half-written, is removed.

    Parameters
    ----------
    path : path-like
        The file to be written later. It is not touched.

    Raises
    ------
    MnistCnnError
        When `path` is a folder, its folder is missing or takes no new file, or the disk is full.
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
    if disk.free < MIN_FREE and disk.total:  # what is no disk has no size
        raise MnistCnnError("cannot write {}: fewer than {} MB are free on its disk".format(path, MIN_FREE // 10**6))


def _resolve(path):
    """Where an output is written. A link stays a link: what it points to is replaced.

    But for another user's in an open folder such as /tmp, which may lead to any file of ours; the
    system itself follows none of these.
    """
    path = Path(path)
    _require_file(path)
    with contextlib.suppress(OSError):  # it is not there
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
    """Refuse what a file cannot take the place of; what is not there yet will be one."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:  # a name too long, a folder that is none or may not be looked into
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror)) from error
    if stat.S_ISDIR(mode):
        raise MnistCnnError("cannot write {}: it is a folder; name a file".format(path))
    if not stat.S_ISREG(mode):
        raise MnistCnnError("cannot write {}: it is a device or a pipe; name a file".format(path))


def open_regular(path):
    """Open a file for reading bytes; OSError also where it is a device or a pipe.

    Those may never begin or never end: /dev/zero, a terminal.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file")
    return open(path, "rb")


def keep_apart(inputs, outputs):
    """Refuse to write over what is read, or over one file twice, by whatever spelling of its path.

    Parameters
    ----------
    inputs : sequence of path-like
        The files that are read. None stands for one that is not; missing files are no fault here.
    outputs : sequence of path-like
        The files that will be written.

    Raises
    ------
    MnistCnnError
        When two paths lead to the same file: through links, relative, or in other letters where
        the disk takes them for the same.
    """
    outputs = [Path(output) for output in outputs]
    for output, path in itertools.product(outputs, map(Path, filter(None, inputs))):
        with contextlib.suppress(OSError):  # one is not there, so they are two
            if os.path.samefile(output, path):
                raise MnistCnnError(
                    "{} would be written over {}, which is read; name another output".format(output, path)
                )
    for output, other in itertools.combinations(outputs, 2):
        # of files that are not there yet nobody knows whether their disk tells letters apart
        if _spelling(output) == _spelling(other):
            raise MnistCnnError("{} and {} would be written over each other; name another output".format(output, other))


def _spelling(path):
    """A path as the least discerning disk knows it: without links, without capitals."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def make_folder(path):
    """Make a folder, and those above it, where it is missing.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    MnistCnnError
        When it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MnistCnnError("cannot make the folder {}: {}".format(folder, error.strerror)) from error
    return folder
