"""Names that Python, NumPy and scikit-learn dropped, for a program of 2015 that is run unchanged."""

from test_old_programs import run_python

PROGRAM = """
import collections, fractions, inspect, time
import numpy as np
import lasagne
from sklearn.cross_validation import KFold, StratifiedKFold, train_test_split
from sklearn.grid_search import GridSearchCV

assert issubclass(list, collections.Iterable) and collections.Mapping and collections.Callable
assert inspect.getargspec(lambda a, *b, c=1, **d: 0) == (['a'], 'b', 'd', None)
assert inspect.getargspec(lambda a, b=2: 0).defaults == (2,)
assert time.clock() <= time.clock() and fractions.gcd(12, 18) == 6
assert np.asscalar(np.array([2.5])) == 2.5 and np.zeros(2, np.bool).dtype == bool
assert np.array([1], dtype=np.float).dtype == float and np.product([2, 3]) == 6 and np.NaN != np.NaN
assert np.in1d([1, 2], [2, 3]).tolist() == [False, True] and np.alltrue([True, True])

train, valid = next(iter(KFold(10, 5)))
assert sorted(train) + sorted(valid) == [2, 3, 4, 5, 6, 7, 8, 9, 0, 1] and len(KFold(10, 5)) == 5
train, valid = next(iter(StratifiedKFold(np.array([0, 1] * 6), 3)))
assert np.bincount(np.array([0, 1] * 6)[valid]).tolist() == [2, 2]
assert len(train_test_split(np.arange(10), test_size=3)[1]) == 3
print("all there")
"""


def test_dropped_names_are_there_for_a_program(tmp_path):
    (tmp_path / "old.py").write_text(PROGRAM)
    process = run_python("-W", "error", "-m", "mnist_cnn.compat", str(tmp_path / "old.py"))
    assert (process.stdout, process.stderr) == ("all there\n", "")


def test_they_are_not_put_back_for_the_package():
    process = run_python(
        "-c",
        "import mnist_cnn.train, collections, inspect, time\n"
        "assert not hasattr(collections, 'Iterable')\n"
        "assert not hasattr(time, 'clock')",
    )
    assert (process.returncode, process.stderr) == (0, "")
