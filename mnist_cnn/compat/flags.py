"""Theano's settings and a BLAS, before its import; THEANO_FLAGS and .theanorc win."""

import configparser
import contextlib
import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shlex
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from ..system import machine
from .compile_cache import check_cache_folder
from .forks import make_forks_safe
from .mends import c_code, digest

__all__ = ["theano_defaults", "user_flags", "use_float32"]

#: The device that the user's configuration names, once Theano is imported, and whether no other will do.
device, force_device = "cpu", False
#: Whether the BLAS in use was set to one thread; MKL, Accelerate and one of the user's are not.
blas_has_one_thread = False
#: OpenBLAS's name of the processor whose kernels it uses, such as "Haswell".
blas_kernels = ""


def user_flags() -> dict[str, str]:
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
        if name.strip():
            flags[name.strip()] = value.strip()
    return flags


def _cache_folder():
    """The folder for Theano's compiled modules, quoted for THEANO_FLAGS: ~/.theano, if this user owns it.

    Another user's, in a shared home or under sudo, could not be written, nor trusted.
    """
    home = os.environ.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(home):
        raise ValueError(
            "there is no home folder for the compiled modules; set HOME, or THEANO_FLAGS=base_compiledir=DIR"
        )
    folder = os.path.join(home, ".theano")
    with contextlib.suppress(OSError):  # Theano will report it
        os.makedirs(folder, exist_ok=True)
        if hasattr(os, "geteuid") and os.stat(folder).st_uid != os.geteuid():
            folder += "-{}".format(os.geteuid())
    return shlex.quote(folder)


def _find_blas():
    """The BLAS library for Theano's C code: MKL where installed, else SciPy's OpenBLAS.

    NumPy's own OpenBLAS takes integers of 64 bits. None on systems whose linker has no ``-l:FILE``.
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
    """Load the library, set it to one thread, and return the flag that links with it.

    Compiled modules name the library without its folder, since ``blas.ldflags`` cannot hold a path
    with a space; they find it because it is loaded already. Theano's convolution calls BLAS from
    several threads, so threads inside BLAS would compete for the same cores.
    """
    os.environ.setdefault("MKL_THREADING_LAYER", "GNU")  # the OpenMP runtime that g++ links with
    handle = ctypes.CDLL(str(library))
    if hasattr(handle, "scipy_sgemm_"):  # SciPy's since 1.13
        c_code.use_scipy_openblas()
    global blas_has_one_thread, blas_kernels
    for prefix in ("openblas_", "scipy_openblas_"):
        if hasattr(handle, prefix + "set_num_threads"):
            handle[prefix + "set_num_threads"](1)
            blas_has_one_thread = True
            get_name = handle[prefix + "get_corename"]
            get_name.restype = ctypes.c_char_p
            blas_kernels = get_name().decode()
    search = [str(library.parent), os.environ.get("LIBRARY_PATH", "")]
    os.environ["LIBRARY_PATH"] = os.pathsep.join(filter(None, search))
    return "-l:" + library.name


def _cpu_id():
    """Eight hexadecimal digits that tell one model of processor from another."""
    lines = machine.cpuinfo("model name", "flags", "Features", "CPU part") or [machine.processor()]
    return hashlib.sha256("\n".join(sorted(set(lines))).encode()).hexdigest()[:8]


def _our_settings(user_flags):
    """Our values of Theano's options, without those that the user set."""
    defaults = {
        # Theano knows cuDNN 5 to 7 only; a newer one breaks the GPU's start.
        "dnn.enabled": "False",
        # three lines on stderr at every start on a GPU; the report names the device
        "print_active_device": "False",
        # Theano compiles for this processor, but does not name it in the cache's folder: where two
        # machines share a home, one may load the other's modules and die of SIGILL. Nor does it name
        # NumPy's ABI and the mends.
        "compiledir_format": "compiledir_%(short_platform)s-%(processor)s-%(python_version)s-"
        "%(python_bitwidth)s-{}-{}".format(_cpu_id(), digest()),
    }
    if "base_compiledir" not in user_flags and "compiledir" not in user_flags and os.name == "posix":
        defaults["base_compiledir"] = _cache_folder()
    if "blas.ldflags" not in user_flags:
        # Theano's own search needs numpy.distutils.__config__.blas_opt_info, which NumPy 1.22
        # dropped. An empty value means NumPy's C API, ten times slower.
        library = _find_blas()
        if sys.platform == "darwin":
            # One word, since blas.ldflags is split at spaces. No OpenMP: Apple's clang has none.
            defaults["blas.ldflags"] = "-Wl,-framework,Accelerate"
            if tuple(map(int, (platform.mac_ver()[0] or "0").split(".")[:2])) >= (13, 3):
                c_code.use_new_accelerate()
        else:
            defaults["blas.ldflags"] = _load_blas(library) if library else ""
        if library:
            defaults["openmp"] = "True"
    return {name: value for name, value in defaults.items() if name not in user_flags}


@contextlib.contextmanager
def _some_home():
    """Some HOME for a user that has none, while Theano is imported: "assert home is not None".

    Theano needs it for the default of base_compiledir, which such a user, say in a container, has set.
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
def theano_defaults() -> Iterator[None]:
    """Put our settings in front of the user's THEANO_FLAGS while Theano is imported.

    Sets `device` to the user's choice. Theano itself gets 'cpu': it would start a GPU at its import,
    before the libraries can be found.
    `mnist_cnn.compat.devices` starts the device.

    Yields
    ------
    None
    """
    global device, force_device
    # Theano reports a missing compiler in three warnings, `require_compiler` in one line.
    warnings.filterwarnings("ignore", message="DeprecationWarning: there is no c\\+\\+ compiler")
    # also: "Using NumPy C-API based implementation for BLAS"
    loggers = [logging.getLogger(name) for name in ("theano.configdefaults", "theano.tensor.blas")]
    flags, before = user_flags(), os.environ.get("THEANO_FLAGS")
    settings = _our_settings(flags)
    check_cache_folder(dict(settings, **flags))
    make_forks_safe()  # needed with OpenMP, which is off by default in Theano
    ours = ["{}={}".format(*item) for item in settings.items()]
    os.environ["THEANO_FLAGS"] = ",".join(ours + ([before] if before else []) + ["device=cpu", "force_device=False"])
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        device = flags.get("device", "cpu")
        force_device = flags.get("force_device", "").lower() in ("1", "true")
        with _some_home():
            yield
    finally:
        if before is None:
            del os.environ["THEANO_FLAGS"]
        else:
            os.environ["THEANO_FLAGS"] = before
        for logger in loggers:
            logger.setLevel(logging.NOTSET)


def use_float32() -> None:
    """Set Theano's floatX to float32, unless THEANO_FLAGS, .theanorc or the program set it."""
    import theano

    if type(theano.config).floatX.is_default:
        theano.config.floatX = "float32"
