"""A short start: imports that nobody needs are left out, and what the compiler said is kept."""

import contextlib
import functools
import gc
import importlib
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import platform
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

from .defaults import pkg_resources_stand_in

__all__ = ["lean_imports", "import_gpuarray_when_asked", "remember_the_compiler", "fault_of_compiler",
           "skip_source_lines"]


# --- as Theano is imported ---------------------------------------------------------------------

@contextlib.contextmanager
def _stand_ins(modules):
    """Put modules in the place of those that are not imported yet; take them out again at the end.

    `modules` maps names to a module, or to None, which makes the import fail.
    """
    modules = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


@contextlib.contextmanager
def _plain_distutils():
    """Let Theano have Python's own distutils: setuptools' brings all of setuptools, 0.05 s.

    It is taken out again, for setuptools warns where it finds it.
    """
    if "distutils" in sys.modules or "setuptools" in sys.modules:
        yield
        return
    finders = [finder for finder in sys.meta_path
               if getattr(finder, "__name__", type(finder).__name__) == "DistutilsMetaFinder"]
    for finder in finders:
        sys.meta_path.remove(finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 has none
            importlib.import_module("distutils.sysconfig")
        yield
    finally:
        sys.meta_path[:0] = finders
        for name in [name for name in sys.modules if name.partition(".")[0] == "distutils"]:
            del sys.modules[name]


@contextlib.contextmanager
def _no_collections():
    """Keep Python from looking for garbage where modules are made that stay: a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def lean_imports():
    """Keep Theano, as it is imported, from importing what it hardly ever uses: half of the time.

    It looks up SciPy's statistics and special functions where it calls them; SciPy imports its
    parts then by itself.

    Examples
    --------
    >>> import gc
    >>> from mnist_cnn.compat.start import lean_imports
    >>> with lean_imports():
    ...     gc.isenabled()
    False
    """
    import scipy
    import scipy.linalg.blas  # noqa: F401  before the stand-ins: it needs the real ones
    stand_ins = {}
    if hasattr(scipy, "__getattr__"):
        stand_ins = {name: types.ModuleType(name) for name in ("scipy.special", "scipy.stats")}
        # Theano asks it for private functions that SciPy 1.8 has renamed, and fails in any case.
        stand_ins["scipy.signal"] = None
    with _no_collections(), _plain_distutils(), _stand_ins(stand_ins):
        yield


class _Gpuarray(importlib.abc.MetaPathFinder):
    """Gives Theano's GPU part the pkg_resources that it wants, whoever imports it."""

    def find_spec(self, fullname, path, target=None):
        if fullname != "theano.gpuarray":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        exec_module = spec.loader.exec_module

        def exec_module_(module):
            with pkg_resources_stand_in():
                exec_module(module)

        spec.loader.exec_module = exec_module_
        return spec


def import_gpuarray_when_asked():
    """Have ``theano.gpuarray`` imported by its first use: on the CPU nobody needs it.

    Examples
    --------
    >>> import sys
    >>> import mnist_cnn  # calls it
    >>> [type(finder).__name__ for finder in sys.meta_path].count("_Gpuarray")
    1
    """
    import theano

    def __getattr__(name):
        if name == "gpuarray":
            return importlib.import_module("theano.gpuarray")
        raise AttributeError("module 'theano' has no attribute {!r}".format(name))

    sys.meta_path.insert(0, _Gpuarray())
    theano.__getattr__ = __getattr__


# --- as functions are compiled -----------------------------------------------------------------

def _identity_of_compiler():
    """What may change the compiler's answers; the cache's folder has the processor in its name."""
    from theano import config
    from theano.configdefaults import gcc_version_str
    file = os.stat(config.cxx)
    return [os.path.realpath(config.cxx), file.st_size, file.st_mtime_ns, gcc_version_str,
            config.gcc.cxxflags]


class _Answers:
    """The compiler's answers, in a file of the cache's folder; forgotten with another compiler."""

    def __init__(self, path, identity):
        self.path, self.identity, self.values = path, identity, {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(path.read_text())
            if stored["compiler"] == identity:
                self.values = dict(stored["answers"])

    def add(self, name, value):
        self.values[name] = value
        text = json.dumps({"compiler": self.identity, "answers": self.values})
        with contextlib.suppress(OSError):  # a full disk: the compiler is asked again
            with tempfile.NamedTemporaryFile("w", dir=str(self.path.parent), prefix="compiler-",
                                             delete=False) as file:
                file.write(text)
            os.replace(file.name, str(self.path))


_known = []  # the answers of the compiler in use, once there is one


def fault_of_compiler():
    """Why the compiler cannot make a module of Theano's with its flags, or None; asked once.

    Examples
    --------
    >>> from mnist_cnn.compat.start import fault_of_compiler
    >>> print(fault_of_compiler())
    None
    """
    from theano import config
    from theano.gof.cmodule import std_include_dirs
    if any("works" in answers.values for answers in _known):
        return None
    try:
        process = subprocess.run(
            [config.cxx, "-shared", "-fPIC", *config.gcc.cxxflags.split(),
             *("-I" + folder for folder in std_include_dirs()), "-x", "c++", "-", "-o", os.devnull],
            input="#include <Python.h>\n#include <numpy/arrayobject.h>\n", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True, errors="replace")
    except OSError as error:
        return error.strerror
    if process.returncode:
        lines = [line for line in process.stdout.splitlines() if "error" in line]
        return (lines or process.stdout.splitlines() or ["it ends with exit code {}".format(
            process.returncode)])[0].strip()
    for answers in _known:
        answers.add("works", True)
    return None


def remember_the_compiler():
    """Keep which flags this processor takes and whether OpenMP works: four processes a start.

    Examples
    --------
    >>> import mnist_cnn  # calls it
    >>> import theano
    >>> hasattr(theano.gof.cmodule.GCC_compiler.compile_args, "__wrapped__")
    True
    """
    from theano import config
    from theano.gof.cmodule import GCC_compiler
    from theano.gof.op import OpenMPOp
    try:
        answers = _Answers(Path(config.compiledir, "compiler.json"), _identity_of_compiler())
    except OSError:  # no compiler
        return
    _known.append(answers)
    # Where Theano's own modules were compiled just now, the flags are known already.
    GCC_compiler.march_flags = (GCC_compiler.march_flags
                                or answers.values.get("flags of the processor"))
    OpenMPOp.gxx_support_openmp = answers.values.get("OpenMP")
    clang = _is_clang(answers)
    if clang or not _is_x86():
        if "flags of the processor" not in answers.values:
            answers.add("flags of the processor", _flags_of_processor())
        GCC_compiler.march_flags = answers.values["flags of the processor"]
    compile_args, test_gxx_support = GCC_compiler.compile_args, OpenMPOp.test_gxx_support

    @functools.wraps(compile_args)
    def compile_args_(march_flags=True):
        args = compile_args(march_flags)
        if clang:  # an error to it, in Theano's elementwise operations
            args.append("-Wno-c++11-narrowing")
        if GCC_compiler.march_flags and "flags of the processor" not in answers.values:
            answers.add("flags of the processor", GCC_compiler.march_flags)
        return args

    @functools.wraps(test_gxx_support)
    def test_gxx_support_():
        works = test_gxx_support()
        if works:
            answers.add("OpenMP", True)
        return works

    GCC_compiler.compile_args = staticmethod(compile_args_)
    OpenMPOp.test_gxx_support = staticmethod(test_gxx_support_)


def _is_clang(answers):
    """Whether the compiler is Clang, by whatever name."""
    if "Clang" not in answers.values:
        from theano import config
        try:
            version = subprocess.run([config.cxx, "--version"], stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL).stdout
        except OSError:  # what it is does not matter then
            return False
        answers.add("Clang", b"clang" in version.lower())
    return answers.values["Clang"]


def _is_x86():
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _flags_of_processor():
    """The flag for the processor at hand, where Theano does not find it.

    Theano asks for -march=native alone, which is -mcpu=native on other processors than x86 (an
    error to some compilers). And it takes what Clang says of itself for flags: "unknown argument:
    '-target-feature'".

    Examples
    --------
    >>> from mnist_cnn.compat.start import _flags_of_processor
    >>> len(_flags_of_processor())
    1
    """
    from theano import config
    from theano.gof.cmodule import try_march_flag
    if any(flag.startswith(("-march=", "-mcpu=")) for flag in config.gcc.cxxflags.split()):
        return []  # the user's own
    flag = "-march=native" if _is_x86() else "-mcpu=native"
    compiles, _ = try_march_flag([flag])
    return [flag] if compiles else []


def skip_source_lines():
    """Keep Theano from reading its own source where a rewriting of the graph is not valid.

    It wants the name of the calling function alone; to find the source line as well, Python looks
    through all modules, 0.03 s each time.

    Examples
    --------
    >>> import mnist_cnn  # calls it
    >>> import theano
    >>> theano.gof.toolbox.inspect.getframeinfo.keywords
    {'context': 0}
    """
    from theano.gof import toolbox
    toolbox.inspect = types.SimpleNamespace(
        currentframe=inspect.currentframe,
        getframeinfo=functools.partial(inspect.getframeinfo, context=0))
