"""Names that Python, NumPy, SciPy and scikit-learn dropped, put back for the programs that ask for them.

`python -m mnist_cnn.compat PROGRAM.py` does so. Libraries of today do not see the names, since some tell the
version of Python or NumPy by them; nor does any code after a mere import of the package.
"""

import base64
import collections
import collections.abc
import configparser
import contextlib
import errno
import fractions
import functools
import gzip
import importlib.util
import inspect
import io
import math
import os
import pickle
import re
import string
import sys
import threading
import time
import unittest
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

from .import_hooks import MOVED, OLD_MODULES, after, around, wrap
from .mends.old_numpy import old_numpy

__all__ = ["restore_names"]


def _getargspec(function):
    """`inspect.getargspec`, gone since Python 3.11."""
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")

#: Classes and their methods of today for dropped names: gone since Python 3.9 and 3.12.
_METHODS = {
    configparser.RawConfigParser: {"readfp": "read_file"},
    threading.Thread: {"isAlive": "is_alive"},
    unittest.TestCase: {
        "assert_": "assertTrue",
        "assertAlmostEquals": "assertAlmostEqual",
        "assertEquals": "assertEqual",
        "assertItemsEqual": "assertCountEqual",
        "assertNotAlmostEquals": "assertNotAlmostEqual",
        "assertNotEquals": "assertNotEqual",
        "assertNotRegexpMatches": "assertNotRegex",
        "assertRaisesRegexp": "assertRaisesRegex",
        "assertRegexpMatches": "assertRegex",
        "failIf": "assertFalse",
        "failIfEqual": "assertNotEqual",
        "failUnless": "assertTrue",
        "failUnlessEqual": "assertEqual",
        "failUnlessRaises": "assertRaises",
    },
}

#: Modules and their dropped names: gone since Python 3.0, 3.3, 3.7 to 3.13.
_NAMES = {
    base64: {"encodestring": base64.encodebytes, "decodestring": base64.decodebytes},
    collections: {name: getattr(collections.abc, name) for name in collections.abc.__all__},
    configparser: {"SafeConfigParser": configparser.ConfigParser},
    inspect: {"getargspec": _getargspec, "ArgSpec": ArgSpec},
    time: {"clock": time.perf_counter},
    fractions: {"gcd": math.gcd},
    os: {"errno": errno},
    string: {"letters": string.ascii_letters, "lowercase": string.ascii_lowercase, "uppercase": string.ascii_uppercase},
    unittest: {"makeSuite": unittest.defaultTestLoader.loadTestsFromTestCase},
}

#: NumPy's names are those of the module for Theano, but for modules; `rank` is older.
_OF_NUMPY = {"rank": np.ndim, **{name: value for name, value in vars(old_numpy).items() if not name.startswith("_")}}
del _OF_NUMPY["distutils"]

_STAND_INS = "mnist_cnn.compat.stand_ins."
_MOVED = {
    "scipy.misc": _STAND_INS + "scipy_misc",
    "numpy.linalg.linalg": "numpy.linalg",
    "sklearn.cross_validation": _STAND_INS + "cross_validation",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.learning_curve": "sklearn.model_selection",
    "sklearn.preprocessing.label": _STAND_INS + "sklearn_label",
    "sklearn.externals.joblib": "joblib",
    "sklearn.externals.six": "six",
}


# --- who sees the names ------------------------------------------------------------------------


@functools.cache
def _distributions():
    return metadata.packages_distributions()


def _is_of_today(code):
    """Whether globals are those of a library that needs Python 3.9 or later: it came after NumPy dropped its names."""
    if not re.search(r"(site|dist)-packages[/\\]", code.get("__file__") or ""):
        return False
    package = (code.get("__name__") or "").partition(".")[0]
    needed = [metadata.metadata(name).get("Requires-Python") or "" for name in _distributions().get(package, ())]
    return any(int(minor) >= 9 for minor in re.findall(r">=?\s*3\.(\d+)", "".join(needed)))


def _add_names(module, names):
    """Have a module give names that it lacks to all code but libraries of today, which tell versions by them."""
    names = {name: value for name, value in names.items() if not hasattr(module, name)}
    others = vars(module).get("__getattr__")

    def __getattr__(name):
        if name in names and not _is_of_today(sys._getframe(1).f_globals):
            return names[name]
        if others is not None:
            return others(name)
        raise AttributeError("module {!r} has no attribute {!r}".format(module.__name__, name))

    module.__getattr__ = __getattr__


# --- arguments that NumPy refuses since 1.24 ---------------------------------------------------


def _of_unlike_lengths(old, *args, **kwargs):
    """Make an array of objects of lists of unlike lengths, such as sentences; a `dtype` excludes that, as ever."""
    try:
        return old(*args, **kwargs)
    except ValueError as error:
        if len(args) != 1 or "dtype" in kwargs or "inhomogeneous" not in str(error):
            raise
        return old(*args, dtype=object, **kwargs)


def _of_iterators(old, arrays, *args, **kwargs):
    """Stack the arrays of a generator or a `map`."""
    return old(arrays if hasattr(arrays, "__getitem__") else list(arrays), *args, **kwargs)


def _of_bytes(old, string, dtype=float, count=-1, **kwargs):
    """Read an array from bytes, as before NumPy 2.3: the data files of old programs."""
    if kwargs.get("sep", "") != "":
        return old(string, dtype, count, **kwargs)
    return np.frombuffer(string.encode("latin1") if isinstance(string, str) else string, dtype, count).copy()


def _of_iterator(old, a, *args, **kwargs):
    """Add the numbers of a generator, as before NumPy 2.5."""
    return sum(a) if isinstance(a, collections.abc.Iterator) else old(a, *args, **kwargs)


_ARGUMENTS: dict[Callable, tuple[str, ...]] = {
    _of_unlike_lengths: ("array", "asarray"),
    _of_bytes: ("fromstring",),
    _of_iterator: ("sum",),
    _of_iterators: ("stack", "vstack", "hstack", "dstack", "column_stack"),
}


# --- functions of SciPy, matplotlib and scikit-learn -------------------------------------------


def _add_windows(module):
    """Add ``scipy.signal.gaussian`` and the other windows, gone since SciPy 1.13."""
    _add_names(module, {name: getattr(module.windows, name) for name in module.windows.__all__})


def _add_decorators(module):
    """Add the decorators of ``numpy.testing``, gone since NumPy 1.25."""
    _add_names(module, {"dec": OLD_MODULES["numpy.testing"].dec})


def _add_matrices(module):
    """Add what ``scipy.linalg`` had beside NumPy: `kron`, gone since SciPy 1.17, and others."""

    def kron(a, b):  # as it joined arrays of any number of axes
        return np.concatenate(np.concatenate(np.multiply.outer(a, b), axis=1), axis=1)

    _add_names(module, {"kron": kron, "tri": np.tri, "tril": np.tril, "triu": np.triu, "pinv2": module.pinv})


def _add_integrals(module):
    """Add the names of before SciPy 1.14."""
    names = {"simps": "simpson", "trapz": "trapezoid", "cumtrapz": "cumulative_trapezoid"}
    _add_names(module, {old: getattr(module, new) for old, new in names.items()})


def _add_functions_of_numpy(module):
    """Add what ``scipy`` took from NumPy, such as ``scipy.zeros`` and ``scipy.random``, until SciPy 1.12."""
    names = {name: value for name, value in {**vars(np), **_OF_NUMPY}.items() if not name.startswith("_")}
    names = {name: value for name, value in names.items() if not inspect.ismodule(value)}  # SciPy has its own linalg
    _add_names(module, {**names, "random": np.random, "rand": np.random.rand, "randn": np.random.randn})


def _add_hold(module):
    """Add ``matplotlib.pyplot.hold``, gone since matplotlib 3.0: axes always keep what is drawn."""
    _add_names(module, {"hold": lambda b=None: None})


def _add_color_maps(module):
    """Add ``register_cmap`` and ``get_cmap`` of ``matplotlib.cm``, gone since matplotlib 3.9; pyplot has the second."""
    _add_names(module, {"register_cmap": _register_cmap, "get_cmap": _get_cmap})


def _register_cmap(name=None, cmap=None, override_builtin=False):
    import matplotlib

    matplotlib.colormaps.register(cmap, name=name, force=override_builtin)


def _get_cmap(name=None, lut=None):
    from matplotlib import pyplot

    return pyplot.get_cmap(name, lut)


def _add_imread(module):
    """Add ``scipy.ndimage.imread``."""
    from .stand_ins.scipy_misc import imread

    module.imread = imread


def _add_mnist(module):
    """Add ``sklearn.datasets.fetch_mldata``, whose server is gone, for the package's own MNIST."""
    module.fetch_mldata = _fetch_mldata


def _forgive_estimators(module):
    """An estimator may lack an attribute that its `__init__` names, as before scikit-learn 0.24, or copy an argument.

    The latter was allowed before scikit-learn 0.20, if the copy was equal.
    """

    def get_params(self, deep=True):
        params = {}
        for name in self._get_param_names():
            params[name] = value = getattr(self, name, None)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params.update((name + "__" + key, part) for key, part in value.get_params().items())
        return params

    def __sklearn_clone__(self):
        try:
            return clone(self)
        except RuntimeError:
            arguments = {name: module.clone(value, safe=False) for name, value in self.get_params(deep=False).items()}
            copy = type(self)(**arguments)
            kept = copy.get_params(deep=False)
            if not all(kept[name] is value or np.all(kept[name] == value) for name, value in arguments.items()):
                raise
            return copy

    module.BaseEstimator.get_params = get_params
    clone = getattr(module.BaseEstimator, "__sklearn_clone__", None)
    if clone is not None:  # since scikit-learn 1.3
        module.BaseEstimator.__sklearn_clone__ = __sklearn_clone__


def _fetch_mldata(dataname, *args, **kwargs):
    """MNIST in the form of mldata.org: 60,000 digits ordered by their labels, then 10,000."""
    from sklearn.utils import Bunch

    if "mnist" not in dataname.lower():
        raise ValueError(
            "mldata.org is gone; of its data sets, 'MNIST original' alone is here, not {!r}".format(dataname)
        )
    folder, data, target = Path(__file__).parents[1] / "mnist", [], []
    for part in ("train", "t10k"):
        labels = np.frombuffer(gzip.decompress((folder / (part + "-labels-idx1-ubyte.gz")).read_bytes())[8:], np.uint8)
        images = np.frombuffer(gzip.decompress((folder / (part + "-images-idx3-ubyte.gz")).read_bytes())[16:], np.uint8)
        order = np.argsort(labels, kind="stable")
        data.append(images.reshape(-1, 784)[order])
        target.append(labels[order].astype(np.float64))
    return Bunch(
        data=np.concatenate(data),
        target=np.concatenate(target),
        COL_NAMES=["label", "data"],
        DESCR="mldata.org dataset: mnist-original",
    )


# --- Lasagne's layers for cuDNN ----------------------------------------------------------------


@contextlib.contextmanager
def _as_on_a_gpu():
    """Have ``lasagne.layers.dnn``, which asks for a GPU at its import, take the CPU's Ops for cuDNN's."""
    import theano
    from theano.sandbox import cuda
    from theano.sandbox.cuda import dnn

    config = type(theano.config)
    changes = ((config, "device", "gpu"), (cuda, "cuda_enabled", True), (dnn, "dnn_available", lambda: True))
    before = [vars(owner)[name] for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # float64 is slow on a GPU
            yield
    finally:
        for (owner, name, _), value in zip(changes, before):
            setattr(owner, name, value)


# --- pickles of Python 2 -----------------------------------------------------------------------


def _bytes_of(file):
    """The bytes of a file that was opened as text: Python 2 read and wrote pickles so."""
    if not isinstance(file, io.TextIOWrapper):
        return file
    file.flush()
    return file.buffer


def _pickle_as_python_2():
    """Have pickles go through files of text, and strings that are no ASCII be read: old data sets, weights."""
    dump, load, loads = pickle.dump, pickle.load, pickle.loads

    def dump_bytes(obj, file, *args, **kwargs):
        dump(obj, _bytes_of(file), *args, **kwargs)

    def load_again(file, **kwargs):
        data = _bytes_of(file)  # `file`, which closes it at its own end, stays
        # a pipe cannot be read again
        start = data.tell() if "encoding" not in kwargs and hasattr(data, "seekable") and data.seekable() else None
        try:
            return load(data, **kwargs)
        except UnicodeDecodeError:
            if start is None:
                raise
            data.seek(start)
            return load(data, encoding="latin1", **kwargs)

    def loads_again(data, /, **kwargs):
        try:
            return loads(data, **kwargs)
        except UnicodeDecodeError:
            if "encoding" in kwargs:
                raise
            return loads(data, encoding="latin1", **kwargs)

    pickle.dump, pickle.load, pickle.loads = dump_bytes, load_again, loads_again


def restore_names() -> None:
    """Put back the names that are missing, have NumPy take old arguments, and have pickles of Python 2 read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about names that it will drop
        for takes, functions in _ARGUMENTS.items():
            for name in functions:
                wrap(np, name)(takes)
        vars(np)["row_stack"] = np.vstack  # another name of it, gone since NumPy 2.5
        for module, names in {**_NAMES, np: _OF_NUMPY, np.linalg: {"linalg": np.linalg}}.items():
            _add_names(module, names)
        for kind, names in _METHODS.items():
            for name in names.keys() - set(dir(kind)):
                setattr(kind, name, getattr(kind, names[name]))
    # NumPy 1.20 to 1.23 have the names of Python's types, and warn
    warnings.filterwarnings("ignore", "`np\\.", DeprecationWarning)
    MOVED.update(_MOVED)
    for name in ("imp", "distutils", "pkg_resources"):
        if importlib.util.find_spec(name) is None:
            for module in [old for old in OLD_MODULES if old.partition(".")[0] == name]:
                sys.modules[module] = OLD_MODULES[module]
    after("scipy.ndimage")(_add_imread)
    after("sklearn.base")(_forgive_estimators)
    after("numpy.testing")(_add_decorators)
    after("scipy.signal")(_add_windows)
    after("scipy")(_add_functions_of_numpy)
    after("scipy.integrate")(_add_integrals)
    after("scipy.linalg")(_add_matrices)
    after("matplotlib.cm")(_add_color_maps)
    after("matplotlib.pyplot")(_add_color_maps)
    after("matplotlib.pyplot")(_add_hold)
    after("sklearn.datasets")(_add_mnist)
    around("lasagne.layers.dnn")(_as_on_a_gpu)
    _pickle_as_python_2()
