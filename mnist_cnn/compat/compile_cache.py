"""Theano's cache of compiled modules: damaged ones are removed, and all others found again."""

import contextlib
import hashlib
import importlib.abc
import os
import shlex
import shutil
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from .import_hooks import wrap

__all__ = [
    "check_cache_folder",
    "compile_cache_is_empty",
    "find_truncated_extensions",
    "remove_truncated_modules",
    "find_modules_again",
]


def _is_truncated(path):
    """Whether a compiled module is shorter than its headers say; loading it would be a SIGBUS."""
    with open(path, "rb") as file:
        header = file.read(64)
        size = os.fstat(file.fileno()).st_size
    if header[:5] != b"\x7fELF\x02":  # another format: truncated if empty
        return size == 0 or header[:4] == b"\x7fELF"[:size]
    if size < 64:
        return True
    (offset,) = struct.unpack_from("<Q", header, 0x28)
    entry_size, entries = struct.unpack_from("<HH", header, 0x3A)
    return size < offset + entry_size * entries


class _TruncatedExtensions(importlib.abc.MetaPathFinder):
    """Removes Theano's own modules where they are truncated, so that Theano compiles them again.

    They are truncated where the machine went down while they were written. Every later start would
    die of SIGBUS.
    """

    names = ("cutils_ext", "lazylinker_ext", "scan_perform")

    def find_spec(self, fullname, path, target=None):
        if fullname in self.names:
            for folder in sys.path:
                module = Path(folder, fullname, fullname + ".so")
                if module.exists() and _is_truncated(module):
                    shutil.rmtree(module.parent, ignore_errors=True)
        return None  # the ordinary finders go on


def find_truncated_extensions() -> None:
    """Have Theano's own modules checked as they are imported."""
    sys.meta_path.insert(0, _TruncatedExtensions())


def remove_truncated_modules(compiledir: Path | str) -> None:
    """Remove the truncated modules of graphs; a module without a key is being compiled now.

    Also remove files in the place of modules' folders, which end Theano with a traceback.
    """
    for module in Path(compiledir).glob("tmp*/*.so"):
        if (module.parent / "key.pkl").exists() and _is_truncated(module):
            shutil.rmtree(module.parent, ignore_errors=True)
    for path in Path(compiledir).glob("tmp*"):
        if path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


def compile_cache_is_empty() -> bool:
    """Whether Theano has compiled nothing yet on this machine, so that the start takes long."""
    import theano

    return not any(Path(theano.config.compiledir).glob("tmp*"))


def check_cache_folder(flags: Mapping[str, str]) -> None:
    """Check the folder for compiled modules.

    Parameters
    ----------
    flags : dict
        Theano's options: the user's and ours.

    Raises
    ------
    OSError
        When the folder cannot be made, or its disk is mounted noexec: Theano would compile each module, fail to
        load it, and compile it again, for ever.
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


class _VersionedProps(tuple):
    """An empty ``__props__`` that is true, and plain ``()`` again when pickled."""

    def __bool__(self):
        return True

    def __reduce__(self):
        return tuple, ()


def find_modules_again() -> None:
    """Mend the keys of modules that no later process would find: a warm start compiles nothing."""
    from theano.gof import COp
    from theano.gof.cc import CLinker
    from theano.gof.cmodule import ModuleCache

    @wrap(CLinker, "cmodule_key_")
    def cmodule_key(old, self, fgraph, *args, **kwargs):
        # Theano adds an Op's __props__ to its version and takes an empty one for "has no version":
        # seven modules (Dot22, the softmax gradient and others) would be compiled again at every
        # start, 8 seconds in all.
        for node in fgraph.toposort():
            if getattr(type(node.op), "__props__", None) == ():
                type(node.op).__props__ = _VersionedProps()
        return old(self, fgraph, *args, **kwargs)

    @wrap(COp, "c_code_cache_version")
    def c_code_cache_version(old, self):
        # Theano takes hash() of the C code, which Python salts anew in every process: an Op with
        # its code in a file of its own (DimShuffle, most of the GPU's) is never found in the cache.
        digest = hashlib.sha256("\0".join(self.func_codes).encode()).hexdigest()
        return (digest,) + old(self)[1:]

    @wrap(ModuleCache, "_on_atexit")
    def on_atexit(old, self):
        # Another process may clean the same folder up: "'NoneType' object is not iterable".
        with contextlib.suppress(Exception):
            old(self)
