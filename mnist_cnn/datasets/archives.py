"""Files in an untrusted zip or tar archive, read in memory.

Nothing is unpacked onto the disk, so a path in an archive can do no harm. An archive with a path out of
its folder, a link or a device is refused all the same.
"""

import contextlib
import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ..storage.npz import MAX_REASON, ZipReader
from ..system.errors import MnistCnnError

__all__ = ["read_tar", "open_in_zip"]

MAX_MEMBERS = 1000
MAX_TOTAL = 2**28  # bytes of a tar archive, unpacked; CIFAR-10 has 186 million


@contextlib.contextmanager
def _refused(path):
    """Turn the exceptions of a damaged or hostile archive into MnistCnnError."""
    try:
        yield
    except FileNotFoundError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror)) from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        OSError,
        ValueError,
        OverflowError,
        RuntimeError,
        NotImplementedError,
        MemoryError,
    ) as error:
        # RuntimeError: an encrypted file, or a thousand nested headers
        said = " ".join(str(error).split())[:MAX_REASON]
        reason = getattr(error, "strerror", None) or said or "damaged"
        raise MnistCnnError("{} is not a valid archive: {}".format(path, reason)) from error


def _check_name(name):
    """Refuse a path that leads out of the folder it would be unpacked into."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise ValueError("it holds the path {!r}, which leads out of its folder".format(name))


class _Bounded(io.RawIOBase):
    """A stream that raises ValueError after `limit` bytes."""

    def __init__(self, file, limit):
        self.file, self.left = file, limit

    def readable(self):
        return True

    def readinto(self, buffer):
        block = self.file.read(min(len(buffer), self.left + 1))
        self.left -= len(block)
        if self.left < 0:
            raise ValueError("it unpacks to more than {} MB".format(MAX_TOTAL // 10**6))
        buffer[: len(block)] = block
        return len(block)


def read_tar(path: Path | str, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Read some files of a tar archive, gzipped or plain.

    Parameters
    ----------
    path : path-like
        The archive.
    wanted : dict
        From a file's name, without its folders, to its largest size in bytes.

    Returns
    -------
    dict
        From each name in the archive to its content, bytes.

    Raises
    ------
    MnistCnnError
        When the archive cannot be read, or holds a link, a device or a path out of its folder.
    """
    with _refused(path), contextlib.ExitStack() as stack:
        packed = stack.enter_context(open(path, "rb"))
        is_gzip = packed.peek(2)[:2] == b"\x1f\x8b"
        file = stack.enter_context(gzip.GzipFile(fileobj=packed)) if is_gzip else packed
        archive = stack.enter_context(
            tarfile.open(fileobj=io.BufferedReader(_Bounded(file, MAX_TOTAL), 2**16), mode="r|")
        )
        found = {}
        for count, member in enumerate(archive, 1):
            if count > MAX_MEMBERS:
                raise ValueError("it holds more than {} files".format(MAX_MEMBERS))
            _check_name(member.name)
            if not (member.isreg() or member.isdir()):
                raise ValueError("it holds a link or a device, {!r}".format(member.name))
            name = PurePosixPath(member.name).name
            content = archive.extractfile(member) if name in wanted else None
            if content is None:  # a folder, or of no interest
                continue
            if name in found:
                raise ValueError("it holds {} twice".format(name))
            if member.size > wanted[name]:
                raise ValueError("its {} has {} bytes, more than {}".format(name, member.size, wanted[name]))
            found[name] = content.read()
            if len(found[name]) < member.size:
                raise ValueError("it ends within {}".format(name))
        return found


@contextlib.contextmanager
def open_in_zip(path: Path | str, names: Sequence[str]) -> Iterator[zipfile.ZipExtFile | None]:
    """Open a file of a zip archive.

    Parameters
    ----------
    path : path-like
        The archive.
    names : sequence of str
        Possible names of the file, without its folders; the first one found counts.

    Yields
    ------
    file object or None
        None when there is no such file.

    Raises
    ------
    MnistCnnError
        When the archive cannot be read, or holds a link or a path out of its folder.
    """
    with _refused(path), ZipReader(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise ValueError("it holds more than {} files".format(MAX_MEMBERS))
        for member in members:
            _check_name(member.filename)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ValueError("it holds a link, {!r}".format(member.filename))
        for name in names:
            found = [member for member in members if PurePosixPath(member.filename).name == name]
            if len(found) > 1:
                raise ValueError("it holds {} twice".format(name))
            if found:
                with archive.open(found[0]) as file:
                    yield file  # type: ignore[misc]  # typeshed says IO[bytes]
                return
        yield None
