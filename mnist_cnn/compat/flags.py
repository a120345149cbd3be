"""Before Theano is imported: its settings, and a BLAS.

What THEANO_FLAGS or .theanorc set wins.
"""

import configparser
import contextlib
import ctypes
import hashlib
import importlib.util
import logging
import os
import shlex
import sys
import warnings
from pathlib import Path

from ..system import machine
from .compile_cache import check_cache_folder
from .forks import make_forks_safe
from .mends import c_code, digest

__all__ = ["theano_defaults", "user_flags", "use_float32"]

#: The device that the user's configuration names, once Theano is imported.
device = "cpu"


def user_flags():
    """The Theano options that THEANO_FLAGS or a .theanorc sets, e.g. 'blas.ldflags': '-lm'.

    Examples
    --------
    >>> from mnist_cnn.compat.flags import user_flags
    >>> isinstance(user_flags(), dict)
    True
    """
    flags = {}
    rc = configparser.RawConfigParser()
    files = os.environ.get("THEANORC", "~/.theanorc").split(os.pathsep)
    rc.read(os.path.expanduser(file) for file in files)
    for section in rc.sections():
        prefix = "" if section == "global" else section + "."
        flags.update((prefix + option, value) for option, value in rc.items(section))
    for flag in os.environ.get("THEANO_FLAGS", "").split(","):
        name, _, value = flag.partition("=")
        if name.strip():
            flags[name.strip()] = value.strip()
    return flags


def _cache_folder():
    """The folder for Theano's compiled modules, quoted for THEANO_FLAGS: ~/.theano, if it is ours.

    Another user's, in a home that is shared or under sudo, could not be written, nor trusted.
    """
    home = os.environ.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(home):
        raise ValueError(
            "there is no home folder for the compiled modules; set HOME, or THEANO_FLAGS=base_compiledir=DIR"
        )
    folder = os.path.join(home, ".theano")
    with contextlib.suppress(OSError):  # Theano will say it
        os.makedirs(folder, exist_ok=True)
        if hasattr(os, "geteuid") and os.stat(folder).st_uid != os.geteuid():
            folder += "-{}".format(os.geteuid())
    return shlex.quote(folder)


def _find_blas():
    """The BLAS library to link Theano's C code with: MKL where installed, else SciPy's OpenBLAS.

    Both come as wheels; NumPy's own OpenBLAS takes integers of 64 bits. None on systems whose
    linker does not know ``-l:FILE``.
    """
    if sys.platform != "linux":
        return None
    folders = [(Path(sys.prefix) / "lib", "libmkl_rt.so*")]
    scipy = importlib.util.find_spec("scipy")
    if scipy is not None:
        folders.append((Path(scipy.origin).parent.parent / "scipy.libs", "lib*openblas*.so"))
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
    if hasattr(handle, "scipy_sgemm_"):  # SciPy's since 1.13
        c_code.use_scipy_openblas()
    for name in ("openblas_set_num_threads", "scipy_openblas_set_num_threads"):
        if hasattr(handle, name):
            getattr(handle, name)(1)
    search = [str(library.parent), os.environ.get("LIBRARY_PATH", "")]
    os.environ["LIBRARY_PATH"] = os.pathsep.join(filter(None, search))
    return "-l:" + library.name


def _cpu_id():
    """Eight hexadecimal digits that tell one model of processor from another."""
    lines = machine.cpuinfo("model name", "flags", "Features", "CPU part") or [machine.processor()]
    return hashlib.sha256("\n".join(sorted(set(lines))).encode()).hexdigest()[:8]


def _our_settings(user_flags):
    """The Theano options that differ from its own defaults, but for those that the user set."""
    defaults = {
        # Theano opens cuDNN 5 to 7 alone; a newer one that lies about breaks the GPU's start.
        "dnn.enabled": "False",
        # Three lines on stderr at every start on a GPU; the report names the device.
        "print_active_device": "False",
        # Theano compiles for the processor at hand, but does not name it in the cache's folder:
        # where two machines share a home, one may load the other's modules and die of SIGILL. Nor
        # does it name NumPy's ABI and the mends, which its own modules are compiled with.
        "compiledir_format": "compiledir_%(short_platform)s-%(processor)s-%(python_version)s-"
        "%(python_bitwidth)s-{}-{}".format(_cpu_id(), digest()),
        # A process that waits for another's compilation looks every 5 to 10 seconds: 1 to 2.
        "compile.wait": "1",
        "compile.timeout": "120",
    }
    if "base_compiledir" not in user_flags and "compiledir" not in user_flags and os.name == "posix":
        defaults["base_compiledir"] = _cache_folder()
    if "blas.ldflags" not in user_flags:
        # Theano looks for BLAS in numpy.distutils.__config__.blas_opt_info, which NumPy 1.22
        # dropped. An empty value means NumPy's C API, ten times slower.
        library = _find_blas()
        if sys.platform == "darwin":
            # One word, since blas.ldflags is split at spaces. Its interface of macOS 13.3 on is for those
            # that include its headers (ACCELERATE_NEW_LAPACK); Theano declares the functions itself.
            # Apple's clang has no OpenMP.
            defaults["blas.ldflags"] = "-Wl,-framework,Accelerate"
        else:
            defaults["blas.ldflags"] = _load_blas(library) if library else ""
        if library:
            defaults["openmp"] = "True"
    return {name: value for name, value in defaults.items() if name not in user_flags}


@contextlib.contextmanager
def _some_home():
    """A home for a user that has none, while Theano is imported: "assert home is not None".

    It is the default of an option that is set in any case: a container's user without a name and
    without HOME names another folder for the compiled modules.
    """
    if os.path.expanduser("~") != "~":
        yield
        return
    os.environ["HOME"] = os.sep
    try:
        yield
    finally:
        del os.environ["HOME"]


@contextlib.contextmanager
def theano_defaults():
    """Put our settings in front of the user's THEANO_FLAGS while Theano is imported.

    `device` is what these flags or .theanorc name afterwards. Theano sees 'cpu': it would start a GPU
    as it is imported, before the libraries can be found, and where it fails log an error and train
    on the CPU. `mnist_cnn.compat.devices` starts it.

    Yields
    ------
    None

    Examples
    --------
    >>> import os
    >>> from mnist_cnn.compat.flags import theano_defaults
    >>> with theano_defaults():
    ...     "device=cpu" in os.environ["THEANO_FLAGS"]
    True
    """
    global device
    # Theano reports a missing compiler in three warnings; `require_compiler` says it in one line.
    warnings.filterwarnings("ignore", message="DeprecationWarning: there is no c\\+\\+ compiler")
    # also: "Using NumPy C-API based implementation for BLAS"
    loggers = [logging.getLogger(name) for name in ("theano.configdefaults", "theano.tensor.blas")]
    flags, before = user_flags(), os.environ.get("THEANO_FLAGS")
    settings = _our_settings(flags)
    check_cache_folder(dict(settings, **flags))
    make_forks_safe()  # with OpenMP on, which is off in Theano itself
    ours = ["{}={}".format(*item) for item in settings.items()]
    os.environ["THEANO_FLAGS"] = ",".join(ours + ([before] if before else []) + ["device=cpu", "force_device=False"])
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        device = flags.get("device", "cpu")
        with _some_home():
            yield
    finally:
        if before is None:
            del os.environ["THEANO_FLAGS"]
        else:
            os.environ["THEANO_FLAGS"] = before
        for logger in loggers:
            logger.setLevel(logging.NOTSET)


def use_float32():
    """Make single precision the default of expressions, unless the user chose another.

    The user's choice is what THEANO_FLAGS, .theanorc or the program itself (``theano.config.floatX
    = "float64"``) set.

    Examples
    --------
    >>> import mnist_cnn
    >>> import theano
    >>> mnist_cnn.compat.use_float32()
    >>> theano.config.floatX
    'float32'
    """
    import theano

    if type(theano.config).floatX.is_default:
        theano.config.floatX = "float32"
