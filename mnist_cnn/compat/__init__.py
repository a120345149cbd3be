"""Makes Lasagne 0.1 and Theano 1.0.5, the last releases of both, run on today's Python.

Where the package is installed, Theano and Lasagne are mended as they are imported (``site_hook.py``);
elsewhere import this module, or the package, before them. All of Lasagne 0.1 then works on CPython 3.10
and later with NumPy 1.23 and later. `mnist_cnn.compat.mends` lists the mends. Settings of the program,
THEANO_FLAGS or .theanorc win over ours.

`python -m pytest -p mnist_cnn.compat` runs old test-suites on the mended stack.
"""

import importlib

from . import children, import_hooks
from .environment import check_environment, require_configured_device, with_settings_of_the_user

import_hooks.install()
children.mend_workers()

__all__ = [
    "check_environment",
    "use_float32",
    "use_device",
    "on_device",
    "require_configured_device",
    "require_on_device",
    "require_compiler",
    "device_parts",
    "compile_cache_is_empty",
    "with_settings_of_the_user",
]

#: The modules of the functions that need Theano, which is imported when one of them is asked for.
_MODULES = {
    "use_float32": "flags",
    "compile_cache_is_empty": "compile_cache",
    **dict.fromkeys(["use_device", "on_device", "require_on_device", "require_compiler", "device_parts"], "devices"),
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError("module {!r} has no attribute {!r}".format(__name__, name))
    importlib.import_module("theano")  # first: it brings the fast path, which imports them as well
    return getattr(importlib.import_module("." + _MODULES[name], __name__), name)
