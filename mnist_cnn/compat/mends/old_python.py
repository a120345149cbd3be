"""Modules that Python, setuptools and SciPy have dropped or moved, with the names that old code uses."""

import importlib
import importlib.util
import os
import pkgutil
import shutil
import sys
import sysconfig
import types
from importlib import metadata

import scipy

from ..import_hooks import OLD_MODULES

__all__ = []


def _module(name, **contents):
    module = types.ModuleType(name)
    vars(module).update(contents)
    OLD_MODULES[name] = module
    return module


# --- Python 3.12 dropped distutils and imp -----------------------------------------------------


def _get_python_inc(plat_specific=False, prefix=None):
    return sysconfig.get_path("platinclude" if plat_specific else "include")


def _get_python_lib(plat_specific=False, standard_lib=False, prefix=None):
    return sysconfig.get_path(
        ("plat" if plat_specific else "") + "stdlib" if standard_lib else "platlib" if plat_specific else "purelib"
    )


_module(
    "distutils",
    sysconfig=_module(
        "distutils.sysconfig",
        get_config_var=sysconfig.get_config_var,
        get_python_version=sysconfig.get_python_version,
        get_config_h_filename=sysconfig.get_config_h_filename,
        get_python_inc=_get_python_inc,
        get_python_lib=_get_python_lib,
    ),
    spawn=_module("distutils.spawn", find_executable=shutil.which),
)


def _find_module(name, path=None):
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError("No module named {!r}".format(name), name=name)
    return None, spec.origin, None


def _load_source(name, pathname, file=None):
    spec = importlib.util.spec_from_file_location(name, pathname)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_module("imp", reload=importlib.reload, find_module=_find_module, load_source=_load_source, new_module=types.ModuleType)

# --- setuptools 81 dropped pkg_resources; versions before warn, and take 0.1 s to import --------


def _resource_filename(package, name):
    return os.path.join(os.path.dirname(importlib.import_module(package).__file__), name)


def _resource_stream(package, name):
    return open(_resource_filename(package, name), "rb")


def _resource_string(package, name):
    with _resource_stream(package, name) as file:
        return file.read()


def _declare_namespace(name):
    module = sys.modules[name]
    module.__path__ = pkgutil.extend_path(module.__path__, name)


# Lasagne reads its version by it, Theano's GPU part an exception, ArviZ its style sheets.
_module(
    "pkg_resources",
    get_distribution=metadata.distribution,
    DistributionNotFound=metadata.PackageNotFoundError,
    iter_entry_points=lambda group: iter(metadata.entry_points(group=group)),
    resource_filename=_resource_filename,
    resource_stream=_resource_stream,
    resource_string=_resource_string,
    resource_exists=lambda package, name: os.path.exists(_resource_filename(package, name)),
    declare_namespace=_declare_namespace,
)

# --- SciPy 1.8 renamed the private functions that Theano convolves with in Python ---------------

_module(
    "scipy.signal.signaltools",
    _valfrommode=str,
    _bvalfromboundary=str,
    convolve=lambda *args, **kwargs: scipy.signal.convolve(*args, **kwargs),
)
_module(
    "scipy.signal.sigtools",
    _convolve2d=lambda in1, in2, flip, mode, boundary, fillvalue: scipy.signal.convolve2d(
        in1, in2, mode, boundary, fillvalue
    ),
)
