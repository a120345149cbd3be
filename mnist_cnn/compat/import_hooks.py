"""Mends the modules of Theano and Lasagne as they are imported.

A finder gives each of their modules a loader of ours:

- the module imports the old ``numpy``, ``distutils`` and so on (`OLD_MODULES`), which no other code sees;
- lines of its source are substituted (`LINES`); a missing line is an ImportError;
- another module takes its place (`MOVED`);
- it runs inside context managers (`AROUND`);
- functions are called with it after it has run (`AFTER`).

The mends of `mnist_cnn.compat.mends` register themselves in these tables.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib.machinery
import importlib.util
import inspect
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable)

__all__ = [
    "PACKAGES",
    "OLD_MODULES",
    "MOVED",
    "LINES",
    "AROUND",
    "AFTER",
    "after",
    "around",
    "import_when_asked",
    "install",
    "wrap",
]

#: packages whose modules are mended
PACKAGES = {"theano", "lasagne"}
#: modules for old code alone: {"distutils.spawn": module}
OLD_MODULES = {}
#: parts of SciPy that old code imports and hardly ever uses; SciPy imports them at their first use
USED_LATER = {"scipy.special", "scipy.stats"}
#: {module that is gone: the module that takes its place}
MOVED = {}
#: {module: [(old line, new line), ...]}
LINES = {}
#: {module: [function that returns a context manager, ...]}
AROUND = {}
#: {module: [function that takes the module, ...]}
AFTER = {}


def after(name: str) -> Callable[[F], F]:
    """A decorator: call a function with the module `name`, of any package, after that has run; at once if it has."""

    def register(function):
        if name in sys.modules:
            function(sys.modules[name])
        else:
            AFTER.setdefault(name, []).append(function)
        return function

    return register


def around(name: str) -> Callable[[F], F]:
    """A decorator: run the module `name` inside the context manager that a function returns."""

    def register(function):
        AROUND.setdefault(name, []).append(function)
        return function

    return register


def wrap(owner: object, name: str) -> Callable[[F], F]:
    """A decorator: replace the function `name` of a class or module by one that gets it as first argument.

    Examples
    --------
    >>> import types
    >>> from mnist_cnn.compat.import_hooks import wrap
    >>> owner = types.SimpleNamespace(double=lambda x: 2 * x)
    >>> @wrap(owner, "double")
    ... def one_more(old, x):
    ...     return old(x) + 1
    >>> owner.double(3)
    7
    """
    old = getattr(owner, name)
    kind = staticmethod if isinstance(inspect.getattr_static(owner, name), staticmethod) else lambda new: new

    def register(function):
        @functools.wraps(old)
        def new(*args, **kwargs):
            return function(old, *args, **kwargs)

        setattr(owner, name, kind(new))
        return function

    return register


def import_when_asked(package: str, *names: str) -> None:
    """Have submodules of a package imported by their first use as its attributes."""

    def __getattr__(name):
        if name in names:
            return importlib.import_module(package + "." + name)
        raise AttributeError("module {!r} has no attribute {!r}".format(package, name))

    vars(importlib.import_module(package))["__getattr__"] = __getattr__


def import_as_it_was(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    """``__import__`` for old code, with the modules of `OLD_MODULES`."""
    if level == 0:
        top = name.partition(".")[0]
        if fromlist and name in OLD_MODULES:
            return OLD_MODULES[name]
        if not fromlist and (name in OLD_MODULES or name in USED_LATER):
            name = top
        if not fromlist and top in OLD_MODULES:  # "import numpy.random" gives numpy
            if name not in OLD_MODULES:
                importlib.import_module(name)
            return OLD_MODULES[top]
    return builtins.__import__(name, globals, locals, fromlist, level)


_BUILTINS = dict(vars(builtins), __import__=import_as_it_was)


def _is_old(name):
    return name.partition(".")[0] in PACKAGES


def _run(module, exec_module):
    """Run a module by its loader's `exec_module`, mended."""
    if _is_old(module.__name__):
        from . import theano_import  # noqa: F401  it fills the tables

        vars(module)["__builtins__"] = _BUILTINS
    with contextlib.ExitStack() as stack:
        for context in AROUND.get(module.__name__, ()):
            stack.enter_context(context())
        exec_module(module)
        for function in AFTER.get(module.__name__, ()):
            function(module)


class _MendingLoader(importlib.machinery.SourceFileLoader):
    """Loads a module from its source; a module with substituted lines has a bytecode file of its own."""

    def exec_module(self, module):
        _run(module, super().exec_module)

    def _bytecode(self, path):
        """The bytecode's path: beside Python's own, which other programs use."""
        if path == self.path or self.name not in LINES:
            return path
        return path[: -len("pyc")] + "mnist_cnn.pyc"

    def get_data(self, path):
        return super().get_data(self._bytecode(path))

    def set_data(self, path, data, **kwargs):
        super().set_data(self._bytecode(path), data, **kwargs)

    def path_stats(self, path):
        stats = super().path_stats(path)
        if self.name in LINES:  # Python compares the source's time with the bytecode's
            stats["mtime"] = int(stats["mtime"]) ^ zlib.crc32(repr(LINES[self.name]).encode())
        return stats

    def source_to_code(self, data, *names, **kwargs):  # the path; since Python 3.15 also the module's name
        if self.name in LINES:
            data = _substitute(self.name, importlib.util.decode_source(data)).encode()
        if sys.flags.optimize > 1:
            # Theano adds docstrings, which -OO drops: "unsupported operand type(s) for +: 'NoneType' and 'str'"
            kwargs["_optimize"] = 1
        with warnings.catch_warnings():  # about invalid escapes, and "is" with a literal
            warnings.simplefilter("ignore")
            return super().source_to_code(data, *names, **kwargs)


def _substitute(name, text):
    for old, new in LINES[name]:
        if old not in text:
            raise ImportError(
                "{} has no line {!r}: mnist_cnn mends Theano 1.0.5 and Lasagne, and this is another version".format(
                    name, old
                ),
                name=name,
            )
        text = text.replace(old, new)
    return text


class _Wrapped:
    """Another tool's loader, such as pytest's of test modules, with our mends."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        _run(module, self._loader.exec_module)


class _Moved:
    """Loads a module by the name of one that is gone."""

    def create_module(self, spec):
        module = importlib.import_module(MOVED[spec.name])
        self.spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self.spec  # which the import has set to that of the old name


class MendingFinder:
    """Finds the modules of `PACKAGES` and of `AFTER` by the other finders, and mends them; and those of `MOVED`."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in MOVED:
            loader: Any = _Moved()  # no importlib.abc.Loader, which takes time to import
            return importlib.machinery.ModuleSpec(fullname, loader)
        if not _is_old(fullname) and fullname not in AFTER:
            return None
        for finder in sys.meta_path:
            spec = None if finder is cls else finder.find_spec(fullname, path, target)
            if spec is None:
                continue
            if type(spec.loader) is importlib.machinery.SourceFileLoader and _is_old(fullname):
                spec.loader = _MendingLoader(fullname, spec.loader.path)
            elif hasattr(spec.loader, "exec_module") and not isinstance(
                spec.loader, importlib.machinery.ExtensionFileLoader
            ):
                spec.loader = _Wrapped(spec.loader)  # type: ignore[assignment]  # it has what the import asks for
            return spec
        return None


def install() -> None:
    """Have the modules of Theano and Lasagne mended from now on.

    Raises
    ------
    ImportError
        When one of them is imported already, and not mended.
    """
    if MendingFinder in sys.meta_path:
        return
    for name in PACKAGES & set(sys.modules):
        raise ImportError(
            "import mnist_cnn before theano and lasagne, or run python -m mnist_cnn.compat --install "
            "once: {} is imported already, and not mended".format(name)
        )
    sys.meta_path.insert(0, MendingFinder)
