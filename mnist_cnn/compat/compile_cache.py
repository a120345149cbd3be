"""Theano's cache of compiled modules: damaged ones are removed, all are found again."""

import contextlib
import functools
import hashlib
import importlib.abc
import logging
import os
import shlex
import shutil
import struct
import sys
import tempfile
from pathlib import Path

__all__ = [
    "check_cache_folder",
    "compile_cache_is_empty",
    "find_truncated_extensions",
    "remove_truncated_modules",
    "find_modules_again",
]


def _is_truncated(path):
    """Whether a compiled module ends before its section headers do; loading it is a SIGBUS."""
    with open(path, "rb") as file:
        header = file.read(64)
        size = os.fstat(file.fileno()).st_size
    if header[:5] != b"\x7fELF\x02":  # another system's format: known to be bad when empty
        return size == 0 or header[:4] == b"\x7fELF"[:size]
    if size < 64:
        return True
    (offset,) = struct.unpack_from("<Q", header, 0x28)
    entry_size, entries = struct.unpack_from("<HH", header, 0x3A)
    return size < offset + entry_size * entries


class _TruncatedExtensions(importlib.abc.MetaPathFinder):
    """Removes the modules that Theano keeps for itself where they are truncated.

    A machine that went down while they were written leaves them so, and every later start would
    die of SIGBUS. Theano compiles those anew that it does not find.
    """

    names = ("cutils_ext", "lazylinker_ext", "scan_perform")

    def find_spec(self, fullname, path, target=None):
        if fullname in self.names:
            for folder in sys.path:
                module = Path(folder, fullname, fullname + ".so")
                if module.exists() and _is_truncated(module):
                    shutil.rmtree(module.parent, ignore_errors=True)
        return None  # the ordinary finders go on


def find_truncated_extensions():
    """Have Theano's own modules checked as they are imported.

    Examples
    --------
    >>> import sys
    >>> import mnist_cnn  # calls it
    >>> [type(finder).__name__ for finder in sys.meta_path].count("_TruncatedExtensions")
    1
    """
    sys.meta_path.insert(0, _TruncatedExtensions())


def remove_truncated_modules(compiledir):
    """Remove the truncated modules of users' graphs; one without a key is being compiled now.

    Files in the place of their folders go as well: Theano ends with a traceback where one lies.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.compat.compile_cache import remove_truncated_modules
    >>> module = Path("cache/tmp1/module.so")
    >>> module.parent.mkdir(parents=True)
    >>> _ = module.write_bytes(b""), module.with_name("key.pkl").write_bytes(b"")
    >>> remove_truncated_modules("cache")
    >>> module.exists()
    False
    """
    for module in Path(compiledir).glob("tmp*/*.so"):
        if (module.parent / "key.pkl").exists() and _is_truncated(module):
            shutil.rmtree(module.parent, ignore_errors=True)
    for path in Path(compiledir).glob("tmp*"):
        if path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


def compile_cache_is_empty():
    """Whether Theano has compiled nothing yet on this machine, so that the start takes long.

    Examples
    --------
    >>> from mnist_cnn.compat import compile_cache_is_empty
    >>> compile_cache_is_empty() in (False, True)
    True
    """
    import theano

    return not any(Path(theano.config.compiledir).glob("tmp*"))


def check_cache_folder(flags):
    """Refuse a folder for compiled modules that cannot hold them; remove locks that nobody holds.

    Parameters
    ----------
    flags : dict
        Theano's options, as `mnist_cnn.compat.flags.user_flags` returns them and ours.

    Raises
    ------
    OSError
        When it cannot be made, or its disk is mounted noexec: Theano would compile each module, fail to load it,
        and compile it again, for ever.

    Examples
    --------
    >>> from mnist_cnn.compat.compile_cache import check_cache_folder
    >>> check_cache_folder({"base_compiledir": "cache"})  # says nothing where all is well
    """
    value = flags.get("compiledir") or flags.get("base_compiledir")
    if not value:
        return
    folder = Path(os.path.expanduser("".join(shlex.split(value))))
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OSError(
            "Unable to create the compiledir {}: {}; set HOME, or name another: "
            "THEANO_FLAGS=base_compiledir=DIR".format(folder, error.strerror)
        ) from error
    if hasattr(os, "statvfs") and os.statvfs(str(folder)).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise OSError(
            "the folder {} for compiled modules is on a disk that runs no programs (mounted "
            "noexec); name another: THEANO_FLAGS=base_compiledir=DIR".format(folder)
        )
    timeout = float(flags.get("compile.timeout") or 120)
    for lock in folder.glob("lock_dir" if flags.get("compiledir") else "*/lock_dir"):
        _remove_stale_lock(lock, timeout)


def _remove_stale_lock(lock, timeout):
    """Remove a lock of Theano's that is older than it waits for one.

    It knows whether a process of this machine is alive, but for another machine's it waits that long
    in any case, even if the lock is two days old.
    """
    with contextlib.suppress(OSError):
        changed = max(path.stat().st_mtime for path in (lock, *lock.iterdir()))
        with tempfile.TemporaryFile(dir=str(lock.parent)) as file:
            now = os.fstat(file.fileno()).st_mtime  # by the clock of the disk, be it another machine's
        # one of the future: a clock that was wrong
        if abs(now - changed) > timeout:
            shutil.rmtree(lock)
            logging.getLogger("theano").warning(
                "Removed the lock %s, which is %.0f minutes old", lock, abs(now - changed) / 60
            )


class _VersionedProps(tuple):
    """An empty ``__props__`` that is true, and plain ``()`` again when pickled."""

    def __bool__(self):
        return True

    def __reduce__(self):
        return tuple, ()


def find_modules_again():
    """Mend the keys of modules that no later process would find: a warm start compiles nothing.

    Examples
    --------
    >>> import mnist_cnn  # calls it
    >>> import theano
    >>> hasattr(theano.gof.cc.CLinker.cmodule_key_, "__wrapped__")
    True
    """
    from theano.gof import COp
    from theano.gof.cc import CLinker
    from theano.gof.cmodule import ModuleCache

    cmodule_key, c_code_cache_version = CLinker.cmodule_key_, COp.c_code_cache_version

    @functools.wraps(cmodule_key)
    def cmodule_key_(self, fgraph, *args, **kwargs):
        # Theano adds an Op's __props__ to its version and takes an empty one for "has no version":
        # seven modules of ours (Dot22, the softmax gradient and others) would be compiled again at
        # every start, 8 seconds in all.
        for node in fgraph.toposort():
            if getattr(type(node.op), "__props__", None) == ():
                type(node.op).__props__ = _VersionedProps()
        return cmodule_key(self, fgraph, *args, **kwargs)

    @functools.wraps(c_code_cache_version)
    def c_code_cache_version_(self):
        # Theano takes hash() of the C code, which Python salts anew in every process: an Op with
        # its code in a file of its own (DimShuffle, most of the GPU's) is never found in the cache.
        digest = hashlib.sha256("\0".join(self.func_codes).encode()).hexdigest()
        return (digest,) + c_code_cache_version(self)[1:]

    on_atexit = ModuleCache._on_atexit

    @functools.wraps(on_atexit)
    def on_atexit_(self):
        # Another process may tidy the same folder up: "'NoneType' object is not iterable".
        with contextlib.suppress(Exception):
            on_atexit(self)

    ModuleCache._on_atexit = on_atexit_
    CLinker.cmodule_key_, COp.c_code_cache_version = cmodule_key_, c_code_cache_version_
