"""Names that Python and NumPy dropped, put back for the programs that ask for them.

`python -m mnist_cnn.compat PROGRAM.py` does so. An import of the package does not, since other libraries
tell the version of Python or NumPy by these names.
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

from .mends.old_numpy import old_numpy

__all__ = ["restore_names"]


def _getargspec(function):
    """`inspect.getargspec`, gone since Python 3.11."""
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")


_OF_NUMPY = """bool int float complex object str unicode long asscalar float_ complex_ unicode_ string_ Inf Infinity
PINF NINF NaN NAN product cumproduct sometrue alltrue in1d row_stack msort""".split()

#: Modules and their dropped names: gone since Python 3.3, 3.8, 3.9, 3.10 and 3.11, NumPy 1.18 to 2.0.
_NAMES = {
    collections: {name: getattr(collections.abc, name) for name in collections.abc.__all__},
    inspect: {"getargspec": _getargspec, "ArgSpec": ArgSpec},
    time: {"clock": time.perf_counter},
    fractions: {"gcd": math.gcd},
    np: {"rank": np.ndim, **{name: getattr(old_numpy, name) for name in _OF_NUMPY}},
}


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of scikit-learn by their names of before version 0.20."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in _MOVED or importlib.machinery.PathFinder.find_spec(fullname, path):
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec):
        module = types.ModuleType(spec.name, "The module of before scikit-learn 0.20.")
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
    """The old KFold and StratifiedKFold: constructed from the data, iterated for pairs of indices."""
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


def restore_names() -> None:
    """Put back the names that are missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about names that it will drop
        for module, names in _NAMES.items():
            for name, value in names.items():
                if name not in vars(module) and not (module is np and hasattr(np, name)):
                    setattr(module, name, value)
    # NumPy 1.20 to 1.23 have the names of Python's types, and warn
    warnings.filterwarnings("ignore", "`np\\.", DeprecationWarning)
    sys.meta_path.append(_Moved())
