"""Names that Python and NumPy dropped, put back for the programs that ask for them.

`python -m mnist_cnn.compat PROGRAM.py` does so; a program that imports the package does not, since
names that others look for to learn which Python or NumPy they run on would be there again.
"""

import collections
import collections.abc
import fractions
import importlib
import importlib.abc
import importlib.machinery
import inspect
import math
import sys
import time
import types
import warnings

import numpy as np

__all__ = ["restore_names"]


def _getargspec(function):
    """inspect's, gone since Python 3.11: names, varargs, keywords and defaults."""
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")


def _asscalar(array):
    """NumPy's, gone since 1.23: an array of one number as a number of Python's."""
    return np.asarray(array).item()


#: Modules, and what they had: gone since Python 3.3, 3.8, 3.9, 3.10 and 3.11, NumPy 1.23 to 2.0.
_NAMES = {
    collections: {name: getattr(collections.abc, name) for name in collections.abc.__all__},
    inspect: {"getargspec": _getargspec, "ArgSpec": ArgSpec},
    time: {"clock": time.perf_counter},
    fractions: {"gcd": math.gcd},
    np: dict(
        bool=bool,
        int=int,
        float=float,
        complex=complex,
        object=object,
        str=str,
        unicode=str,
        long=int,
        asscalar=_asscalar,
        float_=np.float64,
        complex_=np.complex128,
        unicode_=np.str_,
        string_=np.bytes_,
        Inf=np.inf,
        Infinity=np.inf,
        PINF=np.inf,
        NINF=-np.inf,
        NaN=np.nan,
        NAN=np.nan,
        product=np.prod,
        cumproduct=np.cumprod,
        sometrue=np.any,
        alltrue=np.all,
        in1d=lambda a, b, **kwargs: np.isin(np.ravel(a), b, **kwargs),
        row_stack=np.vstack,
        rank=np.ndim,
        msort=lambda a: np.sort(a, axis=0),
    ),
}


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules of scikit-learn under the names that they had before version 0.20."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in _MOVED or importlib.machinery.PathFinder.find_spec(fullname, path):
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec):
        module = types.ModuleType(spec.name, "As it was before scikit-learn 0.20.")
        there = importlib.import_module(_MOVED[spec.name])
        vars(module).update({name: value for name, value in vars(there).items() if not name.startswith("__")})
        return module

    def exec_module(self, module):
        if module.__name__ == "sklearn.cross_validation":
            vars(module).update(_fold_classes())


_MOVED = dict.fromkeys(
    ("sklearn.cross_validation", "sklearn.grid_search", "sklearn.learning_curve"), "sklearn.model_selection"
)
_MOVED["sklearn.preprocessing.label"] = "sklearn.preprocessing._label"


def _fold_classes():
    """KFold and StratifiedKFold as they were: made of the data, run through for pairs of indices."""
    from sklearn import model_selection

    class KFold:
        def __init__(self, n, n_folds=3, shuffle=False, random_state=None):
            folds = model_selection.KFold(n_folds, shuffle=shuffle, random_state=random_state)
            self.pairs = list(folds.split(np.zeros(n)))

        def __iter__(self):
            return iter(self.pairs)

        def __len__(self):
            return len(self.pairs)

    class StratifiedKFold(KFold):
        def __init__(self, y, n_folds=3, shuffle=False, random_state=None):
            folds = model_selection.StratifiedKFold(n_folds, shuffle=shuffle, random_state=random_state)
            self.pairs = list(folds.split(np.zeros(len(y)), y))

    return {"KFold": KFold, "StratifiedKFold": StratifiedKFold}


def restore_names():
    """Put back what is missing; what is there stays as it is.

    Examples
    --------
    >>> import collections
    >>> from mnist_cnn.compat.dropped_names import restore_names
    >>> restore_names()  # doctest: +SKIP
    >>> issubclass(list, collections.Iterable)  # doctest: +SKIP
    True
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of names that it will drop
        for module, names in _NAMES.items():
            for name, value in names.items():
                if name not in vars(module) and not (module is np and hasattr(np, name)):
                    setattr(module, name, value)
    # between NumPy 1.20 and 1.24 the names of Python's types are there, and warn
    warnings.filterwarnings("ignore", "`np\\.", DeprecationWarning)
    sys.meta_path.append(_Moved())
