"""The tutorial's stage in one Op: against the plain graph, and by hand."""

import os

import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne.nonlinearities import rectify
from openmp import threads
from plain import PLAIN

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.fused.ops.stage import ConvReluPool, ConvReluPoolGrad

STAGES = {"first": (1, 32, 5), "second": (32, 32, 5), "other": (3, 20, 3)}
SIZES = {"first": (28, 28), "second": (12, 12), "other": (11, 14)}


def plain_stage(x, W, b):
    """What Lasagne's three layers say, in Theano's own terms."""
    z = rectify(T.nnet.conv2d(x, W) + b.dimshuffle("x", 0, "x", "x"))
    return T.signal.pool.pool_2d(z, (2, 2), ignore_border=True)


def compile_stage(stage, mode=None):
    """y and the gradients of sum(g * y) for W, b and x."""
    x, W, g, b = T.tensor4("x"), T.tensor4("W"), T.tensor4("g"), T.vector("b")
    y = stage(x, W, b)
    return theano.function([x, W, b, g], [y] + T.grad(T.sum(g * y), [W, b, x]), mode=mode)


@pytest.fixture(scope="session")
def plain():
    return compile_stage(plain_stage, PLAIN)


@pytest.fixture(scope="session")
def fast():
    """A compiled stage by name, compiled when first asked for."""
    made = {}

    def get(name):
        if name not in made:
            op = ConvReluPool(*STAGES[name])
            made[name] = compile_stage(lambda *args: op(*args)[0])
        return made[name]

    return get


def arrays(name, batch, seed=0, shape=None):
    rng = np.random.RandomState(seed)
    channels, filters, size = STAGES[name]
    rows, columns = shape or SIZES[name]
    make = lambda *shape: rng.normal(size=shape).astype("float32")
    return [
        make(batch, channels, rows, columns),
        make(filters, channels, size, size) / size**2,
        make(filters),
        make(batch, filters, (rows - size + 1) // 2, (columns - size + 1) // 2),
    ]


def assert_same(got, want):
    """Forward to 1e-5, gradients to 1e-4, of the largest value."""
    for name, a, b, tolerance in zip(("y", "dW", "db", "dx"), got, want, (1e-5, 1e-4, 1e-4, 1e-4)):
        assert a.shape == b.shape and a.dtype == b.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max(), err_msg=name)


def integers(name, batch, seed=0):
    """Arrays whose sums are exact in float32 in any order: what ties, ties in both."""
    x, W, b, g = arrays(name, batch, seed)
    x, W, b = np.trunc(x * 1.3), np.trunc(W * 30), np.trunc(b * 2)
    x[:, :, :, : x.shape[3] // 2] = 0  # blank, as around a digit
    b[::3] = 0  # there, pre-activations of exactly zero
    return [np.asarray(a, "float32") for a in (x, W, b, g)]


@pytest.mark.parametrize("batch", [1, 3, 17, 50])
@pytest.mark.parametrize("name", STAGES)
def test_equals_plain_graph(plain, fast, name, batch):
    data = arrays(name, batch, seed=batch)
    assert_same(fast(name)(*data), plain(*data))


def test_equals_plain_graph_batch_500(plain, fast):
    data = arrays("first", 500)
    assert_same(fast("first")(*data), plain(*data))


@pytest.mark.parametrize("shape", [(8, 9), (21, 6), (5, 5), (6, 33)])
def test_other_image_sizes(plain, fast, shape):
    """Odd sizes, no window at all (5 x 5), and more windows in a row than a group holds."""
    data = arrays("second", 3, shape=shape)
    got = fast("second")(*data)
    if shape == (5, 5):
        assert got[0].shape == (3, 32, 0, 0) and not any(np.any(a) for a in got[1:])
    else:
        assert_same(got, plain(*data))


@pytest.mark.parametrize("name", STAGES)
def test_ties_and_zeros(plain, fast, name):
    """Every tied position gets the gradient; at a maximum of zero, half of it."""
    data = integers(name, 5)
    x, W, b, g = data
    codes = theano.function([], ConvReluPool(*STAGES[name])(*map(T.constant, (x, W, b)))[1])()
    shares = codes[..., None] >> np.arange(0, 8, 2) & 3
    assert ((shares == 1).sum(axis=-1) > 1).mean() > 0.05  # the data do tie
    assert (shares == 2).any()  # and have zeros
    assert_same(fast(name)(*data), plain(*data))


def test_the_rule_in_four_pixels(plain, fast):
    """By hand: a filter that copies one pixel; windows of four, two and no tied values."""
    W = np.zeros((32, 1, 5, 5), "float32")
    W[0, 0, 2, 2] = 1
    b = np.full(32, -1, "float32")  # the other filters are dead
    b[0] = 0
    x = np.zeros((1, 1, 10, 10), "float32")
    x[0, 0, 2:4, 2:4] = 7  # all four
    x[0, 0, 2:4, 4:6] = [[3, 1], [1, 3]]  # two
    x[0, 0, 2:4, 6:8] = [[1, 2], [3, 4]]  # one
    x[0, 0, 4:6, 2:4] = [[0, -1], [0, -1]]  # zero twice, and negative
    x[0, 0, 4:6, 4:6] = -1  # dead
    g = np.ones((1, 32, 3, 3), "float32")
    want = np.zeros((6, 6))
    want[0:2] = [[1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 1]]
    want[2:4] = [[0.5, 0, 0, 0, 0.5, 0.5], [0.5, 0, 0, 0, 0.5, 0.5]]
    want[4:6] = 0.5
    for f in (plain, fast("first")):
        y, dW, db, dx = f(x, W, b, g)
        np.testing.assert_array_equal(y[0, 0, :2], [[7, 3, 4], [0, 0, 0]])
        np.testing.assert_array_equal(dx[0, 0, 2:8, 2:8], want)
        assert db[0] == want.sum() and not db[1:].any()


def test_shortcut_decides_no_tie(plain, fast):
    """Real numbers, constant over each image: the second stage's windows tie but for rounding."""
    x, W, b, g = arrays("second", 8)
    x[:] = x[:, :, :1, :1]
    y, _, db, _ = fast("second")(x, W, b, g)
    np.testing.assert_allclose(y, plain(x, W, b, g)[0], rtol=1e-4, atol=1e-5)
    want = 4 * (g * (y > 0)).sum(axis=(0, 2, 3))  # all four positions, always
    np.testing.assert_allclose(db, want, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["first", "second"])
def test_any_memory_layout(fast, name):
    """Views whose pixels lie apart, backwards, in another order, off alignment, or are one."""
    data = arrays(name, 4)
    want = fast(name)(*data)

    def shifted(a):
        whole = np.zeros(a.size + 1, "float32")[1:].reshape(a.shape)
        whole[:] = a
        return whole

    def apart(a):
        whole = np.full([2 * n for n in a.shape], np.nan, "float32")
        view = whole[tuple(slice(1, None, 2) for _ in a.shape)]
        view[:] = a
        return view

    def backwards(a):
        there = tuple(slice(None, None, -1) for _ in a.shape)
        return np.ascontiguousarray(a[there])[there]

    for change in (shifted, apart, backwards, np.asfortranarray):
        changed = [change(a) for a in data]
        assert changed[0].ctypes.data % 8 or not changed[0].flags.c_contiguous
        for a, b in zip(fast(name)(*changed), want):
            np.testing.assert_array_equal(a, b, err_msg=change.__name__)
    one = [data[0], data[1], data[2], np.broadcast_to(np.float32(2), data[3].shape)]
    for a, b in zip(fast(name)(*one), fast(name)(*[np.array(a) for a in one])):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "W", "b", "g"])
@pytest.mark.parametrize("name", ["first", "second"])
def test_nan_and_infinity_go_through(plain, fast, name, where, value):
    data = arrays(name, 4)
    target = data["xWbg".index(where)]
    target[(1, 0, 3, 2) if target.ndim == 4 else 2] = value
    got, want = fast(name)(*data), plain(*data)
    for label, a, b in zip(("y", "dW", "db", "dx"), got, want):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=label)
        np.testing.assert_array_equal(np.isinf(a), np.isinf(b), err_msg=label)
        both = np.isfinite(b)
        scale = np.abs(b[both]).max() if both.any() else 1
        np.testing.assert_allclose(a[both], b[both], rtol=1e-4, atol=1e-4 * scale, err_msg=label)
    assert not all(np.isfinite(a).all() for a in want)


@pytest.mark.slow
def test_plain_rule_is_the_derivative():
    """The plain graph in double against finite differences, where nothing ties."""
    x, W, b, g = [a.astype("float64") for a in arrays("other", 2)]
    X, V, G, B = T.dtensor4(), T.dtensor4(), T.dtensor4(), T.dvector()
    loss = T.sum(G * plain_stage(X, V, B))
    f = theano.function([X, V, B, G], [loss] + T.grad(loss, [V, B, X]))
    grads = f(x, W, b, g)[1:]
    rng = np.random.RandomState(1)
    for k, grad in zip((1, 2, 0), grads):
        data = [x, W, b, g]
        for _ in range(10):
            at = tuple(rng.randint(n) for n in data[k].shape)
            ends = []
            for step in (1e-6, -1e-6):
                moved = [a.copy() for a in data]
                moved[k][at] += step
                ends.append(f(*moved)[0])
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(grad[at], rel=1e-5, abs=1e-7)


# --- shapes and dtypes that do not fit ---------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(x=(2, 2, 28, 28)), "x: wanted length 1 along axis 1, got 2"),
        (dict(x=(2, 1, 4, 28)), "x: images of 4 x 28 are smaller than the 5 x 5 filters"),
        (dict(W=(32, 1, 5, 4)), "W: wanted length 5 along axis 3, got 4"),
        (dict(b=(31,)), "b: wanted length 32 along axis 0, got 31"),
    ],
)
def test_bad_shapes_name_the_argument(fast, change, message):
    shapes = dict(x=(2, 1, 28, 28), W=(32, 1, 5, 5), b=(32,), g=(2, 32, 12, 12))
    shapes.update(change)
    with pytest.raises(ValueError, match=message):
        fast("first")(*[np.zeros(shapes[k], "float32") for k in "xWbg"])


def test_bad_gradients_name_the_argument():
    x, W, codes, g = T.ftensor4(), T.ftensor4(), T.TensorType("uint8", (False,) * 4)(), T.ftensor4()
    f = theano.function([x, W, codes, g], ConvReluPoolGrad(1, 32, 5)(x, W, codes, g))
    right = [(2, 1, 28, 28), (32, 1, 5, 5), (2, 12, 12, 32), (2, 32, 12, 12)]
    make = lambda shapes: [np.zeros(s, "uint8" if k == 2 else "float32") for k, s in enumerate(shapes)]
    f(*make(right))
    with pytest.raises(ValueError, match="codes: wanted length 12 along axis 1"):
        f(*make(right[:2] + [(2, 11, 12, 32)] + right[3:]))
    with pytest.raises(ValueError, match="codes: wanted a C-contiguous"):
        data = make(right)
        data[2] = np.asfortranarray(data[2])
        f(*data)
    with pytest.raises(ValueError, match="g: wanted length 2 along axis 0, got 3"):
        f(*make(right[:3] + [(3, 32, 12, 12)]))


@pytest.mark.parametrize("k, name", [(0, "x"), (1, "W"), (2, "b")])
def test_bad_types_name_the_argument(k, name):
    inputs = [T.ftensor4(), T.ftensor4(), T.fvector()]
    inputs[k] = T.TensorType("float64", inputs[k].broadcastable)()
    with pytest.raises(TypeError, match="{}: wanted dtype float32".format(name)):
        ConvReluPool(1, 32, 5)(*inputs)
    inputs[k] = T.fmatrix()
    with pytest.raises(TypeError, match="{}: wanted . dimensions?, got 2".format(name)):
        ConvReluPool(1, 32, 5)(*inputs)
    with pytest.raises(ValueError, match="filters: wanted a positive integer"):
        ConvReluPool(1, 0, 5)


def test_no_second_derivative():
    """The Op says that there is none; a program's graph is differentiated before it is optimized."""
    x, W, b = T.tensor4(), T.tensor4(), T.vector()
    y = ConvReluPool(1, 32, 5)(x, W, b)[0]
    with pytest.raises(NotImplementedError, match="no second derivative"):
        T.grad(T.grad(y.sum(), W).sum(), x)


# --- threads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["first", "second"])
def test_threads(fast, name):
    """The same to rounding with any number of threads, and to the bit with the same number."""
    data = arrays(name, 9)
    results = {}
    for number in (1, 2, 3, 16, 2, 1):
        with threads(number):
            got = [a.copy() for a in fast(name)(*data)]
        for a, b in zip(got, results.setdefault(number, got)):
            np.testing.assert_array_equal(a, b)
    for number in (2, 3, 16):
        assert_same(results[number], results[1])


def test_a_forked_child_computes(fast):
    """The child has none of its parent's helper threads, and does not wait for them."""
    data = arrays("first", 8)
    with threads(2):
        want = fast("first")(*data)
        pid = os.fork()
        if pid == 0:
            same = all((a == b).all() for a, b in zip(fast("first")(*data), want))
            os._exit(0 if same else 1)
        assert os.waitpid(pid, 0)[1] == 0
