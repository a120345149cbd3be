"""Files that are written whole or not at all."""

import contextlib
import os
from pathlib import Path

from .errors import MnistCnnError


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
    path = Path(os.path.realpath(path))  # a link stays a link: what it points to is replaced
    part = path.with_name(".{}.{}.part".format(path.name, os.getpid()))
    try:
        with open(part, mode, **kwargs) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror or error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def check_writable(path):
    """Find out before a long computation whether its result can be written.

    Parameters
    ----------
    path : path-like
        The file to be written later. It is not touched.

    Raises
    ------
    MnistCnnError
        When `path` is a folder, or its folder is missing or takes no new file.
    """
    path = Path(path)
    if path.is_dir():
        raise MnistCnnError("cannot write {}: it is a folder; name a file".format(path))
    if not path.parent.is_dir():
        raise MnistCnnError("cannot write {}: there is no folder {}; create it first"
                            .format(path, path.parent))
    probe = path.with_name(".{}.{}.probe".format(path.name, os.getpid()))
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(path, error.strerror)) from error
