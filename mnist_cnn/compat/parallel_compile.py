"""Compiles the modules of a graph several at a time, before Theano asks for them, with the headers parsed once."""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor, TimeoutError
from pathlib import Path

import theano
import theano.tensor

from ..storage.atomic import lock
from ..system.errors import Interrupted
from ..system.machine import cores
from .compile_cache import compile_cache_is_empty
from .import_hooks import wrap

__all__ = ["apply"]

#: The headers of nearly every module that Theano writes, in its order, and of the fused layers'.
_COMMON_HEADERS = """\
#include <Python.h>
#include <iostream>
#include <math.h>
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>
#include <vector>
#include <algorithm>
#ifdef _OPENMP
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <thread>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#endif
"""


def _compiler_call(flags, folders, output, *args):
    """Theano's call of the compiler without debugging information, which takes a tenth of the time."""
    return [
        theano.config.cxx,
        "-shared",
        *flags,
        "-g0",
        "-fvisibility=hidden",
        *("-I" + folder for folder in folders if folder),
        "-o",
        str(output),
        *args,
    ]


def _prepare(folder, name, source, flags, include, lib, libs, header):
    """Write a module's code to a folder; the call that compiles it, with parsed headers or without, and its library."""
    cmodule = theano.gof.cmodule
    code, library = Path(folder, "mod.cpp"), Path(folder, "{}.{}".format(name, cmodule.get_lib_extension()))
    code.write_text(source + "\n")
    call = _compiler_call(
        flags,
        [*include, *cmodule.std_include_dirs()],
        library,
        *(() if header is None else ("-include", str(header.result()))),
        str(code),
        *("-L" + path for path in [*lib, *cmodule.std_lib_dirs()] if path),
        *("-l" + other for other in [*libs, *cmodule.std_libs()]),
    )
    return call, library


def _compile(call, folder):
    """Start a compiler, muted. If it is killed, its temporary files are in the folder."""
    return subprocess.Popen(
        call,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, TMPDIR=str(folder)),
    )


class _TemporaryFolder:
    """A temporary folder, locked while it is in use; folders of killed processes are removed."""

    def __init__(self):
        for path in Path(tempfile.gettempdir()).glob("mnist_cnn-*-*"):
            with contextlib.suppress(OSError):
                folder = os.open(str(path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    if lock(folder, wait=False):
                        shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(folder)
        # Another process may remove it before it is locked: then a compilation fails, and Theano repeats it.
        self.name = tempfile.mkdtemp(prefix="mnist_cnn-{}-".format(os.getpid()))
        self.number = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        lock(self.number)

    def cleanup(self):
        shutil.rmtree(self.name, ignore_errors=True)
        os.close(self.number)


class _ParsedHeaders:
    """The common headers, which a compiler parses in the background for one set of flags."""

    def __init__(self, flags):
        self.folder = _TemporaryFolder()
        self.path = Path(self.folder.name, "common.h")
        self.path.write_text(_COMMON_HEADERS)
        self.process = _compile(
            _compiler_call(
                flags,
                theano.gof.cmodule.std_include_dirs(),
                str(self.path) + ".gch",
                "-x",
                "c++-header",
                str(self.path),
            ),
            self.folder.name,
        )

    def is_ready(self):
        return self.process.poll() is not None

    def result(self):
        """The header's path after it is parsed; where that failed the compiler reads the header itself."""
        self.process.wait()
        return self.path

    def close(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class _KeptHeaders:
    """The parsed headers of a process, kept for graphs that follow soon: they take 120 MB."""

    SECONDS = 20

    def __init__(self):
        self.begin()

    def begin(self):
        """Begin without any; a forked child does, because the headers are its parent's to remove."""
        self.of_flags, self.users, self.timer = {}, 0, None
        self.modules, self.last = Counter(), 0
        self.lock = threading.Lock()

    def parse(self, flags):
        with contextlib.suppress(OSError):  # such as a full disk: compilers read them
            self.of_flags[flags] = _ParsedHeaders(flags)

    def take(self, uses):
        """The headers for more modules, as many as are named of each set of flags. Who has them calls `give_back`."""
        with self.lock:
            self.users += 1
            if time.monotonic() - self.last > self.SECONDS:
                self.modules.clear()
            self.modules.update(uses)
            self.last = time.monotonic()
            for flags in uses:  # parsing costs as much as three modules save
                if self.modules[flags] > 2 and flags not in self.of_flags:
                    self.parse(flags)
            return dict(self.of_flags)

    def give_back(self):
        with self.lock:
            self.users -= 1
            if self.timer is not None:
                self.timer.cancel()
            if self.of_flags:
                self.timer = threading.Timer(self.SECONDS, self.close_unused)
                self.timer.daemon = True
                self.timer.start()

    def close_unused(self):
        with self.lock:
            if self.users <= 0:
                self._close()

    def close(self):
        """Remove them at the end of the process, which the timer may be doing."""
        with self.lock:
            self._close()

    def _close(self):
        for headers in self.of_flags.values():
            headers.close()
        self.of_flags.clear()


_headers = _KeptHeaders()
atexit.register(_headers.close)


class _CompiledElsewhere(Exception):
    """Another process has put the module into the cache meanwhile."""


class _Builds:
    """The compilations for a graph.

    Theano runs one compiler at a time, and has it parse the headers of Python and NumPy for each
    of some forty modules: a first start would take twice as long on two cores (64 seconds for 26).
    """

    def __init__(self, fgraph):
        self.fgraph = fgraph
        self.folder = self.pool = None
        self.headers = None  # compiler flags to the common headers parsed with these
        self.libraries = {}  # a module's source to the Future of its library
        self.hashes = {}  # a module's source to its name in Theano's cache
        self.turn = None  # a file, locked by the first process that compiles into the cache
        self.lock, self.processes, self.closed = threading.Lock(), [], False

    def start(self):
        """Start to compile all modules of the graph that are not in Theano's cache."""
        self.folder = _TemporaryFolder()
        self.pool = ThreadPoolExecutor(min(4, cores()))
        cache = theano.gof.cc.get_module_cache()
        linkers = {}
        for node in self.fgraph.toposort():
            try:
                linker = theano.gof.cc.CLinker().accept(theano.gof.FunctionGraph(node.inputs, node.outputs))
                key, source = linker.cmodule_key(), linker.get_src_code()
                # Two Ops that differ at run time only have one source, and one module.
                module_hash = theano.gof.cmodule.get_module_hash(source, key)
                if key not in cache.entry_from_key and module_hash not in cache.module_hash_to_key_data:
                    linkers[source], self.hashes[source] = linker, module_hash
            except Exception:  # most often an Op without C code; Theano will report others
                continue
        self.headers = _headers.take(Counter(tuple(linker.compile_args()) for linker in linkers.values()))
        # Modules with headers of their own take longest, so they come first. A second process begins at the other end,
        # so that each finds what the other has compiled.
        ordered = sorted(linkers.items(), key=lambda item: -len(item[1].header_dirs()))
        for source, linker in ordered if self.is_alone() else reversed(ordered):
            self.libraries[source] = self.pool.submit(self.build, source, linker)

    def is_alone(self):
        """Whether no other process compiles into the cache; from now on others find that one does."""
        with contextlib.suppress(OSError):
            self.turn = open(os.path.join(theano.config.compiledir, "compiling"), "w")
            return lock(self.turn.fileno(), wait=False) is not False
        return True

    def build(self, source, linker):
        flags, folder = tuple(linker.compile_args()), tempfile.mkdtemp(dir=self.folder.name)
        name, header = linker.get_dynamic_module().code_hash, self.headers.get(flags)
        call, library = _prepare(
            folder, name, source, flags, linker.header_dirs(), linker.lib_dirs(), linker.libraries(), header
        )
        with self.lock:
            if self.closed:
                return None
            process = _compile(call, folder)
            self.processes.append(process)
        return library if process.wait() == 0 else None

    def take(self, source, location):
        """Move a module to the folder that Theano chose; its path there, or None where there is none."""
        try:
            if self.pool is None:
                self.start()
            library = self.wait(source) if source in self.libraries else None
            if library is None:
                return None
            # another process may have removed the folder while it was empty
            os.makedirs(location, exist_ok=True)
            shutil.move(str(library.with_name("mod.cpp")), os.path.join(location, "mod.cpp"))
            return shutil.move(str(library), os.path.join(location, library.name))
        except (OSError, CancelledError):  # such as a full disk: Theano compiles it itself
            return None

    def wait(self, source):
        """The library of a module, when it is compiled; looks for it in the cache meanwhile, too."""
        while True:
            with contextlib.suppress(TimeoutError):
                return self.libraries[source].result(timeout=0.5)
            cache = theano.gof.cc.get_module_cache()
            cache.refresh(cleanup=False)
            for other, future in self.libraries.items():
                if self.hashes[other] in cache.module_hash_to_key_data:
                    future.cancel()
            if self.hashes[source] in cache.module_hash_to_key_data:
                raise _CompiledElsewhere

    def close(self):
        if self.turn is not None:
            self.turn.close()
        if self.pool is not None:
            with self.lock:
                self.closed = True  # after an interrupt no further compilation starts
            for future in self.libraries.values():
                future.cancel()
            for process in self.processes:
                process.kill()
            self.pool.shutdown()
            self.folder.cleanup()
            if self.headers is not None:
                _headers.give_back()


_builds = []  # of the graph that is compiled now, last; before it those of the loops around it


def _make_all(old, self, *args, **kwargs):
    if self.c_thunks is False:  # a mode that runs Python: only an Op or two have no other form than C
        return old(self, *args, **kwargs)
    _builds.append(_Builds(self.fgraph))
    try:
        return old(self, *args, **kwargs)
    finally:
        _builds.pop().close()


def _compile_str(old, module_name, src_code, location=None, *args, **kwargs):
    library = _builds[-1].take(src_code, location) if _builds else None
    if library is None:
        library = _compile_alone(module_name, src_code, location, *args, **kwargs)
    if library is None:  # Theano reports what is wrong
        return old(module_name, src_code, location, *args, **kwargs)
    return theano.gof.cmodule.dlimport(library)


def _compile_alone(name, source, location, include_dirs=(), lib_dirs=(), libs=(), preargs=(), **others):
    """Compile an Op's module in Theano's folder with the parsed headers; None where there are none yet, or it fails."""
    if others or "theano_mod_helper.h" not in source:
        return None
    flags = tuple(preargs)
    header = _headers.take({flags: 1}).get(flags)
    try:
        if header is None or not header.is_ready():
            return None
        call, library = _prepare(location, name, source, flags, include_dirs, lib_dirs, libs, header)
        process = _compile(call, location)
        try:
            return str(library) if process.wait() == 0 else None
        finally:
            process.kill()
            process.wait()
    except OSError:  # such as a full disk
        return None
    finally:
        _headers.give_back()


def _module_from_key(old, *args, **kwargs):
    try:
        return old(*args, **kwargs)
    except _CompiledElsewhere:  # and found now
        return old(*args, **kwargs)


def _interrupted(old, *args, **kwargs):
    """Have Ctrl-C raise an `Interrupted`, which a notebook shows in a line, without Theano's traceback."""
    try:
        return old(*args, **kwargs)
    except Interrupted:
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(signal.SIGINT) from error


def _parse_headers_early():
    """Parse the headers of a first start while the data is read and graphs are built."""
    x = theano.tensor.fvector()
    for openmp in {False, theano.config.openmp}:  # two sets of flags
        total = theano.tensor.Elemwise(theano.scalar.add, openmp=openmp)(x, x)
        linker = theano.gof.cc.CLinker().accept(theano.gof.FunctionGraph([x], [total]))
        _headers.parse(tuple(linker.compile_args()))


def apply() -> None:
    """Have Theano take modules from these compilations, with g++ on Linux; make Ctrl-C an `Interrupted`."""
    for name in ("__init__", "create"):
        wrap(theano.compile.FunctionMaker, name)(_interrupted)
    if (
        sys.platform == "linux"
        and "clang" not in theano.config.cxx
        and not theano.config.cmodule.remove_gxx_opt
        and not theano.config.cmodule.compilation_warning
    ):
        os.register_at_fork(after_in_child=_headers.begin)
        wrap(theano.gof.vm.VM_Linker, "make_all")(_make_all)
        wrap(theano.gof.cmodule.GCC_compiler, "compile_str")(_compile_str)
        wrap(theano.gof.cmodule.ModuleCache, "module_from_key")(_module_from_key)
        if theano.config.cxx and compile_cache_is_empty():
            _parse_headers_early()
