"""Names that Python, NumPy and scikit-learn dropped, for a program of 2015 that is run unchanged."""

import pytest
from test_old_programs import run_python

PROGRAM = """
import collections, fractions, inspect, time, unittest
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

sentences = np.array([[1, 2], [3]])
assert sentences.dtype == object and sentences.tolist() == [[1, 2], [3]]
assert np.vstack(np.arange(i, i + 2) for i in range(2)).tolist() == [[0, 1], [1, 2]]
assert np.hstack(map(np.ones, (1, 2))).tolist() == [1, 1, 1]
for values, dtype in (([[1, 2], [3]], float), (["a"], int)):
    try:
        np.array(values, dtype=dtype)
    except ValueError:
        pass
    else:
        raise AssertionError(values)

class Tests(unittest.TestCase):
    def test_names(self):
        self.assertEquals(1, 1)
        self.assertItemsEqual([1, 2], [2, 1])
        self.failUnless(True)
result = unittest.makeSuite(Tests).run(unittest.TestResult())
assert result.testsRun == 1 and result.wasSuccessful()

# an installed library sees them, unless it needs a Python of today
import sklearn
for name, sees in (("old_library", True), ("sklearn.base", False)):
    library = {"__name__": name, "__file__": sklearn.__file__}
    exec("import collections, numpy as np; found = [hasattr(np, 'float'), hasattr(collections, 'Iterable')]", library)
    assert library["found"] == [sees] * 2, (name, library["found"])

train, valid = next(iter(KFold(10, 5)))
assert sorted(train) + sorted(valid) == [2, 3, 4, 5, 6, 7, 8, 9, 0, 1] and len(KFold(10, 5)) == 5
train, valid = next(iter(StratifiedKFold(np.array([0, 1] * 6), 3)))
assert np.bincount(np.array([0, 1] * 6)[valid]).tolist() == [2, 2]
assert len(train_test_split(np.arange(10), test_size=3)[1]) == 3
from sklearn.base import BaseEstimator, clone
class Estimator(BaseEstimator):
    def __init__(self, units=3, removed=None):
        self.units = units
assert clone(Estimator(5)).units == 5 and Estimator().get_params() == {'units': 3, 'removed': None}
class Listed(BaseEstimator):
    def __init__(self, layers, times=1):
        self.layers, self.times = [layer for layer in layers], 2 * times
try:
    clone(Listed([1, 2]))
    raise SystemExit("a constructor that changes its argument")
except RuntimeError as error:
    assert "Cannot clone" in str(error)
Listed.__init__ = lambda self, layers, times=1: self.__dict__.update(layers=list(layers), times=times)
assert clone(Listed([1, 2])).layers == [1, 2]
import sklearn.preprocessing.label as label
there = label.type_of_target
label.type_of_target = lambda y: 'multiclass'
assert label.LabelBinarizer().fit_transform([0, 1, 1]).shape == (3, 2)
label.type_of_target = there
assert label.LabelBinarizer().fit_transform([0, 1, 1]).shape == (3, 1)
from sklearn.externals import joblib
from sklearn.datasets import fetch_mldata
import imp, os, pickle, pkg_resources, scipy.misc, scipy.ndimage, string, warnings
mnist = fetch_mldata("MNIST original")
assert mnist.data.shape == (70000, 784) and mnist.data.dtype == np.uint8
assert [int((mnist.target == digit).sum()) for digit in (0, 1)] == [6903, 7877]  # published counts
assert (np.diff(mnist.target[:60000]) >= 0).all() and mnist.target[59999] == 9 and mnist.target[60000] == 0

grey = np.array([[0, 100, 200], [50, 150, 250]], np.uint8)
scipy.misc.imsave("grey.png", grey)
assert (scipy.misc.imread("grey.png") == grey).all() and (scipy.ndimage.imread("grey.png") == grey).all()
assert (scipy.misc.imresize(grey, 200, interp="nearest") == grey.repeat(2, 0).repeat(2, 1)).all()
assert scipy.misc.imresize(grey, (6, 3)).shape == (6, 3) and scipy.misc.imresize(grey, 0.5).shape == (1, 1)
colours = np.stack([grey, grey // 2, 255 - grey])  # channels first, as Theano has them
picture = scipy.misc.toimage(colours)
assert picture.mode == "RGB" and (scipy.misc.fromimage(picture) == colours.transpose(1, 2, 0)).all()
stretched = scipy.misc.fromimage(scipy.misc.toimage(grey / 1000.0))  # from its least to its greatest
assert (stretched == (grey / 250.0 * 255 + 0.5).astype(int)).all()
assert abs(scipy.misc.logsumexp([0, 0]) - np.log(2)) < 1e-12 and string.letters[26] in "aA"
assert abs(scipy.misc.derivative(np.sin, 0.5, 1e-2, n=2, order=7) + np.sin(0.5)) < 1e-9
assert np.allclose(scipy.misc.central_diff_weights(5) * 12, [1, -8, 0, 8, -1])

with open("python2.pkl", "wb") as file:  # an array of Python 2: its bytes are a string
    file.write(b"(S'mean'\\nU\\x03\\x80\\x90\\xffd.".decode("unicode_escape").encode("latin1"))
with open("python2.pkl", "rb") as file:
    assert pickle.load(file) == {"mean": "\x80\x90\xff"}
with open("python2.pkl", "rb") as file:
    assert pickle.loads(file.read()) == {"mean": "\x80\x90\xff"}
with open("python2.pkl") as file:  # as text
    assert pickle.load(file) == {"mean": "\x80\x90\xff"}
with open("written.pkl", "w") as file:
    pickle.dump([1, "two"], file, -1)
with open("written.pkl", "rb") as file:
    assert pickle.load(file) == [1, "two"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)
    assert pickle.load(open("python2.pkl")) == {"mean": "\x80\x90\xff"}  # nobody else holds the file
with open("other.py", "w") as file:
    file.write("value = 3")
assert imp.load_source("other", "other.py").value == 3
assert np.fromstring(bytes([1, 0, 2, 0]), dtype=np.uint16).tolist() == [1, 2]
assert np.fromstring("1 2", int, sep=" ").tolist() == [1, 2] and np.fromstring("ab", np.uint8).tolist() == [97, 98]
assert np.sum(number for number in (1, 2)) == 3 == np.sum([1, 2]) and np.sum(5) == 5
import base64, configparser, io, os, threading
parser = configparser.SafeConfigParser()
parser.readfp(io.StringIO("[a]"))
assert parser.sections() == ["a"] and threading.current_thread().isAlive() and os.errno.EEXIST == 17
assert base64.decodestring(base64.encodestring(b"a")) == b"a"
import scipy, scipy.integrate, matplotlib.pyplot
assert scipy.zeros(2).tolist() == [0, 0] and scipy.random.rand(2).shape == (2,) and scipy.pi > 3
assert scipy.integrate.simps([0.0, 1, 2]) == 2 == scipy.integrate.trapz([0.0, 1, 2])
matplotlib.pyplot.hold(True)
from numpy.linalg.linalg import LinAlgError
from numpy.testing import dec
assert np.linalg.linalg.LinAlgError is LinAlgError is np.linalg.LinAlgError
assert dec.slow(len) is len
import matplotlib.cm, scipy.linalg, scipy.signal
assert scipy.linalg.kron(np.eye(2), [[1, 2]]).tolist() == [[1, 2, 0, 0], [0, 0, 1, 2]]
assert np.allclose(scipy.linalg.pinv2([[2.0]]), 0.5)
assert scipy.signal.gaussian(3, 1).argmax() == 1 and scipy.signal.hann(3).argmax() == 1
matplotlib.cm.register_cmap("mine", matplotlib.cm.get_cmap("gray"))
from matplotlib.pyplot import get_cmap, register_cmap
assert get_cmap("mine", 3).N == 3
assert pkg_resources.get_distribution("Theano").version == "1.0.5"
try:
    pkg_resources.get_distribution("no-such-package")
except pkg_resources.DistributionNotFound:
    assert pkg_resources.resource_string("other", "other.py") == b"value = 3"
for module in (scipy.misc,):
    try:
        module.lena()
    except RuntimeError:
        print("all there")
"""


def test_dropped_names_are_there_for_a_program(tmp_path, monkeypatch):
    (tmp_path / "old.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
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


@pytest.mark.parametrize(
    "program, said",
    [
        ("print 'epoch', 1\n", "it is a program of Python 2: Missing parentheses in call to 'print'"),
        ("import theano\nfor i in xrange(3): pass\n", "it is a program of Python 2: 'xrange'"),
        ("import cPickle, gzip\n", "it is a program of Python 2: 'cPickle'"),
        ("import nowhere\n", None),
        ("a = (1\n", None),
    ],
)
def test_a_program_of_python_2_is_named(program, said, tmp_path):
    (tmp_path / "old.py").write_text(program)
    process = run_python("-m", "mnist_cnn.compat", str(tmp_path / "old.py"))
    last = process.stderr.splitlines()[-1]
    assert process.returncode == 1 and "Traceback" in process.stderr
    assert last.startswith("mnist_cnn: ") and said in last if said else "Python 2" not in process.stderr
