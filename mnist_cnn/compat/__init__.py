"""Makes Lasagne 0.1 and Theano 1.0.5, the last releases of both, run on today's Python.

Import this module (or the package) before Theano and Lasagne; all of Lasagne 0.1 then works on
CPython 3.8 to 3.11 with NumPy 1.22 or 1.23, its recurrent layers included. Each workaround says
what breaks without it. What THEANO_FLAGS or .theanorc set is never overridden.

`python -m pytest -p mnist_cnn.compat` runs old test-suites on the mended stack.
"""

import configparser
import contextlib
import ctypes
import functools
import hashlib
import importlib.abc
import importlib.util
import logging
import os
import platform
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import types
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np

from . import gpu  # first of all: how the system's pygpu is found
from ..support.errors import MnistCnnError

if not (3, 8) <= sys.version_info[:2] <= (3, 11):
    raise ImportError("mnist_cnn needs CPython 3.8 to 3.11, not {}.{}: Theano 1.0.5 uses modules "
                      "that Python 3.12 dropped".format(*sys.version_info))
if tuple(map(int, np.__version__.split(".")[:2])) >= (1, 24):
    raise ImportError("mnist_cnn needs NumPy older than 1.24, not {}: Theano 1.0.5 uses np.bool; "
                      "run: pip install 'numpy<1.24'".format(np.__version__))
if "theano" in sys.modules:
    raise ImportError("import mnist_cnn before theano and lasagne: their defaults are set by then")


# --- before Theano is imported: its defaults --------------------------------------------------

def _user_flags():
    """The Theano options that THEANO_FLAGS or a .theanorc sets, e.g. 'blas.ldflags': '-lm'."""
    flags = {}
    rc = configparser.RawConfigParser()
    files = os.environ.get("THEANORC", "~/.theanorc").split(os.pathsep)
    rc.read(os.path.expanduser(file) for file in files)
    for section in rc.sections():
        prefix = "" if section == "global" else section + "."
        flags.update((prefix + option, value) for option, value in rc.items(section))
    for flag in os.environ.get("THEANO_FLAGS", "").split(","):
        name, _, value = flag.partition("=")
        flags[name.strip()] = value.strip()
    return flags


def _find_blas():
    """The BLAS library to link Theano's C code with: MKL where installed, else SciPy's OpenBLAS.

    Both come as wheels whose library has the standard names (``sgemm_``); NumPy's own OpenBLAS
    has other ones. None on systems whose linker does not know ``-l:FILE``.
    """
    if sys.platform != "linux":
        return None
    folders = [(Path(sys.prefix) / "lib", "libmkl_rt.so*")]
    scipy = importlib.util.find_spec("scipy")
    if scipy is not None:
        folders.append((Path(scipy.origin).parent.parent / "scipy.libs", "libopenblas*.so"))
    for folder, pattern in folders:
        for library in sorted(folder.glob(pattern)):
            return library
    return None


def _load_blas(library):
    """Load the library, one thread a call, and return the flag that links with it.

    The modules that Theano compiles name the library without its folder, since ``blas.ldflags``
    cannot hold a path with a space; they find it because it is loaded already. Theano's
    convolution runs an image a thread and calls BLAS in each, so more threads inside would
    fight for the same cores.
    """
    os.environ.setdefault("MKL_THREADING_LAYER", "GNU")  # the OpenMP runtime that g++ links with
    handle = ctypes.CDLL(str(library))
    if hasattr(handle, "openblas_set_num_threads"):
        handle.openblas_set_num_threads(1)
    search = [str(library.parent), os.environ.get("LIBRARY_PATH", "")]
    os.environ["LIBRARY_PATH"] = os.pathsep.join(filter(None, search))
    return "-l:" + library.name


def _cpu_id():
    """Eight hexadecimal digits that tell one model of processor from another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    else:
        lines = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return hashlib.sha256("\n".join(sorted(set(lines))).encode()).hexdigest()[:8]


def _set_defaults():
    """Put our defaults in front of the user's THEANO_FLAGS.

    Returns what stood there before, and the device that the user's configuration names.
    """
    defaults = {
        # Theano opens cuDNN 5 to 7 alone; a newer one that lies about breaks the GPU's start.
        "dnn.enabled": "False",
        # Three lines on stderr at every start on a GPU; the report names the device.
        "print_active_device": "False",
        # Theano compiles for the processor at hand, but does not name it in the cache's folder:
        # where two machines share a home, one may load the other's modules and die of SIGILL.
        "compiledir_format": "compiledir_%(short_platform)s-%(processor)s-%(python_version)s-"
                             "%(python_bitwidth)s-" + _cpu_id(),
        # A process that waits for another's compilation looks every 5 to 10 seconds: 1 to 2.
        "compile.wait": "1",
        "compile.timeout": "120",
    }
    user_flags = _user_flags()
    if "blas.ldflags" not in user_flags:
        # Theano looks for BLAS in numpy.distutils.__config__.blas_opt_info, which NumPy 1.22
        # dropped: AttributeError at import. An empty value means NumPy's C API, ten times slower.
        library = _find_blas()
        defaults["blas.ldflags"] = _load_blas(library) if library else ""
        if library:
            defaults["openmp"] = "True"
    before = os.environ.get("THEANO_FLAGS")
    ours = ["{}={}".format(*item) for item in defaults.items() if item[0] not in user_flags]
    # Theano would start a GPU as it is imported, before the libraries can be found, and where it
    # fails log an error and train on the CPU: `_start_device` comes afterwards.
    os.environ["THEANO_FLAGS"] = ",".join(
        ours + ([before] if before else []) + ["device=cpu", "force_device=False"])
    return before, user_flags.get("device", "cpu")


def _is_truncated(path):
    """Whether a compiled module ends before its section headers do; loading it is a SIGBUS."""
    with open(path, "rb") as file:
        header = file.read(64)
        size = os.fstat(file.fileno()).st_size
    if header[:5] != b"\x7fELF\x02":  # another system's format: known to be bad when empty
        return size == 0 or header[:4] == b"\x7fELF"[:size]
    if size < 64:
        return True
    offset, = struct.unpack_from("<Q", header, 0x28)
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


sys.meta_path.insert(0, _TruncatedExtensions())

if sys.version_info >= (3, 11):
    # scan's C loop is Cython's output of 2017 and uses parts of the interpreter that 3.11 hides:
    # "longintrepr.h: No such file". Where its import fails, Theano runs the loop in Python.
    sys.modules["theano.scan_module.scan_perform_ext"] = None

# Theano reports a missing compiler in three warnings; `require_compiler` says it in one line.
warnings.filterwarnings("ignore", message="DeprecationWarning: there is no c\\+\\+ compiler")
_quiet = {name: logging.getLogger(name) for name in ("theano.configdefaults", "theano.tensor.blas")}
for _logger in _quiet.values():
    _logger.setLevel(logging.ERROR)  # also: "Using NumPy C-API based implementation for BLAS"


@contextlib.contextmanager
def _pkg_resources():
    """A stand-in for pkg_resources while Theano and Lasagne are imported.

    Lasagne asks it for its own version, Theano's GPU part for an exception. Setuptools 81 dropped
    it ("No module named 'pkg_resources'"), versions before warn, and it takes 0.1 s to import.
    """
    stand_in = types.ModuleType("pkg_resources")
    stand_in.get_distribution = metadata.distribution
    stand_in.DistributionNotFound = metadata.PackageNotFoundError
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        yield
    finally:
        if before is None:
            del sys.modules["pkg_resources"]
        else:
            sys.modules["pkg_resources"] = before


_theano_flags, _device = _set_defaults()
try:
    with _pkg_resources():
        import theano
        import theano.sandbox
        import theano.tensor.nnet
        import theano.tensor.signal.pool
        import theano.gpuarray
except (OSError, ValueError) as error:
    # a cache folder that cannot be made, a value that Theano does not know
    raise ImportError("Theano does not start; look at THEANO_FLAGS and .theanorc: {}".format(
        " ".join(str(error).split()))) from error
finally:
    if _theano_flags is None:
        del os.environ["THEANO_FLAGS"]
    else:
        os.environ["THEANO_FLAGS"] = _theano_flags
    for _logger in _quiet.values():
        _logger.setLevel(logging.NOTSET)


for _module in Path(theano.config.compiledir).glob("tmp*/*.so"):
    # As above, for the modules of users' graphs; one without a key is being compiled just now.
    if (_module.parent / "key.pkl").exists() and _is_truncated(_module):
        shutil.rmtree(_module.parent, ignore_errors=True)


# --- between Theano and Lasagne: the names that Lasagne wants ---------------------------------

def max_pool_2d(input, ds, ignore_border=None, st=None, padding=(0, 0), mode="max"):
    """`theano.tensor.signal.pool.pool_2d` under its name and keywords of before Theano 0.9."""
    return theano.tensor.signal.pool.pool_2d(
        input, ws=ds, ignore_border=bool(ignore_border), stride=st, pad=padding, mode=mode)


# lasagne.layers.pool: "cannot import name 'downsample'"; the module went with Theano 0.9.
downsample = types.ModuleType("theano.tensor.signal.downsample", "Pooling under its old name.")
downsample.max_pool_2d = max_pool_2d
sys.modules[downsample.__name__] = theano.tensor.signal.downsample = downsample

# Old code asks the GPU back-end of before Theano 0.9 whether there is a GPU and cuDNN; all that is
# left of that module is an import of nose, which few have: "No module named 'nose'".
cuda = types.ModuleType("theano.sandbox.cuda", "Theano's first GPU back-end: absent.")
cuda.cuda_enabled = False
cuda.dnn = types.ModuleType("theano.sandbox.cuda.dnn", "Its cuDNN part: absent.")
cuda.dnn.dnn_available = lambda: False
sys.modules[cuda.__name__] = theano.sandbox.cuda = cuda
sys.modules[cuda.dnn.__name__] = cuda.dnn

_conv2d = theano.tensor.nnet.conv2d


@functools.wraps(_conv2d)
def conv2d(input, filters, input_shape=None, filter_shape=None, *args, image_shape=None, **kwargs):
    if image_shape is not None:
        # Lasagne's layers use the keyword's old name: a warning at every layer.
        input_shape = image_shape
    return _conv2d(input, filters, input_shape, filter_shape, *args, **kwargs)


theano.tensor.nnet.conv2d = conv2d


class _VersionedProps(tuple):
    """An empty ``__props__`` that is true, and plain ``()`` again when pickled."""

    def __bool__(self):
        return True

    def __reduce__(self):
        return tuple, ()


_cmodule_key = theano.gof.cc.CLinker.cmodule_key_


@functools.wraps(_cmodule_key)
def cmodule_key_(self, fgraph, *args, **kwargs):
    # Theano adds an Op's __props__ to its version and takes an empty one for "has no version":
    # seven modules of ours (Dot22, the softmax gradient and others) would be compiled again at
    # every start, 8 seconds in all.
    for node in fgraph.toposort():
        if getattr(type(node.op), "__props__", None) == ():
            type(node.op).__props__ = _VersionedProps()
    return _cmodule_key(self, fgraph, *args, **kwargs)


theano.gof.cc.CLinker.cmodule_key_ = cmodule_key_

_c_code_cache_version = theano.gof.COp.c_code_cache_version


@functools.wraps(_c_code_cache_version)
def c_code_cache_version(self):
    # Theano takes hash() of the C code, which Python salts anew in every process: an Op with its
    # code in a file of its own (DimShuffle, most of the GPU's) is never found in the cache.
    digest = hashlib.sha256("\0".join(self.func_codes).encode()).hexdigest()
    return (digest,) + _c_code_cache_version(self)[1:]


theano.gof.COp.c_code_cache_version = c_code_cache_version

#: What nearly every module that Theano writes includes, in its order; and what the fused layers' do.
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


class _Builds:
    """The modules of a graph, compiled several at a time before Theano asks for them.

    Theano runs one compiler at a time, and has it parse the headers of Python and NumPy for each
    of some forty modules: a first start would take twice as long on two cores (64 seconds for 26).
    """

    def __init__(self, fgraph):
        self.fgraph = fgraph
        self.folder = self.pool = None
        self.headers = {}  # compiler flags to the Future of the common headers, parsed with these
        self.libraries = {}  # a module's source to the Future of its library

    def start(self):
        """Have all modules of the graph compiled that are not in Theano's cache."""
        self.folder = tempfile.TemporaryDirectory(prefix="mnist_cnn-")
        self.pool = ThreadPoolExecutor(min(4, len(os.sched_getaffinity(0))))
        known = theano.gof.cc.get_module_cache().entry_from_key
        linkers = {}
        for node in self.fgraph.toposort():
            try:
                linker = theano.gof.cc.CLinker().accept(
                    theano.gof.FunctionGraph(node.inputs, node.outputs))
                if linker.cmodule_key() not in known:
                    linkers[linker.get_src_code()] = linker
            except Exception:  # an Op without C code, most often; if not, Theano will say it
                continue
        uses = Counter(tuple(linker.compile_args()) for linker in linkers.values())
        for flags, count in uses.items():
            if count > 2:  # takes as long as three modules save
                self.headers[flags] = self.pool.submit(self.parse_headers, flags)
        for source, linker in linkers.items():
            self.libraries[source] = self.pool.submit(self.build, source, linker)

    def compile(self, flags, folders, output, *args):
        """Run the compiler as Theano does, but for debugging information: a tenth of the time."""
        status = subprocess.call(
            [theano.config.cxx, "-shared", *flags, "-g0", "-fvisibility=hidden",
             *("-I" + folder for folder in folders if folder), "-o", str(output), *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return output if status == 0 else None

    def parse_headers(self, flags):
        header = Path(tempfile.mkdtemp(dir=self.folder.name), "common.h")
        header.write_text(_COMMON_HEADERS)
        self.compile(flags, theano.gof.cmodule.std_include_dirs(), str(header) + ".gch",
                     "-x", "c++-header", str(header))
        return header  # where that failed it is read as it is

    def build(self, source, linker):
        cmodule, flags = theano.gof.cmodule, tuple(linker.compile_args())
        folder = Path(tempfile.mkdtemp(dir=self.folder.name))
        code = folder / "mod.cpp"
        code.write_text(source + "\n")
        header = ["-include", str(self.headers[flags].result())] if flags in self.headers else []
        return self.compile(
            flags, linker.header_dirs() + cmodule.std_include_dirs(),
            folder / "{}.{}".format(linker.get_dynamic_module().code_hash,
                                    cmodule.get_lib_extension()),
            *header, str(code),
            *("-L" + folder for folder in linker.lib_dirs() + cmodule.std_lib_dirs() if folder),
            *("-l" + library for library in linker.libraries() + cmodule.std_libs()))

    def take(self, source, location):
        """Move a module to where Theano wants it; its path there, or None where there is none."""
        try:
            if self.pool is None:
                self.start()
            library = self.libraries[source].result() if source in self.libraries else None
            if library is None:
                return None
            shutil.move(str(library.with_name("mod.cpp")), location)
            return shutil.move(str(library), location)
        except OSError:  # no room for temporary files, say: Theano does what it can
            return None

    def close(self):
        if self.pool is not None:
            for future in self.libraries.values():
                future.cancel()  # what an interrupted start no longer needs
            self.pool.shutdown()
            self.folder.cleanup()


_builds = []  # of the graph that is compiled now, last; before it those that it is a loop of
_make_all = theano.gof.vm.VM_Linker.make_all
_compile_str = theano.gof.cmodule.GCC_compiler.compile_str


@functools.wraps(_make_all)
def make_all(self, *args, **kwargs):
    if self.c_thunks is False:  # a mode that runs Python: one Op or two have no other form than C
        return _make_all(self, *args, **kwargs)
    _builds.append(_Builds(self.fgraph))
    try:
        return _make_all(self, *args, **kwargs)
    finally:
        _builds.pop().close()


@functools.wraps(_compile_str)
def compile_str(module_name, src_code, location=None, *args, **kwargs):
    library = _builds[-1].take(src_code, location) if _builds else None
    if library is None:
        return _compile_str(module_name, src_code, location, *args, **kwargs)
    return theano.gof.cmodule.dlimport(library)


if (sys.platform == "linux" and "clang" not in theano.config.cxx
        and not theano.config.cmodule.remove_gxx_opt
        and not theano.config.cmodule.compilation_warning):
    theano.gof.vm.VM_Linker.make_all = make_all
    theano.gof.cmodule.GCC_compiler.compile_str = staticmethod(compile_str)

with _pkg_resources():
    import lasagne  # noqa: F401


# --- at the start of a program ----------------------------------------------------------------

def require_compiler():
    """Check that Theano can compile C++.

    Raises
    ------
    MnistCnnError
        When the compiler or Python's header files are missing. Theano would go on in Python,
        where it has no convolution.
    """
    missing = []
    if not theano.config.cxx:
        missing.append("a C++ compiler (g++)")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        missing.append("Python's header files (Python.h)")
    if missing:
        raise MnistCnnError(
            "Theano needs {}; install on Debian or Ubuntu with: sudo apt-get install g++ "
            "python{}.{}-dev, on macOS with: xcode-select --install"
            .format(" and ".join(missing), *sys.version_info))


#: What was found for the device in use, as `mnist_cnn.compat.gpu.prepare` returns it.
device_parts = {}


def _start_device(device):
    """Have all that is compiled from now on run on a GPU or an OpenCL device."""
    require_compiler()
    device_parts.update(gpu.prepare(device, theano.config.cxx))
    try:
        theano.gpuarray.use(device)
        device_parts["device"] = "{}: {}".format(
            device, theano.gpuarray.get_context(None).devname.strip())
    except Exception as error:  # pygpu's errors have no common type
        raise MnistCnnError("cannot use the device {}: {}".format(
            device, " ".join(str(error).split()))) from error
    type(theano.config).device.val = device  # what old code asks
    if device.startswith("opencl"):
        # One kernel, of the softmax with its cross-entropy, declares local memory inside a loop:
        # "Kernel variables in the local address space cannot be declared within a loop".
        theano.compile.mode.instantiated_default_mode = theano.compile.get_default_mode(
            ).excluding("local_gpua_crossentropysoftmaxargmax1hotwithbias")


def on_device():
    """Whether what is compiled now runs on a GPU or an OpenCL device."""
    return theano.gpuarray.pygpu_activated


def require_on_device(function):
    """Check that a function does its work where it should.

    Parameters
    ----------
    function : Theano function
        Compiled for training or for a measurement.

    Raises
    ------
    MnistCnnError
        When a GPU is in use and nothing but transfers was moved to it.
    """
    names = {type(node.op).__name__ for node in function.maker.fgraph.toposort()}
    if on_device() and not any(name.startswith("Gpu") for name in names - {"GpuFromHost"}):
        raise MnistCnnError(
            "Theano has moved nothing to the device {}; look at the optimizer and its exclusions "
            "in THEANO_FLAGS and .theanorc".format(theano.config.device))


def use_float32():
    """Make single precision the default of expressions, unless the user chose another."""
    if type(theano.config).floatX.is_default:
        theano.config.floatX = "float32"


def use_device(device=None):
    """Have what is compiled from now on run on a device.

    Parameters
    ----------
    device : str, optional
        'cpu', 'cuda', 'cuda0', 'opencl0:0' and the like; by default what Theano's own
        configuration says, which is the CPU unless the user set it.

    Raises
    ------
    MnistCnnError
        When the device cannot be used. Theano never goes on on the CPU where another device was
        asked for.
    """
    if device is None or device == theano.config.device:
        return
    if device == "cpu":
        raise MnistCnnError("Theano's configuration chose {} already; take 'device' out of "
                            "THEANO_FLAGS and .theanorc to train on the CPU"
                            .format(theano.config.device))
    _start_device(device)


def compile_cache_is_empty():
    """Whether Theano has compiled nothing yet on this machine, so that the start takes long."""
    return not any(Path(theano.config.compiledir).glob("tmp*"))


if _device != "cpu":
    try:
        _start_device(_device)
    except MnistCnnError as error:
        raise ImportError("device={} in THEANO_FLAGS or .theanorc: {}".format(
            _device, error)) from error
