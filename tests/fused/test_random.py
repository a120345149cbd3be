"""Random numbers in vectors, against Theano's own, bit for bit; by Python's integers from the paper."""

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne.layers import DropoutLayer, InputLayer, get_output
from openmp import threads
from plain import PLAIN
from theano.compile.debugmode import DebugMode
from theano.sandbox.rng_mrg import MRG_RandomStreams, mrg_uniform
from theano.tensor.raw_random import random_state_type
from theano.tensor.shared_randomstreams import RandomStreams

from mnist_cnn import fused
from mnist_cnn.fused.ops.dropout import BernoulliMask, NumpyMask, VectorUniform

pytestmark = pytest.mark.skipif(fused.why_not() is not None, reason=str(fused.why_not()))

SIZES = [0, 1, 5, 16, 17, 95, 100, 101, 300, 4567, 50001]  # of a hundred streams, mostly


def compile_draw(inputs, expressions):
    """(function, function without our optimizations)."""
    mode = theano.compile.get_default_mode()
    return [theano.function(inputs, expressions, mode=m) for m in (mode, mode.excluding("mnist_cnn"))]


def ops(function):
    return [type(node.op) for node in function.maker.fgraph.toposort() if isinstance(node.op, mrg_uniform)]


def mrg31k3p(state, count):
    """A stream's numbers, and where it is then, by the paper's recurrences: (numbers, state)."""
    m1, m2 = 2**31 - 1, 2**31 - 21069
    x, y = list(map(int, state[:3])), list(map(int, state[3:]))  # newest first
    numbers = []
    for _ in range(count):
        x = [(2**22 * x[1] + (2**7 + 1) * x[2]) % m1] + x[:2]
        y = [(2**15 * y[0] + (2**15 + 1) * y[2]) % m2] + y[:2]
        numbers.append((x[0] - y[0]) % m1 or m1)
    return numbers, x + y


@pytest.fixture(scope="module")
def draws():
    """By dtype, functions of a state and a size."""
    state, size = T.imatrix(), T.lvector()
    return {
        dtype: compile_draw([state, size], mrg_uniform(T.TensorType(dtype, (False,)))(state, size))
        for dtype in ("float32", "float64")
    }


@pytest.fixture(scope="module")
def masks():
    """Functions of a state, a size and p."""
    state, size, p = T.imatrix(), T.lvector(), T.fscalar()
    following, numbers = mrg_uniform(T.TensorType("float32", (False,)))(state, size)
    return compile_draw([state, size, p], [following, T.cast(numbers < p, "float32")])


def states(streams, seed=0):
    rng = np.random.RandomState(seed)
    return np.hstack([rng.randint(0, m, (streams, 3)) for m in (2**31 - 1, 2**31 - 21069)]).astype("int32")


def assert_same(got, want):
    for a, b in zip(got, want):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("streams", [1, 3, 16, 100, 1000])
def test_equals_theanos(draws, dtype, streams):
    fast, plain = draws[dtype]
    assert ops(fast) == [VectorUniform] and ops(plain) == [mrg_uniform]
    state = states(streams)
    for n in SIZES:
        assert_same(fast(state, [n]), plain(state, [n]))
    np.testing.assert_array_equal(state, states(streams))  # not written


@pytest.mark.parametrize("streams", [1, 100])
def test_masks_equal_theanos(masks, streams):
    fast, plain = masks
    assert ops(fast) == [BernoulliMask] and ops(plain) == [mrg_uniform]
    state = states(streams)
    for n in SIZES:
        for p in (0, 0.3, 0.5, 1, 2, np.nan):
            assert_same(fast(state, [n], p), plain(state, [n], p))


def test_equals_the_paper(draws):
    edges = np.int32([[0, 0, 1, 0, 0, 1], [2**31 - 2] * 3 + [2**31 - 21070] * 3, [1, 0, 0, 1, 0, 0]])
    state = np.vstack([edges, states(14)])
    following, numbers = draws["float64"][0](state, [len(state) * 20])
    for k, stream in enumerate(state):
        want, after = mrg31k3p(stream, 20)
        np.testing.assert_array_equal(numbers[k :: len(state)] * 2.0**31, want)
        np.testing.assert_array_equal(following[k], after)


def test_do_not_depend_on_threads(draws, masks):
    state, results = states(777), []
    for number in (1, 2, 5):
        with threads(number):
            results.append(draws["float32"][0](state, [200000]) + masks[0](state, [200000], 0.5))
    for result in results[1:]:
        assert_same(result, results[0])


def test_states_of_any_memory_layout(draws):
    fast, _ = draws["float32"]
    state = states(50)
    want = fast(state, [130])
    for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], lambda a: a[::-1][::-1]):
        changed = layout(state)
        assert_same(fast(changed, [130]), want)
        np.testing.assert_array_equal(changed, state)


def test_names_what_does_not_fit(draws, masks):
    fast, state = draws["float32"][0], states(3)
    with pytest.raises(ValueError, match="rstate: wanted 6 columns, got 5"):
        fast(state[:, :5], [3])
    with pytest.raises(ValueError, match="rstate: wanted a row for each stream, got none"):
        fast(state[:0], [3])
    with pytest.raises(ValueError, match="size: wanted 1 lengths, got 2"):
        fast(state, [3, 3])
    with pytest.raises(ValueError, match=r"size: .* more than 2\*\*31 - 1 samples"):
        fast(state, [2**31])
    with pytest.raises(ValueError, match="negative"):
        fast(state, [-1])
    with pytest.raises(TypeError, match="p: wanted 0 dimensions, got 1"):
        BernoulliMask(T.fvector)(state, [3], np.ones(2))


# --- as programs use it ------------------------------------------------------------------------


def test_streams_of_a_program():
    """Several draws of a generator, sizes of numbers and expressions: in place, call after call."""
    x = T.fmatrix()
    results = []
    for excluded in ((), ("mnist_cnn",)):
        streams = MRG_RandomStreams(99)
        outputs = [
            streams.uniform((3, 4)),
            streams.uniform(x.shape, nstreams=7),
            streams.binomial(x.shape, p=0.25, dtype="float32"),
            streams.uniform((2, 1, 2), dtype="float64"),
            streams.uniform(()),
        ]
        draw = theano.function([x], outputs, mode=theano.compile.get_default_mode().excluding(*excluded))
        kinds = ops(draw)
        assert len(kinds) == 5
        if not excluded:
            assert kinds.count(BernoulliMask) == 1 and kinds.count(VectorUniform) == 4
            assert all(node.op.inplace for node in draw.maker.fgraph.apply_nodes if isinstance(node.op, mrg_uniform))
        calls = []
        for rows in (1, 40, 6):
            calls += draw(np.zeros((rows, 3), "float32"))
            calls += [state.get_value() for state, *_ in streams.state_updates]
        streams.state_updates[1][0].set_value(states(7))  # a saved state
        results.append(calls + draw(np.zeros((5, 3), "float32")))
        streams.seed()
        results[-1] += draw(np.zeros((1, 3), "float32"))
        for again, first in zip(results[-1][-5:], calls):
            np.testing.assert_array_equal(again, first)
    assert_same(*results)


def test_dropout_layers_masks_are_theanos():
    x, g = T.matrix(), T.matrix()
    results = []
    for excluded in ((), ("mnist_cnn",)):
        lasagne.random.set_rng(np.random.RandomState(4))
        y = get_output(DropoutLayer(InputLayer((None, 512), x), p=0.3))
        step = theano.function(
            [x, g], [y, T.grad((y * g).sum(), x)], mode=theano.compile.get_default_mode().excluding(*excluded)
        )
        assert ops(step) == [mrg_uniform if excluded else BernoulliMask]
        ones = np.ones((50, 512), theano.config.floatX)
        results.append(step(ones, ones) + step(ones, 2 * ones))
    assert_same(*results)
    assert 0.69 < (results[0][0] > 0).mean() < 0.71


def test_what_makes_no_mask_stays_numbers():
    """Numbers that are read elsewhere as well, compared the other way round or with a vector."""
    streams, p = MRG_RandomStreams(1), T.fvector()
    u, v, w = [streams.uniform((4, 3)) for _ in range(3)]
    draw = theano.function([p], [u, T.cast(u < 0.5, "float32"), T.cast(v > 0.5, "float32"), T.cast(w < p, "float32")])
    assert ops(draw) == [VectorUniform] * 3
    numbers, mask, _, _ = draw(np.float32([0, 0.5, 1]))
    np.testing.assert_array_equal(mask, numbers < 0.5)


def test_the_old_state_is_kept_where_it_is_read():
    streams = MRG_RandomStreams(5)
    u = streams.uniform((3, 4))
    ((state, following, *_),) = streams.state_updates
    draw = theano.function([], [u, following - state], updates=[(state, following)])
    before = state.get_value()
    _, difference = draw()
    np.testing.assert_array_equal(difference, state.get_value() - before)
    assert difference.any()


def test_debug_mode_finds_nothing():
    """It compares with Theano's version in Python, and looks for what is written but not destroyed."""
    streams = MRG_RandomStreams(6)
    outputs = [streams.uniform((3, 5)), streams.binomial((4, 4), p=0.5, dtype="float32")]
    draw = theano.function([], outputs, mode=DebugMode(check_preallocated_output=""))
    assert {VectorUniform, BernoulliMask} == set(ops(draw))
    numbers, mask = draw()
    assert 0 < numbers.min() and set(mask.ravel()) == {0, 1}


def test_stays_theanos_without_a_compiler(monkeypatch):
    monkeypatch.setattr(theano.config, "cxx", "")
    streams = MRG_RandomStreams(7)
    draw = theano.function([], streams.uniform((2,)), mode=theano.Mode(linker="py"))
    assert ops(draw) == [mrg_uniform]


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize("n, p", [(1, 0.7), (1, 0.5), (1, 0.2), (1, 1.0), (1, 0.0), (3, 0.7), (1, None)])
def test_numpys_binomial_numbers(n, p, dtype):
    """Those of the plain graph, call after call, and its state; for any p, and one for each number."""
    size, given = (30, 41), T.dmatrix()
    results = []
    for mode in (theano.compile.get_default_mode(), PLAIN):
        streams = RandomStreams(5)
        streams.uniform()  # it has a state of its own
        numbers = streams.binomial(n=n, p=given if p is None else p, size=size, dtype=dtype)
        generator = streams.state_updates[-1][0]
        generator.get_value(borrow=True).randint(0, 2**32, dtype="uint32")  # the pairs of words begin anywhere
        f = theano.function([given], numbers, mode=mode, on_unused_input="ignore")
        shares = np.random.RandomState(0).rand(*size)
        results.append([f(shares), f(shares), generator.get_value().random_sample(2)])
        if mode is not PLAIN:
            assert (n == 1 and p is not None) == any(
                isinstance(node.op, NumpyMask) for node in f.maker.fgraph.apply_nodes
            )
    for got, want in zip(*results):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.fixture(scope="module")
def numpys_mask():
    """A function of a generator, a size and p: the generator afterwards, and the mask."""
    generator, size, p = random_state_type(), T.lvector(), T.dscalar()
    return theano.function([generator, size, p], NumpyMask(T.lmatrix)(generator, size, p))


def test_a_generator_that_is_read_later_stays(numpys_mask):
    given, numpys = np.random.RandomState(3), np.random.RandomState(3)
    after, mask = numpys_mask(given, [500, 3], 0.3)
    np.testing.assert_array_equal(mask, numpys.binomial(1, 0.3, (500, 3)))
    assert after.random_sample() == numpys.random_sample()
    assert given.random_sample() == np.random.RandomState(3).random_sample()


@pytest.mark.parametrize(
    "size, p, error",
    [
        ([3], 0.5, "size: wanted 2 lengths, got 1"),
        ([3, -1], 0.5, "negative dimensions"),
        ([3, 3], 1.5, "p < 0, p > 1 or p is NaN"),
        ([3, 3], np.nan, "p < 0, p > 1 or p is NaN"),
    ],
)
def test_numpys_mask_checks_its_inputs(numpys_mask, size, p, error):
    with pytest.raises(ValueError, match=error):
        numpys_mask(np.random.RandomState(1), size, p)


def test_numpys_mask_is_of_mt19937(numpys_mask):
    with pytest.raises(TypeError, match="wanted a RandomState of MT19937, got one of .*PCG64"):
        numpys_mask(np.random.RandomState(np.random.PCG64(1)), [3, 3], 0.5)
