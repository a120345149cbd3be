"""The fast path against independent ones: the plain graph, NumPy, a C++ reference in double."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from mnist_cnn.training import checkpoint
from mnist_cnn.training.config import Config
from mnist_cnn.training.engine import Engine
from mnist_cnn.training.run import Run
from mnist_cnn import fused, model, train

import lasagne
import theano
import theano.tensor as T
from lasagne.layers import (ConcatLayer, Conv2DLayer, DenseLayer, DropoutLayer, InputLayer,
                            MaxPool2DLayer, get_all_layers, get_all_params, get_output)
from lasagne.nonlinearities import rectify, tanh
from mnist_cnn.fused.blocks import SparseDenseLayer
from mnist_cnn.fused.layers import ConvReluPool2DLayer
from mnist_cnn.fused.ops import ConvReluPool, ConvReluPoolGrad, SparseProduct

pytestmark = pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"),
                                reason="the fast path is for x86-64 CPUs")

HEADERS = ROOT / "mnist_cnn" / "fused" / "csrc"
STAGES = {"first": (1, 32, 5), "second": (32, 32, 5), "other": (3, 20, 3)}
SIZES = {"first": (28, 28), "second": (12, 12), "other": (11, 14)}


def plain_stage(x, W, b):
    """What Lasagne's three layers say, in Theano's own terms."""
    z = rectify(T.nnet.conv2d(x, W) + b.dimshuffle("x", 0, "x", "x"))
    return T.signal.pool.pool_2d(z, (2, 2), ignore_border=True)


def compile_stage(stage):
    """y and the gradients of sum(g * y) for W, b and x."""
    x, W, g, b = T.tensor4("x"), T.tensor4("W"), T.tensor4("g"), T.vector("b")
    y = stage(x, W, b)
    return theano.function([x, W, b, g], [y] + T.grad(T.sum(g * y), [W, b, x]))


@pytest.fixture(scope="session")
def plain():
    return compile_stage(plain_stage)


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
    make = lambda *shape: rng.normal(size=shape).astype("float32")  # noqa: E731
    return [make(batch, channels, rows, columns), make(filters, channels, size, size) / size ** 2,
            make(filters), make(batch, filters, (rows - size + 1) // 2, (columns - size + 1) // 2)]


def assert_same(got, want):
    """Forward to 1e-5, gradients to 1e-4, of the largest value."""
    for name, a, b, tolerance in zip(("y", "dW", "db", "dx"), got, want, (1e-5, 1e-4, 1e-4, 1e-4)):
        assert a.shape == b.shape and a.dtype == b.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max(), err_msg=name)


def integers(name, batch, seed=0):
    """Arrays whose sums are exact in float32 in any order: what ties, ties in both."""
    x, W, b, g = arrays(name, batch, seed)
    x, W, b = np.trunc(x * 1.3), np.trunc(W * 30), np.trunc(b * 2)
    x[:, :, :, :x.shape[3] // 2] = 0   # blank, as around a digit
    b[::3] = 0                         # there, pre-activations of exactly zero
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
    assert ((shares == 1).sum(axis=-1) > 1).mean() > .05    # the data do tie
    assert (shares == 2).any()                              # and have zeros
    assert_same(fast(name)(*data), plain(*data))


def test_the_rule_in_four_pixels(plain, fast):
    """By hand: a filter that copies one pixel; windows of four, two and no tied values."""
    W = np.zeros((32, 1, 5, 5), "float32")
    W[0, 0, 2, 2] = 1
    b = np.full(32, -1, "float32")      # the other filters are dead
    b[0] = 0
    x = np.zeros((1, 1, 10, 10), "float32")
    x[0, 0, 2:4, 2:4] = 7                   # all four
    x[0, 0, 2:4, 4:6] = [[3, 1], [1, 3]]    # two
    x[0, 0, 2:4, 6:8] = [[1, 2], [3, 4]]    # one
    x[0, 0, 4:6, 2:4] = [[0, -1], [0, -1]]  # zero twice, and negative
    x[0, 0, 4:6, 4:6] = -1                  # dead
    g = np.ones((1, 32, 3, 3), "float32")
    want = np.zeros((6, 6))
    want[0:2] = [[1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 1]]
    want[2:4] = [[.5, 0, 0, 0, .5, .5], [.5, 0, 0, 0, .5, .5]]
    want[4:6] = .5
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
    want = 4 * (g * (y > 0)).sum(axis=(0, 2, 3))    # all four positions, always
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

@pytest.mark.parametrize("change, message", [
    (dict(x=(2, 2, 28, 28)), "x: wanted length 1 along axis 1, got 2"),
    (dict(x=(2, 1, 4, 28)), "x: images of 4 x 28 are smaller than the 5 x 5 filters"),
    (dict(W=(32, 1, 5, 4)), "W: wanted length 5 along axis 3, got 4"),
    (dict(b=(31,)), "b: wanted length 32 along axis 0, got 31"),
])
def test_bad_shapes_name_the_argument(fast, change, message):
    shapes = dict(x=(2, 1, 28, 28), W=(32, 1, 5, 5), b=(32,), g=(2, 32, 12, 12))
    shapes.update(change)
    with pytest.raises(ValueError, match=message):
        fast("first")(*[np.zeros(shapes[k], "float32") for k in "xWbg"])


def test_bad_gradients_name_the_argument():
    x, W, codes, g = T.ftensor4(), T.ftensor4(), T.TensorType("uint8", (False,) * 4)(), T.ftensor4()
    f = theano.function([x, W, codes, g], ConvReluPoolGrad(1, 32, 5)(x, W, codes, g))
    right = [(2, 1, 28, 28), (32, 1, 5, 5), (2, 12, 12, 32), (2, 32, 12, 12)]
    make = lambda shapes: [np.zeros(s, "uint8" if k == 2 else "float32")  # noqa: E731
                           for k, s in enumerate(shapes)]
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


# --- the product that skips zeros ----------------------------------------------------------------

@pytest.fixture(scope="session")
def product():
    """a b and the gradients of sum(g * a b), each by the Op."""
    a, b, g = T.fmatrix("a"), T.fmatrix("b"), T.fmatrix("g")
    c = SparseProduct()(a, b)
    return theano.function([a, b, g], [c] + T.grad(T.sum(g * c), [a, b]))


def factors(m, k, n, dense=0.2, seed=0):
    rng = np.random.RandomState(seed)
    a, b, g = [rng.randn(*shape).astype("float32") for shape in ((m, k), (k, n), (m, n))]
    return a * (rng.rand(m, k) < dense), b, g * (rng.rand(m, n) < dense)


@pytest.mark.parametrize("m, k, n", [(50, 512, 256), (50, 256, 10), (500, 512, 256), (1, 1, 1),
                                     (3, 7, 130), (17, 33, 64), (2, 0, 3), (0, 4, 5)])
def test_product_equals_numpy(product, m, k, n):
    """The product and both gradients, against NumPy's in double."""
    a, b, g = factors(m, k, n)
    wide = [array.astype(float) for array in (a, b, g)]
    for got, left, right in zip(product(a, b, g), (wide[0], wide[2], wide[0].T), (wide[1], wide[1].T, wide[2])):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, left.dot(right), rtol=0, atol=1e-5 * max(1, np.abs(left.dot(right)).max(initial=0)))


def test_product_of_any_memory_layout(product):
    a, b, g = factors(6, 9, 20)
    want = product(a, b, g)
    strided = [np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3] for array in (a, b, g)]
    for layout in (strided, [np.asfortranarray(array) for array in (a, b, g)],
                   [array[::-1, ::-1].copy()[::-1, ::-1] for array in (a, b, g)]):
        for got, array in zip(product(*layout), want):
            np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["a", "b"])
def test_product_hides_no_nan(product, where, value):
    """A skipped zero would hide the NaN that 0 * infinity is."""
    a, b, g = factors(5, 6, 70)
    dict(a=a, b=b)[where][3, 2] = value
    with np.errstate(invalid="ignore"):
        want = [a.astype(float).dot(b), g.dot(b.T), a.T.dot(g)]
    for got, array in zip(product(a, b, g), want):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(array))
        np.testing.assert_array_equal(np.isinf(got), np.isinf(array))


def test_product_does_not_depend_on_threads(product):
    a, b, g = factors(20, 300, 256)
    try:
        results = []
        for threads in (1, 2, 3, 16):
            set_threads(threads)
            results.append([array.copy() for array in product(a, b, g)])
    finally:
        set_threads(THREADS)
    for arrays_ in results[1:]:
        for got, want in zip(arrays_, results[0]):
            np.testing.assert_array_equal(got, want)


def test_product_names_what_does_not_fit(product):
    a, b, g = factors(5, 6, 7)
    with pytest.raises(ValueError, match="b: wanted length 6 along axis 0, got 5"):
        product(a, b[:5], g)
    with pytest.raises(TypeError, match="a: wanted dtype float32, got float64"):
        SparseProduct()(T.dmatrix(), T.fmatrix())


# --- fuse --------------------------------------------------------------------------------------

def test_fuse_shares_parameters_and_leaves_the_network(fixed_rng):
    network = model.build_cnn()
    before = [type(layer) for layer in get_all_layers(network)]
    result = fused.fuse(network)
    assert get_all_params(result) == get_all_params(network)
    for tag in ("trainable", "regularizable"):
        assert get_all_params(result, **{tag: True}) == get_all_params(network, **{tag: True})
    assert [type(layer) for layer in get_all_layers(network)] == before
    layers = get_all_layers(result)
    assert not set(layers) & set(get_all_layers(network))
    stages = [layer for layer in layers if isinstance(layer, ConvReluPool2DLayer)]
    assert [layer.op.channels_last for layer in stages] == [True, False]
    assert not any(isinstance(layer, (Conv2DLayer, DenseLayer, MaxPool2DLayer)) for layer in layers)
    assert sum(isinstance(layer, SparseDenseLayer) for layer in layers) == 2
    assert result.output_shape == network.output_shape
    first, second = fused.fuse([network, network.input_layer])
    assert first.input_layer is second      # lists, and layers that are used twice


def chain(conv=(), pool=(), shape=(None, 2, 9, 9)):
    conv, pool = dict(dict(num_filters=4, filter_size=3), **dict(conv)), dict(dict(pool_size=2), **dict(pool))
    return MaxPool2DLayer(Conv2DLayer(InputLayer(shape), **conv), **pool)


@pytest.mark.parametrize("layer, becomes", [
    (chain(), ["ConvReluPool2DLayer"]),
    (chain(conv=dict(filter_size=(4, 4)), pool=dict(stride=2)), ["ConvReluPool2DLayer"]),
    (chain(conv=dict(nonlinearity=tanh)), ["FastConv2DLayer"]),
    (chain(conv=dict(filter_size=(3, 2))), ["Conv2DLayer", "FastPool2DLayer"]),
    (chain(conv=dict(stride=2)), ["Conv2DLayer", "FastPool2DLayer"]),
    (chain(conv=dict(pad=1)), ["FastConv2DLayer"]),
    (chain(conv=dict(pad="same")), ["FastConv2DLayer"]),
    (chain(conv=dict(b=None)), ["FastConv2DLayer"]),
    (chain(conv=dict(untie_biases=True)), ["Conv2DLayer", "FastPool2DLayer"]),
    (chain(pool=dict(pool_size=3)), ["FastConv2DLayer"]),
    (chain(pool=dict(stride=1)), ["FastConv2DLayer"]),
    (chain(pool=dict(ignore_border=False)), ["FastConv2DLayer"]),
    (chain(shape=(None, 2, None, 9)), ["FastConv2DLayer"]),
    (chain(shape=(None, 2, 9, 65)), ["FastConv2DLayer"]),
])
def test_what_fuses(layer, becomes):
    """The tutorial's stage has a layer of its own; others do convolution and pooling in one."""
    result = get_all_layers(fused.fuse(layer))
    assert [type(layer).__name__ for layer in result] == ["InputLayer"] + becomes


def test_a_convolution_seen_elsewhere_stays():
    pool = chain()
    both = ConcatLayer([pool, MaxPool2DLayer(pool.input_layer, 2)])
    for network in (both, [pool, pool.input_layer]):
        layers = get_all_layers(fused.fuse(network))
        assert not any(isinstance(x, ConvReluPool2DLayer) for x in layers)


@pytest.mark.parametrize("change", [
    lambda m: m.setattr(platform, "machine", lambda: "aarch64"),
    lambda m: m.setattr(theano.config, "floatX", "float64"),
    lambda m: m.setattr(theano.config, "cxx", ""),
], ids=["architecture", "float64", "compiler"])
def test_where_it_does_not_apply(monkeypatch, change):
    network = model.build_cnn()
    change(monkeypatch)
    assert not fused.available() and fused.fuse(network) is network


# --- the whole network -------------------------------------------------------------------------

@pytest.fixture(scope="session")
def networks(mnist):
    """For the plain and the fused network, the same weights: probabilities and gradients."""
    x, t = T.tensor4("inputs"), T.ivector("targets")
    # Of a hundred seeds one or two have a hidden unit or a window so close to a tie that rounding
    # decides it, in one graph so and in the other otherwise.
    before = lasagne.random.get_rng()
    lasagne.random.set_rng(np.random.RandomState(1))
    network = model.build_cnn(x)
    lasagne.random.set_rng(before)
    params = get_all_params(network, trainable=True)
    functions = []
    for net in (network, fused.fuse(network)):
        p = get_output(net, deterministic=True)
        loss = lasagne.objectives.categorical_crossentropy(p, t).mean()
        functions.append(theano.function([x, t], [p] + T.grad(loss, params + [x])))
    return network, functions


@pytest.mark.parametrize("weights", ["random", "trained"])
def test_network_on_real_digits(networks, training, mnist, weights):
    network, (plain, fast) = networks
    if weights == "trained":
        model.load_weights(training[1], network)
    # Pixels are multiples of 1/256. With such weights the first stage's sums are exact: where two
    # positions tie is then no matter of rounding, in which BLAS libraries differ.
    for param in get_all_params(network)[:2]:
        param.set_value(np.round(param.get_value() * 256) / np.float32(256))
    images, labels = mnist[0][:50], mnist[1][:50].astype("int32")
    for got, want in zip(fast(images, labels), plain(images, labels)):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())


@pytest.mark.slow
def test_300_steps_follow_the_plain_graph(mnist, fixed_rng):
    """Without dropout, from the same weights, on the same batches.

    Rounding alone makes runs part: where two positions of a window all but tie, it chooses the one
    that gets the gradient. At the tutorial's rate of 0.01 the plain graph leaves *itself* by 0.1
    within 300 steps when its weights are changed by 1e-7, and by 0.004 at a tenth of that rate (the
    fused one leaves it by 0.002); hence a twentieth.
    """
    x, t = T.tensor4("inputs"), T.ivector("targets")
    network = model.build_cnn(x)
    params = get_all_params(network, trainable=True)
    start = [p.get_value() for p in params]
    dither = np.random.RandomState(0).uniform(0, 1 / 256, (15000, 1, 28, 28))
    images, labels = (mnist[0][:15000] + dither).astype("float32"), mnist[1].astype("int32")
    losses = []
    for net in (network, fused.fuse(network)):
        for param, value in zip(params, start):
            param.set_value(value)
        p = get_output(net, deterministic=True)
        loss = lasagne.objectives.categorical_crossentropy(p, t).mean()
        step = theano.function([x, t], loss,
                               updates=lasagne.updates.nesterov_momentum(loss, params, .0005, .9))
        losses.append([float(step(images[n:n + 50], labels[n:n + 50]))
                       for n in range(0, 15000, 50)])
    plain, fast = np.array(losses)
    assert plain[-20:].mean() < .8 * plain[:20].mean()      # they do learn
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-3)


def test_seeded_training_repeats_bit_for_bit(mnist):
    """With dropout and two threads; other seeds give other runs."""
    x, t = T.tensor4("inputs"), T.ivector("targets")
    results = []
    set_threads(2)
    try:
        for seed in (1, 1, 2):
            lasagne.random.set_rng(np.random.RandomState(seed))
            network = fused.fuse(model.build_cnn(x))
            step, _ = train.compile_functions(network, x, t)
            for n in range(0, 350, 50):
                step(mnist[0][n:n + 50], mnist[1][n:n + 50].astype("int32"))
            results.append([p.get_value() for p in get_all_params(network)])
    finally:
        set_threads(THREADS)
    assert all((a == b).all() for a, b in zip(results[0], results[1]))
    assert not any((a == b).all() for a, b in zip(results[0], results[2]) if a.size > 10)


# --- threads, processes, the compiler ----------------------------------------------------------

def set_threads(n):
    ctypes.CDLL("libgomp.so.1").omp_set_num_threads(n)


THREADS = ctypes.CDLL("libgomp.so.1").omp_get_max_threads() if sys.platform == "linux" else 1


@pytest.mark.parametrize("name", ["first", "second"])
def test_threads(fast, name):
    """The same to rounding with any number of threads, and to the bit with the same number."""
    data = arrays(name, 9)
    results = {}
    try:
        for threads in (1, 2, 3, 16, 2, 1):
            set_threads(threads)
            got = [a.copy() for a in fast(name)(*data)]
            for a, b in zip(got, results.setdefault(threads, got)):
                np.testing.assert_array_equal(a, b)
    finally:
        set_threads(THREADS)
    for threads in (2, 3, 16):
        assert_same(results[threads], results[1])


def test_a_forked_child_computes(fast):
    """The child has none of its parent's helper threads, and does not wait for them."""
    data = arrays("first", 8)
    set_threads(2)
    try:
        want = fast("first")(*data)
        pid = os.fork()
        if pid == 0:
            same = all((a == b).all() for a, b in zip(fast("first")(*data), want))
            os._exit(0 if same else 1)
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        set_threads(THREADS)


PROCESS = """
import sys
from mnist_cnn import fused, model, train
import numpy as np
import theano, theano.gof.cmodule, theano.tensor as T
def compile_str(*args, **kwargs):
    raise SystemExit("a module was compiled again: " + args[1][-2000:])
theano.gof.cmodule.GCC_compiler.compile_str = compile_str
x, t = T.tensor4("inputs"), T.ivector("targets")
step, _ = train.compile_functions(fused.fuse(model.build_cnn(x)), x, t)
rng = np.random.RandomState(0)
for _ in range(50):
    step(rng.rand(50, 1, 28, 28).astype("float32"), rng.randint(0, 10, 50).astype("int32"))
"""


@pytest.mark.slow
def test_two_processes_side_by_side_compile_nothing(training):
    """Both find every module that the training compiled, and neither waits for the other."""
    environment = dict(os.environ, OMP_NUM_THREADS="2", PYTHONPATH=str(ROOT))
    processes = [subprocess.Popen([sys.executable, "-c", PROCESS], env=environment,
                                  stderr=subprocess.PIPE, universal_newlines=True) for _ in "ab"]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err


HARNESSES = sorted(path.name for path in (ROOT / "tests" / "fused").glob("*_harness.cpp"))


def build_harness(tmp_path, source, *flags):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    program = tmp_path / "harness"
    subprocess.run([compiler, "-std=c++14", "-fopenmp", "-pthread", "-I", str(HEADERS), *flags,
                    str(ROOT / "tests" / "fused" / source), "-o", str(program)], check=True)
    return program


def run_harness(program):
    done = subprocess.run([str(program)], env=dict(os.environ, OMP_NUM_THREADS="2"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", HARNESSES)
@pytest.mark.parametrize("march, feature, width, flags", [
    ("x86-64", "sse2", 4, ()), ("x86-64-v3", "avx2", 8, ()),
    ("skylake-avx512", "avx512dq", 16, ()),
    # the code for 16 lanes, but for its four instructions, where no processor has them
    ("x86-64-v3", "avx2", 16, ("-DVECTOR_LENGTH=16", "-Wno-psabi"))])
def test_instruction_sets(tmp_path, source, march, feature, width, flags):
    """The kernels of each vector width, against a naive reference in double."""
    program = build_harness(tmp_path, source, "-O1", "-march=" + march, *flags)
    with open("/proc/cpuinfo") as f:
        if feature not in f.read().split():
            pytest.skip("this processor has no {}; the kernels compile for it".format(feature))
    assert run_harness(program) == "ok, vectors of {}\n".format(width)


@pytest.mark.slow
@pytest.mark.parametrize("source", HARNESSES)
def test_sanitizers(tmp_path, source):
    """No access out of bounds, no leak and no undefined behaviour in the kernels."""
    run_harness(build_harness(tmp_path, source, "-O1", "-g", "-march=native", "-fsanitize=address,undefined",
                              "-fno-sanitize-recover=all"))


def test_no_second_derivative():
    """A second derivative says that there is none."""
    x, W, b = T.tensor4(), T.tensor4(), T.vector()
    y = ConvReluPool(1, 32, 5)(x, W, b)[0]
    with pytest.raises(NotImplementedError, match="plain network"):
        T.grad(T.grad(y.sum(), W).sum(), x)
