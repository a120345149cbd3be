"""tanh and the sigmoid on vectors, to the bit against Theano's C code, which calls libm."""

import numpy as np
import pytest
import theano
import theano.tensor as T
from plain import PLAIN
from theano.scan_module.scan_op import Scan

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.fused.ops.libm import LibmFunction

FAST = theano.compile.get_default_mode()
#: The fast path, with libm called for each number.
CALLS = FAST.excluding("mnist_cnn_libm")
FUNCTIONS = {"tanh": T.tanh, "sigmoid": T.nnet.sigmoid}


def assert_same_bits(got, want):
    assert got.dtype == want.dtype == np.float32 and got.shape == want.shape
    np.testing.assert_array_equal(got.view(np.int32), want.view(np.int32))


def functions_in(compiled):
    return [node.op.function for node in compiled.maker.fgraph.toposort() if isinstance(node.op, LibmFunction)]


@pytest.fixture(scope="module")
def by_both():
    """For each function: on vectors, and Theano's plain graph."""
    x = T.fmatrix("x")
    return {
        name: (theano.function([x], LibmFunction(name)(x)), theano.function([x], f(x), mode=PLAIN))
        for name, f in FUNCTIONS.items()
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_of_all_sizes(by_both, name):
    """Every 1021st float, both zeros, infinities and NaN of both signs among them. All 2**32 were compared once."""
    bits = np.arange(0, 2**32, 1021, dtype=np.uint32)
    special = np.float32([0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1, -1, 22, -88, 15]).view(np.uint32)
    near = (special[:, None] + np.arange(-3, 4).astype(np.uint32)).ravel()  # the borders of the algorithms
    x = np.concatenate([bits, special, near]).view(np.float32)[None]
    fast, plain = by_both[name]
    with np.errstate(all="ignore"):
        assert_same_bits(fast(x), plain(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_memory_layout(by_both, name):
    x = np.random.RandomState(0).randn(70, 301).astype(np.float32)
    fast, plain = by_both[name]
    for view in (x, x[:, 5:24], x.T, x[::2, ::-3], x[:0], x[:, :0], np.broadcast_to(x[:1], (4, 301))):
        assert_same_bits(fast(view), plain(view))


def test_is_used_for_matrices_of_floats_alone():
    x, row = T.fmatrix("x"), T.frow("row")
    assert functions_in(theano.function([x, row], T.tanh(x * row) / row)) == ["tanh"]
    assert functions_in(theano.function([x], T.tanh(x), mode=PLAIN)) == []
    assert functions_in(theano.function([x], T.tanh(x), mode=CALLS)) == []
    for other in (T.dmatrix("d"), T.fscalar("s")):
        assert functions_in(theano.function([other], T.tanh(other) + 1)) == []
    with pytest.raises(TypeError, match="x: wanted dtype float32, got float64"):
        LibmFunction("tanh")(T.dmatrix("d"))


def test_operations_around_them_keep_their_bits():
    """Also sums of products, which the compiler may round before it adds them, or not."""
    s, t = T.nnet.sigmoid, T.tanh
    expressions = {
        lambda a, b, c: s(a) * b + s(c) * t(a + b): ["sigmoid", "sigmoid", "tanh"],  # an LSTM's cell
        lambda a, b, c: (s(a + b * c) + a * b) * t(c): ["sigmoid", "tanh"],
        lambda a, b, c: (s(a + b * c) + c * b) * t(c): [],  # one product in both
        lambda a, b, c: t(s(c)) + a * b: ["sigmoid", "tanh"],
        lambda a, b, c: t(a * b + c) + a * b: [],
        lambda a, b, c: s(b) - T.sqr(c) * t(a): ["sigmoid", "tanh"],
        lambda a, b, c: t(s(a - b) * c) / s(c): ["sigmoid", "sigmoid", "tanh"],
    }
    inputs = [[T.fmatrix(), T.fmatrix(), T.fmatrix()] for _ in expressions]  # of its own, else Theano fuses less
    results = [expression(*variables) for expression, variables in zip(expressions, inputs)]
    values = list(np.random.RandomState(0).randn(21, 40, 50).astype(np.float32))
    fast, calls = [theano.function(sum(inputs, []), results, mode=mode) for mode in (FAST, CALLS)]
    assert sorted(functions_in(fast)) == sorted(sum(expressions.values(), [])) and not functions_in(calls)
    for layout in (np.asarray, lambda array: np.repeat(array, 2, axis=1)[:, ::2]):
        for k, (got, want) in enumerate(zip(*(function(*map(layout, values)) for function in (fast, calls)))):
            np.testing.assert_array_equal(got, want, err_msg=str(k))


def lstm(x, h, c, W, U, p):
    gates = T.dot(x, W) + T.dot(h, U)
    i, f, g, o = [gates[:, 8 * k : 8 * (k + 1)] for k in range(4)]
    c = T.nnet.sigmoid(f + c * p) * c + T.nnet.sigmoid(i + c / p) * T.tanh(g)
    return T.nnet.sigmoid(o + c * p) * T.tanh(c), c


def gru(x, h, c, W, U, p):
    inputs, states = T.dot(x, W), T.dot(h, U)
    r, u = [T.nnet.sigmoid(inputs[:, k : k + 8] + states[:, k : k + 8]) for k in (0, 8)]
    new = T.tanh(inputs[:, 16:24] + r * states[:, 16:24])
    return (1 - u) * h + u * new * p, c


@pytest.mark.parametrize("cell", [lstm, gru])
def test_recurrent_networks_keep_their_bits(cell):
    """Values and gradients of a network, with vectors and with calls of libm."""
    x, W, U, p = T.ftensor3("x"), T.fmatrix("W"), T.fmatrix("U"), T.fvector("p")
    rng = np.random.RandomState(1)
    values = [rng.randn(*shape).astype(np.float32) for shape in ((12, 5, 6), (6, 32), (8, 32), (8,))]

    def results(mode):
        start = T.zeros((x.shape[1], 8))
        (h, _), _ = theano.scan(cell, x, [start, start], [W, U, p], mode=mode)
        function = theano.function([x, W, U, p], [h, *T.grad(T.sqr(h[-1]).sum(), [W, U, p])], mode=mode)
        loops = [node.op for node in function.maker.fgraph.toposort() if isinstance(node.op, Scan)]
        return function(*values), sum((functions_in(loop.fn) for loop in loops), [])

    fast, names = results(FAST)
    calls, none = results(CALLS)
    assert {"tanh", "sigmoid"} == set(names) and not none
    for got, want in zip(fast, calls):
        np.testing.assert_array_equal(got, want)
