"""Several processes compile into one cache, and none waits for another.

Theano lets one process compile at a time, and takes the lock from another after a while, even if that lives. Here
every process compiles outside of the cache, and a module appears there whole: its library first, then the file with
its key, by which others find it. Where two compile the same module, later starts load one of them. A lock of the
system, which ends with its process, guards what is left: Theano's two modules of its own, at the first start of all,
and the removal of old modules.
"""

import contextlib
import importlib
import logging
import os
import pickle
import shutil
import tempfile
import time

from ...storage.atomic import lock
from ..import_hooks import LINES, after, wrap

__all__ = []

_POLL = 0.05  # seconds


@after("theano.gof.compilelock")
def _lock_by_the_system(module):
    def get_lock(lock_dir=None, **kwargs):
        if get_lock.lock_is_enabled and get_lock.n_lock == 0:
            get_lock.file = _locked_file(module.config)
            importlib.invalidate_caches()  # another process may have compiled what this one imports next
        get_lock.n_lock += 1

    def release_lock():
        get_lock.n_lock -= 1
        if get_lock.n_lock == 0 and get_lock.file is not None:
            os.close(get_lock.file)
            get_lock.file = None

    @contextlib.contextmanager
    def lock_ctx(lock_dir=None, keep_lock=False, **kwargs):
        get_lock()
        try:
            yield
        except BaseException:
            release_lock()
            raise
        if not keep_lock:
            release_lock()

    get_lock.n_lock, get_lock.lock_is_enabled, get_lock.file = 0, True, None
    module.get_lock = module._get_lock = get_lock
    module.release_lock, module.lock_ctx = release_lock, lock_ctx


def _locked_file(config):
    """The descriptor of the cache's locked file; None where the disk has no locks, or a process is stuck."""
    try:
        number = os.open(os.path.join(config.compiledir, "lock"), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # a cache that can only be read
        return None
    end = time.monotonic() + config.compile.timeout
    while lock(number, wait=False) is False and time.monotonic() < end:
        time.sleep(_POLL)
    return number


LINES.setdefault("theano.gof.cmodule", []).extend(
    [
        ("with compilelock.lock_ctx(keep_lock=keep_lock):\n            # 1) Maybe", "if True:\n            # 1) Maybe"),
        # folders that another process removes meanwhile
        ("files = os.listdir(root)", "files = _files(root)"),
        ("files = os.listdir(a[0])", "files = _files(a[0])"),
    ]
)
LINES.setdefault("theano.gof.cc", []).extend(
    [
        ("        get_lock()\n        try:\n            _logger.debug", "        try:\n            _logger.debug"),
        ("        finally:\n            release_lock()\n        return module\n", "        return module\n"),
    ]
)


def _files(folder):
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


@after("theano.gof.cmodule")
def _show_whole_modules_alone(module):
    module._files = _files

    @wrap(module, "dlimport_workdir")
    def dlimport_workdir(old, basedir):
        # other processes remove empty folders
        while True:
            folder = old(basedir)
            with contextlib.suppress(FileNotFoundError):
                open(os.path.join(folder, "__init__.py"), "w").close()
                return folder

    @wrap(module.GCC_compiler, "compile_str")
    def compile_str(old, module_name, src_code, location=None, *args, py_module=True, **kwargs):
        folder = tempfile.mkdtemp(dir=os.path.dirname(location))
        try:
            old(module_name, src_code, folder, *args, py_module=False, **kwargs)
            for name in os.listdir(folder):
                os.replace(os.path.join(folder, name), os.path.join(location, name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if py_module:
            open(os.path.join(location, "__init__.py"), "w").close()
            return module.dlimport(os.path.join(location, "{}.{}".format(module_name, module.get_lib_extension())))
        return None

    @wrap(module.KeyData, "save_pkl")
    def save_pkl(old, self):
        part = "{}.{}".format(self.key_pkl, os.getpid())
        try:
            with open(part, "wb") as file:
                pickle.dump(self, file, pickle.HIGHEST_PROTOCOL)
            os.replace(part, self.key_pkl)
        except (pickle.PicklingError, AttributeError, TypeError) as error:  # such as an Op's class in a function
            logging.getLogger("theano.gof.cmodule").debug("The key cannot be pickled: %s", self.keys)
            with contextlib.suppress(OSError):
                os.remove(self.key_pkl)
            raise pickle.PicklingError(str(error)) from error
        finally:
            with contextlib.suppress(OSError):
                os.remove(part)
