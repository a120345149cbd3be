"""Theano's import: checks and settings before it, our mends after it."""

import configparser
import contextlib
import gc
import importlib
import sys

from . import flags
from .environment import check_environment, compile_quietly, first_line, mute_old_code, plain_number_of_threads
from .import_hooks import around

__all__ = []


@contextlib.contextmanager
def _no_collections():
    """Turn garbage collection off, which takes a tenth of the import's time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@around("theano")
@contextlib.contextmanager
def _start_theano():
    check_environment()
    from . import gpu  # noqa: F401  it finds the system's pygpu
    from .compile_cache import find_modules_again, find_truncated_extensions, remove_truncated_modules

    # scan's C loop is Cython's output of 2017: it needs longintrepr.h, which Python 3.11 hides, and
    # fields that NumPy 2 hides. Without the module Theano runs the loop in Python.
    sys.modules["theano.scan_module.scan_perform_ext"] = None
    mute_old_code()
    find_truncated_extensions()
    try:
        with flags.theano_defaults(), plain_number_of_threads(), _no_collections(), compile_quietly():
            yield
    except (OSError, ValueError, TypeError, LookupError, AssertionError, Warning, configparser.Error) as error:
        # a cache folder that cannot be made or filled, a value that Theano does not know; under PYTHONWARNINGS=error
        # an option that it does not know
        raise ImportError(
            "Theano does not start; check THEANO_FLAGS, .theanorc, the compiler and the disk: {}".format(
                first_line(error)
            )
        ) from error
    import theano

    remove_truncated_modules(theano.config.compiledir)

    from . import parallel_compile, random_streams
    from .gradients import prefer_own_gradients
    from .lean_import import import_gpuarray_when_asked, remember_the_compiler, skip_source_lines
    from .mends import old_theano

    old_theano.apply()
    prefer_own_gradients()
    find_modules_again()
    import_gpuarray_when_asked()
    remember_the_compiler()
    skip_source_lines()
    parallel_compile.apply()
    random_streams.apply()
    if flags.device != "cpu":
        importlib.import_module(".devices", __package__)  # starts it


@around("lasagne")
@contextlib.contextmanager
def _theano_before_lasagne():
    importlib.import_module("theano")  # an error here is Theano's; Lasagne would say that it is not installed
    yield
