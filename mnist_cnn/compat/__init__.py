"""Makes Lasagne 0.1 and Theano 1.0.5, the last releases of both, run on today's Python.

Import this module (or the package) before Theano and Lasagne; all of Lasagne 0.1 then works on
CPython 3.8 to 3.11 with NumPy 1.22 or 1.23, its recurrent layers included. Each workaround says
what breaks without it. What THEANO_FLAGS or .theanorc set is never overridden.

`python -m pytest -p mnist_cnn.compat` runs old test-suites on the mended stack.
"""

import configparser
import sys

from .surroundings import (
    check_environment, compile_quietly, first_line, mute_old_code, plain_number_of_threads,
    with_settings_of_the_user)

check_environment()

import numpy as np  # noqa: E402

from ..support.errors import MnistCnnError  # noqa: E402

if not (3, 8) <= sys.version_info[:2] <= (3, 11):
    raise ImportError("mnist_cnn needs CPython 3.8 to 3.11, not {}.{}: Theano 1.0.5 uses modules "
                      "that Python 3.12 dropped".format(*sys.version_info))
if tuple(map(int, np.__version__.split(".")[:2])) >= (1, 24):
    raise ImportError("mnist_cnn needs NumPy older than 1.24, not {}: Theano 1.0.5 uses np.bool; "
                      "run: pip install 'numpy<1.24'".format(np.__version__))
if "theano" in sys.modules:
    raise ImportError("import mnist_cnn before theano and lasagne: their defaults are set by then")

# The order matters from here on: what Theano reads as it is imported, Theano, what Lasagne wants
# of it, Lasagne.
from . import gpu  # noqa: E402, F401  how the system's pygpu is found
from .cache import (  # noqa: E402
    compile_cache_is_empty, find_modules_again, find_truncated_extensions,
    remove_truncated_modules)
from .defaults import pkg_resources_stand_in, theano_defaults  # noqa: E402
from .start import (  # noqa: E402
    import_gpuarray_when_asked, lean_imports, remember_the_compiler, skip_source_lines)

__all__ = ["use_float32", "use_device", "on_device", "require_on_device", "require_compiler",
           "device_parts", "compile_cache_is_empty", "with_settings_of_the_user"]

if sys.version_info >= (3, 11):
    # scan's C loop is Cython's output of 2017 and uses parts of the interpreter that 3.11 hides:
    # "longintrepr.h: No such file". Where its import fails, Theano runs the loop in Python.
    sys.modules["theano.scan_module.scan_perform_ext"] = None
mute_old_code()
find_truncated_extensions()
try:
    with theano_defaults() as _device, plain_number_of_threads(), pkg_resources_stand_in(), \
            lean_imports(), compile_quietly():
        import theano
except (OSError, ValueError, TypeError, LookupError, AssertionError, configparser.Error) as error:
    # a cache folder that cannot be made or filled, a value that Theano does not know
    raise ImportError("Theano does not start; look at THEANO_FLAGS, .theanorc, the compiler and "
                      "the disk: {}".format(first_line(error))) from error
remove_truncated_modules(theano.config.compiledir)

from . import ahead, patches, random_streams  # noqa: E402
from .devices import (  # noqa: E402
    device_parts, on_device, require_compiler, require_on_device, use_device)

patches.apply()
find_modules_again()
import_gpuarray_when_asked()
remember_the_compiler()
skip_source_lines()
ahead.apply()
random_streams.apply()
with pkg_resources_stand_in(), patches.around_lasagne():
    import lasagne  # noqa: F401
patches.mend_lasagne()


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
    if type(theano.config).floatX.is_default:
        theano.config.floatX = "float32"


if _device != "cpu":
    try:
        use_device(_device)
    except MnistCnnError as error:
        raise ImportError("device={} in THEANO_FLAGS or .theanorc: {}".format(
            _device, error)) from error
