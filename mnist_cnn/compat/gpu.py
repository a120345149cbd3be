"""Finds the libraries of Theano's GPU back-end of 2018, pygpu over libgpuarray, and makes them loadable."""

import ctypes
import importlib
import importlib.abc
import importlib.machinery
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

from ..system.errors import MnistCnnError

__all__ = ["UnknownDevice", "prepare"]


class UnknownDevice(MnistCnnError, ValueError):
    """There is no device of that name."""


_DEBIAN = Path("/usr/lib/python3/dist-packages")


class _DebianPygpu(importlib.abc.MetaPathFinder):
    """Finds Debian's and Ubuntu's pygpu, and Mako, which it needs, from any environment.

    pygpu is not on PyPI, and a virtual environment does not see the system's packages, of which NumPy must
    stay out. With NumPy 2 pygpu's import raises a ValueError, which Theano does not expect.
    """

    def find_spec(self, fullname, path, target=None):
        if fullname in ("pygpu", "mako", "markupsafe") and np.lib.NumpyVersion(np.__version__) < "2.0.0":
            return importlib.machinery.PathFinder.find_spec(fullname, [str(_DEBIAN)])
        return None


if (_DEBIAN / "pygpu" / ("gpuarray" + sysconfig.get_config_var("EXT_SUFFIX"))).exists():
    sys.meta_path.append(_DebianPygpu())  # last: what the environment has comes first


# --- shared libraries --------------------------------------------------------------------------


def _folders():
    """Folders that may hold shared libraries, in the order of preference."""
    folders = [Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry]
    for entry in filter(None, sys.path):  # pip's wheels: nvidia/cublas/lib, nvidia/cu13/lib
        folders.extend(sorted(Path(entry).glob("nvidia/*/lib"), reverse=True))
    folders.append(Path(sys.prefix, "lib"))  # conda's
    folders.extend(sorted(Path("/usr/local").glob("cuda*/lib64"), reverse=True))
    # containers and WSL have the driver in folders that the loader may not search
    folders += map(
        Path,
        (
            "/usr/local/nvidia/lib64",
            "/usr/lib/wsl/lib",
            "/usr/lib64",
            "/usr/lib/{}-linux-gnu".format(platform.machine()),
        ),
    )
    return folders


def _find(name):
    """The paths of all copies of a library; `name` has no version, e.g. 'libnvrtc.so'."""
    paths = [
        path for folder in _folders() for path in sorted(folder.glob(name + "*"), reverse=True)
    ]  # newer ones first
    try:
        listed = subprocess.run(
            ["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ).stdout
    except OSError:
        listed = ""
    paths += map(Path, re.findall(r"^\s*{}\S* .*=> (.+)$".format(re.escape(name)), listed, re.M))
    return list(dict.fromkeys(path.resolve() for path in paths if path.exists()))


def _link(paths, cxx):
    """Make libraries loadable by other names; `paths` maps a name to a file.

    libgpuarray opens libcuda.so and the like, names that only development packages have. The driver
    and pip's wheels have libcuda.so.1, libnvrtc.so.13, in folders that the loader does not search.
    The loader takes an open library whose soname is the name asked for. So an empty library of that
    soname is opened, which is linked with the real one.
    """
    with tempfile.TemporaryDirectory(prefix="mnist_cnn-") as folder:
        for name, path in paths.items():
            ctypes.CDLL(str(path))
            stand_in = os.path.join(folder, name)
            process = subprocess.run(
                [cxx, "-shared", "-nostdlib", "-Wl,-soname," + name, "-Wl,--no-as-needed", str(path), "-o", stand_in],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if process.returncode:
                raise MnistCnnError("{} could not be linked with: {}".format(path, " ".join(process.stdout.split())))
            ctypes.CDLL(stand_in)  # stays open; its file is not needed any more


# --- the needs of each kind of device ----------------------------------------------------------


def _require_pygpu(cxx):
    """Check that pygpu can be imported, and its Ops compiled."""
    how = (
        "; on Debian 12, with Python 3.11: sudo apt-get install python3-pygpu libgpuarray-dev; "
        "elsewhere: conda install -c conda-forge pygpu (see docs/gpu.md)"
    )
    try:
        pygpu = importlib.import_module("pygpu")
    except ImportError as error:
        raise MnistCnnError(
            "Theano's GPU back-end, pygpu, cannot be imported: {}{}".format(" ".join(str(error).split()), how)
        ) from error
    process = subprocess.run(
        [
            cxx,
            "-shared",
            "-I" + sys.exec_prefix + "/include",
            "-L" + sys.exec_prefix + "/lib",
            "-include",
            "gpuarray/array.h",
            "-x",
            "c++",
            os.devnull,
            "-lgpuarray",
            "-o",
            os.devnull,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if process.returncode:
        raise MnistCnnError("pygpu is here, but not libgpuarray's headers or library, which Theano compiles with" + how)
    return {"pygpu": "{} ({})".format(pygpu.__version__, os.path.dirname(pygpu.__file__))}


def _dotted(version):
    return "{}.{}".format(*version)


def _call(function, *args):
    """Call a function of CUDA's; return the integers that it writes for each None in `args`."""
    results = [ctypes.c_int() for arg in args if arg is None]
    places = iter(results)
    code = function(*(ctypes.byref(next(places)) if arg is None else arg for arg in args))
    if code:
        raise MnistCnnError(
            "CUDA's {} fails with code {}; run nvidia-smi for the reason".format(function.__name__, code)
        )
    return [result.value for result in results]


def _driver(ordinal):
    """The driver's path, its newest CUDA version, and the GPU's compute capability."""
    for path in _find("libcuda.so"):
        try:
            driver = ctypes.CDLL(str(path))
        except OSError:
            continue  # another processor's
        break
    else:
        raise MnistCnnError(
            "there is no NVIDIA driver (libcuda.so.1) here; install it (Debian: "
            "sudo apt-get install nvidia-driver), in a container start that with "
            "its GPUs (docker run --gpus all), or train with --device cpu"
        )
    code = driver.cuInit(0)
    count = _call(driver.cuDeviceGetCount, None)[0] if code == 0 else 0
    if code in (0, 100) and count <= ordinal:  # 100: no device
        raise MnistCnnError(
            "the NVIDIA driver finds {} GPU(s), so there is no cuda{}; check "
            "nvidia-smi and CUDA_VISIBLE_DEVICES".format(count, ordinal)
        )
    _call(driver.cuInit, 0)
    (number,) = _call(driver.cuDriverGetVersion, None)
    (gpu,) = _call(driver.cuDeviceGet, None, ordinal)
    capability = tuple(
        _call(driver.cuDeviceGetAttribute, None, attribute, gpu)[0] for attribute in (75, 76)
    )  # its major and minor number
    return path, (number // 1000, number % 1000 // 10), capability


def _nvrtc(path):
    """The version of an NVRTC, CUDA's compiler, and the compute capabilities that it knows."""
    library = ctypes.CDLL(str(path))
    version = tuple(_call(library.nvrtcVersion, None, None))
    known = (ctypes.c_int * _call(library.nvrtcGetNumSupportedArchs, None)[0])()
    _call(library.nvrtcGetSupportedArchs, known)
    return version, list(known)


def _cublas(path):
    """The version of a cuBLAS."""
    get = ctypes.CDLL(str(path)).cublasGetProperty
    return tuple(_call(get, part, None)[0] for part in (0, 1))


def _choose(name, fits, wheels):
    """The first copy of a library that fits, and its version; an error where none does.

    `fits` takes a path and returns a version and its fault, or None.
    """
    refused = []
    for path in _find(name):
        try:
            version, fault = fits(path)
        except (OSError, AttributeError, MnistCnnError) as error:  # AttributeError: of CUDA 10
            fault = str(error)
        if not fault:
            return path, version
        refused.append("{} ({})".format(path, fault))
    raise MnistCnnError(
        "CUDA's library {} is {}; run: {} -m pip install {}".format(
            name, "unusable in all copies: " + ", ".join(refused) if refused else "missing", sys.executable, wheels
        )
    )


def _prepare_cuda(ordinal, cxx):
    driver, newest, capability = _driver(ordinal)
    if capability >= (10, 0):
        # "detect_arch: arch id is too large"
        raise MnistCnnError(
            "this GPU has compute capability {}, and libgpuarray 0.7.6 supports only those below 10.0 "
            "(up to Hopper, H100): train with --device cpu".format(_dotted(capability))
        )
    # CUDA 13 has dropped all before Turing.
    limit = newest if capability >= (7, 5) else min(newest, (12, 9))
    suffix = "" if limit >= (13, 0) else "-cu{}".format(limit[0])
    wheels = "'nvidia-cuda-nvrtc{0}<{1}.{2}' 'nvidia-cublas{0}<{3}'".format(
        suffix, limit[0], limit[1] + 1, limit[0] + 1
    )

    def nvrtc_fits(path):
        version, known = _nvrtc(path)
        if version > newest:
            # The driver refuses the PTX of a compiler newer than itself.
            return version, "{}, the driver takes up to {}".format(_dotted(version), _dotted(newest))
        if capability[0] * 10 + capability[1] not in known:
            return version, "{}, which does not know compute capability {}".format(
                _dotted(version), _dotted(capability)
            )
        return version, None

    def cublas_fits(path):
        version = _cublas(path)
        return version, (
            "{}, the driver takes up to {}".format(_dotted(version), _dotted(newest))
            if version[0] > newest[0]
            else None
        )

    nvrtc, nvrtc_version = _choose("libnvrtc.so", nvrtc_fits, wheels)
    cublas, cublas_version = _choose("libcublas.so", cublas_fits, wheels)
    _link({"libcuda.so": driver, "libnvrtc.so": nvrtc, "libcublas.so": cublas}, cxx)
    return {
        "compute capability": _dotted(capability),
        "driver": "for CUDA {} ({})".format(_dotted(newest), driver),
        "NVRTC": "{} ({})".format(_dotted(nvrtc_version), nvrtc),
        "cuBLAS": "{} ({})".format(_dotted(cublas_version), cublas),
    }


def _prepare_opencl(cxx):
    paths = {}
    for name, package in (("libOpenCL.so", "ocl-icd-libopencl1"), ("libclblast.so", "libclblast1")):
        found = _find(name)
        if not found:
            raise MnistCnnError(
                "OpenCL's library {} is missing; on Debian: sudo apt-get install {}".format(name, package)
            )
        paths[name] = found[0]
    _link(paths, cxx)
    return {name: str(path) for name, path in paths.items()}


def prepare(device: str, cxx: str) -> dict[str, str]:
    """Make the libraries of a device loadable by this process.

    Parameters
    ----------
    device : str
        'cuda' (the first one), 'cuda0', 'opencl0:0' (platform 0, its device 0) and the like.
    cxx : str
        The C++ compiler.

    Returns
    -------
    dict
        From a name, such as 'driver', to a text with version and path.

    Raises
    ------
    UnknownDevice
        When no device has that name.
    MnistCnnError
        When a library is missing or does not fit; the message says how to get it.
    """
    match = re.fullmatch(r"cuda(\d*)|opencl\d+:\d+", device)
    if not match:
        raise UnknownDevice(
            "the device is {!r}; it can be cpu, cuda, cuda0, cuda1, ..., or opencl0:0, ...".format(device)
        )
    found = _require_pygpu(cxx)
    if device.startswith("cuda"):
        return {**found, **_prepare_cuda(int(match.group(1) or 0), cxx)}
    return {**found, **_prepare_opencl(cxx)}
