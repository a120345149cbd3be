"""``sklearn.cross_validation`` of before scikit-learn 0.20, over `sklearn.model_selection`."""

import numpy as np
from sklearn import model_selection

# without those that need an import of sklearn.experimental
globals().update({name: value for name, value in vars(model_selection).items() if not name.startswith("_")})


class KFold:
    """Folds of n examples; iterated, it gives pairs of indices: to train with, to test with."""

    def __init__(self, n, n_folds=3, shuffle=False, random_state=None):
        folds = model_selection.KFold(n_folds, shuffle=shuffle, random_state=random_state)
        self.pairs = list(folds.split(np.zeros(n)))

    def __iter__(self):
        return iter(self.pairs)

    def __len__(self):
        return len(self.pairs)


class StratifiedKFold(KFold):
    """Folds of examples with labels, which are as frequent in each."""

    def __init__(self, y, n_folds=3, shuffle=False, random_state=None):
        folds = model_selection.StratifiedKFold(n_folds, shuffle=shuffle, random_state=random_state)
        self.pairs = list(folds.split(np.zeros(len(y)), y))


class _Shuffled(KFold):
    def _split(self, kind, y, n_iter, test_size, train_size, random_state):
        splits = kind(n_iter, test_size=test_size, train_size=train_size, random_state=random_state)
        self.pairs = list(splits.split(np.zeros(len(y)), y))


class ShuffleSplit(_Shuffled):
    """Random splits of n examples."""

    def __init__(self, n, n_iter=10, test_size=0.1, train_size=None, random_state=None):
        self._split(model_selection.ShuffleSplit, np.zeros(n), n_iter, test_size, train_size, random_state)


class StratifiedShuffleSplit(_Shuffled):
    """Random splits of examples with labels, which are as frequent in both parts."""

    def __init__(self, y, n_iter=10, test_size=0.1, train_size=None, random_state=None):
        self._split(model_selection.StratifiedShuffleSplit, y, n_iter, test_size, train_size, random_state)
