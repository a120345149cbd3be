"""Convolutions and poolings of any size: against NumPy in double, and against the plain graph."""

import functools

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from hypothesis import HealthCheck, given, settings, strategies as st
from lasagne import nonlinearities
from lasagne.layers import (
    Conv2DLayer,
    DenseLayer,
    DropoutLayer,
    GlobalPoolLayer,
    InputLayer,
    MaxPool2DLayer,
    NonlinearityLayer,
    Pool2DLayer,
    get_all_layers,
    get_all_params,
    get_output,
)
from plain import PLAIN, reasons
from theano.tensor.signal.pool import pool_2d

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.benchmarks.batch_norm import batch_norm
from mnist_cnn.benchmarks.networks import build_network
from mnist_cnn.fused.ops.activation import Activation
from mnist_cnn.fused.ops.batch_norm import BatchNorm
from mnist_cnn.fused.ops.conv2d import Conv2D, Conv2DGrad, channels_first, channels_last
from mnist_cnn.fused.ops.pooling import Pool2D, Pooling

# Each example compiles Theano functions; the C++ modules in them are the same for all.
drawn = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def normal(seed, *shape):
    return np.random.RandomState(seed).normal(size=shape).astype("float32")


def assert_close(got, want, names, tolerance=2e-5):
    for name, a, b in zip(names, got, want):
        assert a.shape == b.shape, name
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1e-6, np.abs(b).max(initial=0)), err_msg=name)


# --- the convolution -----------------------------------------------------------------------------


def compile_conv(pad, slope, pool=None, stride=(1, 1)):
    x, W, b, g = T.ftensor4(), T.ftensor4(), T.fvector(), T.ftensor4()
    y = channels_first(Conv2D(pad, slope, pool=pool, stride=stride).result(channels_last(x), W, b))
    return theano.function([x, W, b, g], [y] + T.grad(T.sum(g * y), [W, b, x]))


def numpy_conv(x, W, b, g, pad, slope):
    """y and the gradients by their definitions, in double."""
    x, W, b, g = [array.astype(float) for array in (x, W, b, g)]
    top, bottom, left, right = pad
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), "constant")
    flipped, size = W[:, :, ::-1, ::-1], W.shape[2]
    rows, columns = [n - size + 1 for n in padded.shape[2:]]
    taps = [(h, w, np.s_[:, :, h : h + rows, w : w + columns]) for h in range(size) for w in range(size)]
    z = b[:, None, None] + sum(np.einsum("ncij,oc->noij", padded[window], flipped[:, :, h, w]) for h, w, window in taps)
    y = np.where(z > 0, z, slope * z)
    g = g * np.where(z > 0, 1, np.where(z == 0, (1 + slope) / 2, slope))
    dW, dpadded = np.zeros_like(W), np.zeros_like(padded)
    for h, w, window in taps:
        dW[:, :, size - 1 - h, size - 1 - w] = np.einsum("ncij,noij->oc", padded[window], g)
        dpadded[window] += np.einsum("noij,oc->ncij", g, flipped[:, :, h, w])
    dx = dpadded[:, :, top : top + x.shape[2], left : left + x.shape[3]]
    return y, dW, g.sum(axis=(0, 2, 3)), dx


@st.composite
def conv_cases(draw):
    size = draw(st.sampled_from([1, 2, 3, 4, 5, 7, 11]))
    pad = draw(
        st.one_of(
            st.sampled_from([(0,) * 4, (size // 2, (size - 1) // 2) * 2, (size - 1,) * 4]),
            st.tuples(*[st.integers(0, size + 1)] * 4),
        )
    )
    least = [max(1, size - pad[k] - pad[k + 1]) for k in (0, 2)]
    rows, columns = [draw(st.integers(n, n + 17)) for n in least]
    return dict(
        size=size,
        pad=pad,
        rows=rows,
        columns=columns,
        batch=draw(st.integers(1, 6)),
        channels=draw(st.sampled_from([1, 2, 3, 16, 20, 33])),
        filters=draw(st.sampled_from([1, 5, 16, 32, 40])),
        slope=draw(st.sampled_from([0, 0.01, 1 / 3, 1])),
        share=draw(st.sampled_from([1, 0.3, 0.08, 0])),
        seed=draw(st.integers(0, 2**31)),
    )


def conv_arrays(case, exact=False):
    rng = np.random.RandomState(case["seed"])
    top, bottom, left, right = case["pad"]
    y_shape = (
        case["batch"],
        case["filters"],
        case["rows"] + top + bottom - case["size"] + 1,
        case["columns"] + left + right - case["size"] + 1,
    )
    shapes = [
        (case["batch"], case["channels"], case["rows"], case["columns"]),
        (case["filters"], case["channels"], case["size"], case["size"]),
        (case["filters"],),
        y_shape,
    ]
    x, W, b, g = [rng.randint(-2, 3, size=s) if exact else rng.normal(size=s) for s in shapes]
    return [np.asarray(a, "float32") for a in (x, W, b, g * (rng.rand(*y_shape) < case["share"]))]


@pytest.mark.slow
@drawn
@given(conv_cases())
def test_convolution_is_its_definition(case):
    data = conv_arrays(case)
    f = compile_conv(case["pad"], case["slope"])
    got = f(*data)
    assert_close(got, numpy_conv(*data, pad=case["pad"], slope=case["slope"]), ("y", "dW", "db", "dx"), 1e-4)
    for a, b in zip(got, f(*data)):
        np.testing.assert_array_equal(a, b)  # bit for bit


@settings(drawn, max_examples=10)
@given(conv_cases())
def test_convolution_of_whole_numbers(case):
    """Sums are exact: what is exactly zero before the nonlinearity is so in both."""
    case["slope"] = 0 if case["slope"] == 0.01 else 0.5
    data = conv_arrays(case, exact=True)
    got = compile_conv(case["pad"], case["slope"])(*data)
    want = numpy_conv(*data, pad=case["pad"], slope=case["slope"])
    # Winograd's fractions, of filters of 3 and 5, round as the terms of a sum do, however small it is itself
    bound = 5e-6 if case["size"] in (3, 5) else 0
    terms = numpy_conv(*map(np.abs, data), pad=case["pad"], slope=1)
    for name, a, b, scale in zip(("y", "dW", "db", "dx"), got, want, terms):
        np.testing.assert_allclose(a, b, rtol=0, atol=bound * scale.max(initial=0), err_msg=name)


def test_rule_is_the_derivative():
    """The definition's gradients, in double, against finite differences."""
    pad, slope = (1, 2, 0, 1), 0.1
    data = [normal(k, *shape).astype(float) for k, shape in enumerate([(2, 3, 6, 5), (4, 3, 3, 3), (4,), (2, 4, 7, 4)])]

    def loss(*data):
        return (numpy_conv(*data, pad=pad, slope=slope)[0] * data[3]).sum()

    rng = np.random.RandomState(1)
    for k, grad in zip((1, 2, 0), numpy_conv(*data, pad=pad, slope=slope)[1:]):
        for _ in range(10):
            at = tuple(rng.randint(n) for n in data[k].shape)
            ends = []
            for step in (1e-6, -1e-6):
                moved = [a.copy() for a in data]
                moved[k][at] += step
                ends.append(loss(*moved))
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(grad[at], rel=1e-5, abs=1e-7)


@functools.cache
def fast_and_plain(pad, pool):
    """A convolution with a rectifier and this pooling, by the Op and in the plain graph."""
    x, W, b, g = T.ftensor4(), T.ftensor4(), T.fvector(), T.ftensor4()
    y = nonlinearities.rectify(T.nnet.conv2d(x, W, border_mode=pad[::2]) + b.dimshuffle("x", 0, "x", "x"))
    if pool:
        y = pool_2d(y, pool.size, pool.ignore_border, pool.stride)
    plain = theano.function([x, W, b, g], [y] + T.grad(T.sum(g * y), [W, b, x]), mode=PLAIN)
    return compile_conv(pad, 0, pool), plain


@pytest.mark.parametrize("pool", [None, Pooling((2, 2), (2, 2), ignore_border=False)], ids=["no pooling", "pooling"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", [0, 1, 2, 3])
def test_hides_no_nan(where, value, pool):
    """Where the plain graph has NaN or infinity, so has the fast one, with few gradients too."""
    pad = (1, 1, 1, 1)
    case = dict(size=3, pad=pad, rows=6, columns=7, batch=2, channels=20, filters=5, share=0.1, seed=3)
    data = conv_arrays(case)
    if pool:
        data[3] = data[3][:, :, :3, :4]
    data[where].flat[1] = value
    if where == 3:
        data[2][:2] = 9, -99  # infinity times a slope of 1 and, for the second filter, of 0
        data[where][:, 1] = value
    fast, plain = fast_and_plain(pad, pool)
    for name, got, want in zip(("y", "dW", "db", "dx"), fast(*data), plain(*data)):
        if where == 1 and name == "dx":  # BLAS may skip what the padding would make NaN
            assert not (~np.isfinite(want) & np.isfinite(got)).any()
            continue
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want), err_msg=name)
        np.testing.assert_array_equal(np.isinf(got), np.isinf(want), err_msg=name)


# what follows the sums, as parameters and in the plain graph
BENDS = [(dict(slope=1), lambda z: z)] + [
    (dict(slope=slope, spelling=spelling), f)
    for spelling, slope, f in (
        ("abs", 0, T.nnet.relu),
        ("abs", 0.25, lambda z: T.nnet.relu(z, 0.25)),
        ("maximum", 0, lambda z: T.maximum(z, 0)),
        ("maximum_second", 0, lambda z: T.maximum(0, z)),
        ("maximum", 0.25, lambda z: T.maximum(z, 0.25 * z)),
        ("switch", 0, lambda z: T.switch(z > 0, z, 0)),
        ("switch", 0.25, lambda z: T.switch(z > 0, z, 0.25 * z)),
        ("switch_ge", 0, lambda z: T.switch(z >= 0, z, 0)),
        ("product", 0, lambda z: z * (z > 0)),
    )
]


@functools.cache
def bent(kind):
    """Of each of BENDS, by the Op and in the plain graph: the pooled, and gradients for W, b, x."""
    x, W, b, g = T.ftensor4(), T.ftensor4(), T.fvector(), T.ftensor4()
    pool = {
        "codes": Pooling((2, 2), (2, 2), ignore_border=False),
        "maps": Pooling((3, 2), (2, 2), mode="max", pad=(1, 1)),
    }[kind]
    outputs = []
    z = T.nnet.conv2d(x, W, border_mode=1) + b.dimshuffle("x", 0, "x", "x")
    for options, f in BENDS:
        op = Conv2D((1,) * 4, pool=pool, **options)
        assert op.has_codes() == (kind == "codes")
        plain = pool_2d(f(z), pool.size, pool.ignore_border, pool.stride, pool.pad)
        for y in (channels_first(op.result(channels_last(x), W, b)), plain):
            outputs += [y] + T.grad(T.sum(g * y), [W, b, x])
    return theano.function([x, W, b, g], outputs, mode=PLAIN)


@pytest.mark.parametrize("kind, shape", [("codes", (3, 5)), ("maps", (3, 5))])
@pytest.mark.parametrize("value", [0, np.nan, -np.inf])
def test_blank_areas_and_ties_are_theanos(kind, shape, value):
    """Where sums are exactly zero, as in a blank image without bias, and where maxima tie."""
    data = conv_arrays(
        dict(size=3, pad=(1,) * 4, rows=6, columns=9, batch=3, channels=4, filters=20, share=1, seed=5), exact=True
    )[:3]
    data[0][0] = 0
    data[0][1, :, :3] = 0
    data[2][:10] = 0
    data[0].flat[-1] = value  # in the last image alone
    data.append(normal(1, 3, 20, *shape))
    results = bent(kind)(*data)
    for k, (options, _) in enumerate(BENDS):
        for got, want, name in zip(results[8 * k :], results[8 * k + 4 : 8 * k + 8], ("y", "dW", "db", "dx")):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-3, err_msg="%s %s" % (name, options))


@functools.cache
def strided(pad, stride):
    """A convolution of this border_mode and stride, by the Op and in the plain graph."""
    x, W, b, g = T.ftensor4(), T.ftensor4(), T.fvector(), T.ftensor4()
    four = pad if isinstance(pad, str) else (pad[0], pad[0], pad[1], pad[1])
    z = T.nnet.conv2d(x, W, border_mode=pad, subsample=stride, filter_flip=False) + b.dimshuffle("x", 0, "x", "x")
    op = Conv2D(four, slope=0, spelling="maximum", stride=stride)
    y = channels_first(op.result(channels_last(x), W[:, :, ::-1, ::-1], b))
    plain = T.maximum(z, 0)
    return (
        theano.function([x, W, b, g], [y] + T.grad(T.sum(g * y), [W, b, x])),
        theano.function([x, W, b, g], [plain] + T.grad(T.sum(g * plain), [W, b, x]), mode=PLAIN),
        theano.function([x, W, b], y.shape, on_unused_input="ignore"),
    )


@pytest.mark.parametrize(
    "pad, stride",
    [((0, 0), (2, 2)), ("half", (1, 1)), ("half", (2, 2)), ("full", (3, 1)), ((2, 1), (2, 3)), ("full", (1, 1))],
)
def test_strides_and_words_for_the_padding_are_theanos(pad, stride):
    """With filters that are not flipped, of any size."""
    fast, plain, shape = strided(pad, stride)
    for k, (height, width) in enumerate([(3, 3), (1, 1), (2, 5), (7, 4)]):
        x, W, b = normal(k, 3, 5, 9, 8), normal(9, 18, 5, height, width), normal(8, 18)
        g = normal(7, *shape(x, W, b))
        for share in (1, 0.05):
            g = g * (np.random.RandomState(k).rand(*g.shape) < share)
            assert_close(
                fast(x, W, b, g.astype("float32")), plain(x, W, b, g.astype("float32")), ("y", "dW", "db", "dx"), 1e-4
            )


def test_nothing_to_convolve():
    """No images, no channels, no filters, no rows: what the plain graph makes of it."""
    fast, plain, shape = strided("half", (2, 2))
    for images, channels, filters, rows in [(0, 3, 4, 6), (2, 0, 4, 6), (2, 3, 0, 6), (1, 3, 4, 1)]:
        x, W = normal(0, images, channels, rows, 5), normal(1, filters, channels, 3, 3)
        data = x, W, normal(2, filters)
        data += (normal(3, *shape(*data)),)
        assert_close(
            fast(*data), plain(*data) if filters else [0 * W] * 0, ("y", "dW", "db", "dx")[: 4 if filters else 0]
        )
        assert [a.shape for a in fast(*data)] == [data[3].shape, W.shape, (filters,), x.shape]


def test_without_the_gradients_of_the_filters():
    x, W, b, g = T.ftensor4(), T.ftensor4(), T.fvector(), T.ftensor4()
    y = channels_first(Conv2D((1, 1, 1, 1), 0, stride=(2, 2)).result(channels_last(x), W, b))
    f = theano.function([x, W, b, g], T.grad(T.sum(g * y), x))
    data = normal(1, 2, 5, 9, 8), normal(2, 7, 5, 3, 3), normal(3, 7), normal(4, 2, 7, 5, 4)
    np.testing.assert_array_equal(f(*data), compile_conv((1, 1, 1, 1), 0, stride=(2, 2))(*data)[3])
    assert [node.op.wrt_W for node in f.maker.fgraph.toposort() if isinstance(node.op, Conv2DGrad)] == [False]


def test_in_theanos_debug_mode():
    """It runs each Op with outputs of every memory layout, and checks what an optimization does."""
    x, W, b = T.ftensor4(), T.ftensor4(), T.fvector()
    pool = Pooling((2, 2), (2, 2))
    y = Conv2D("half", slope=0, pool=pool, stride=(1, 2)).result(channels_last(x), W, b)
    y = Activation(nonlinearity="tanh")(Pool2D((3, 3), (1, 1), mode="sum", pad=(1, 1))(y), b)
    y = BatchNorm(1e-4)(y, b, b)[0]
    mode = theano.compile.debugmode.DebugMode(optimizer="fast_run", check_py_code=False)
    f = theano.function([x, W, b], [y] + T.grad(T.sum(T.sqr(y)), [W, b, x]), mode=mode)
    assert f(normal(0, 2, 3, 7, 8), normal(1, 5, 3, 3, 3), normal(2, 5))[0].shape == (2, 3, 2, 5)


@pytest.mark.parametrize("pool, stride", [(None, (1, 1)), (Pooling((2, 2), (2, 2)), (1, 1)), (None, (2, 1))])
def test_any_memory_layout(pool, stride):
    data = conv_arrays(dict(size=3, pad=(1,) * 4, rows=6, columns=7, batch=2, channels=20, filters=5, share=1, seed=4))
    f = compile_conv((1,) * 4, 0, pool, stride)
    if pool or stride != (1, 1):
        data[3] = data[3][:, :, :3, : 3 if pool else 7].copy()
    want = f(*data)
    strided = [np.repeat(array, 3, axis=-1)[..., ::3] for array in data]
    backward = [array[..., ::-1].copy()[..., ::-1] for array in data]
    for layout in (strided, [np.asfortranarray(array) for array in data], backward):
        for got, array in zip(f(*layout), want):
            np.testing.assert_array_equal(got, array)


def test_names_what_does_not_fit():
    f = compile_conv((0,) * 4, 0)
    with pytest.raises(ValueError, match="x: images of 2 x 5 are smaller than the 3 x 3 filters"):
        f(normal(0, 1, 2, 2, 5), normal(1, 4, 2, 3, 3), normal(2, 4), normal(3, 1, 4, 1, 3))
    with pytest.raises(ValueError, match="W: wanted length 2 along axis 1, got 3"):
        f(normal(0, 1, 2, 5, 5), normal(1, 4, 3, 3, 3), normal(2, 4), normal(3, 1, 4, 3, 3))
    with pytest.raises(ValueError, match="b: wanted length 4 along axis 0, got 3"):
        f(normal(0, 1, 2, 5, 5), normal(1, 4, 2, 3, 3), normal(2, 3), normal(3, 1, 4, 3, 3))
    with pytest.raises(ValueError, match="g: wanted length 3 along axis 1, got 2"):
        f(normal(0, 1, 2, 5, 5), normal(1, 4, 2, 3, 3), normal(2, 4), normal(3, 1, 4, 2, 3))
    with pytest.raises(ValueError, match="pad: wanted half, full or four numbers from 0"):
        Conv2D((1, 1, -1, 0), 0)
    with pytest.raises(ValueError, match="stride: wanted two numbers from 1"):
        Conv2D((0,) * 4, stride=(1, 0))
    with pytest.raises(ValueError, match="slope: wanted a number from 0 to 1"):
        Conv2D((0,) * 4, 2)
    with pytest.raises(ValueError, match="nonlinearity: wanted one of lines, tanh, sigmoid, elu"):
        Conv2D((0,) * 4, nonlinearity="softplus")


def test_flat_images_tie():
    """Equal patches give equal sums, and each gets the gradient, whichever way the sums go."""
    x, W, b = T.ftensor4(), T.ftensor4(), T.fvector()
    pool = Pooling((2, 2), (2, 2))
    y = channels_first(Conv2D((1,) * 4, 0, pool=pool).result(channels_last(x), W, b))
    f = theano.function([x, W, b], T.grad(T.sum(y), b))
    images = np.zeros((3, 16, 12, 12), "float32")
    images[1] = 1.7  # flat but for the border
    images[2] = normal(1, 16, 12, 12)
    images[2, :, 2:8, 2:8] = 0.3  # flat in the middle
    weights, bias = normal(2, 32, 16, 3, 3) / 12, normal(3, 32)
    inside = np.s_[:, :, 1:-1, 1:-1]  # of the flat image: windows of four equal patches
    plain = T.nnet.conv2d(x, W, border_mode=1) + b.dimshuffle("x", 0, "x", "x")
    z = theano.function([x, W, b], plain, mode=PLAIN)(images, weights, bias).astype(float)
    z = np.round(z, 4)  # equal patches' sums, whatever BLAS rounds
    maps = np.maximum(z, 0).reshape(3, 32, 6, 2, 6, 2).transpose(0, 1, 2, 4, 3, 5)
    maps = maps.reshape(3, 32, 6, 6, 4)
    most = maps.max(axis=-1)
    ties = (maps == most[..., None]).sum(axis=-1) * (most > 0)
    assert (ties[1][inside[1:]] != 1).all()
    np.testing.assert_allclose(f(images, weights, bias), ties.sum(axis=(0, 2, 3)), atol=2)
    np.testing.assert_array_equal(f(images[:2], weights, bias), ties[:2].sum(axis=(0, 2, 3)))


# --- pooling -------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(drawn, max_examples=25)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.booleans(),
    st.sampled_from(["max", "average_inc_pad", "average_exc_pad", "sum"]),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 2**31),
)
def test_pooling_is_theanos(size, stride, ignore_border, mode, pad, rows, columns, seed):
    """Ties included: the pixels are few whole numbers."""
    pad = tuple(min(p, s - 1) for p, s in zip(pad, size)) if ignore_border else (0, 0)
    x, g = T.ftensor4(), T.ftensor4()
    fast = channels_first(Pool2D(size, stride, ignore_border, mode, pad)(channels_last(x)))
    plain = pool_2d(x, size, ignore_border, stride, pad, mode)
    rng = np.random.RandomState(seed)
    data = rng.randint(-1, 2, size=(3, 5, rows, columns)).astype("float32")
    got, want = theano.function([x], [fast, plain], mode=PLAIN)(data)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert tuple(theano.function([x], fast.shape)(data)) == got.shape
    weights = rng.normal(size=got.shape).astype("float32")
    got = theano.function([x, g], T.grad(T.sum(g * fast), x))(data, weights)
    if mode == "average_exc_pad" and any(pad):
        want = numpy_mean_gradient(weights, data.shape, size, stride, pad)  # Theano has none
    else:
        want = theano.function([x, g], T.grad(T.sum(g * plain), x), mode=PLAIN)(data, weights)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def numpy_mean_gradient(g, shape, size, stride, pad):
    dx = np.zeros(shape)
    for i, j in np.ndindex(*g.shape[2:]):
        top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
        window = np.s_[:, :, max(0, top) : top + size[0], max(0, left) : left + size[1]]
        dx[window] += (g[:, :, i, j] / dx[window][0, 0].size)[:, :, None, None]
    return dx


def test_pooling_names_what_does_not_fit():
    for arguments, why in [
        (dict(size=(2, 0)), "size: wanted two numbers from 1"),
        (dict(mode="mean"), "mode: wanted one of max, average_inc_pad, .*'mean'"),
        (dict(pad=(1, 2)), "pad: wanted less than the window's"),
        (dict(pad=(1, 1), ignore_border=False), "pad: wanted none without ignore_border"),
    ]:
        with pytest.raises(ValueError, match=why):
            Pool2D(**dict(dict(size=(2, 2), stride=(2, 2)), **arguments))


# --- networks ------------------------------------------------------------------------------------

NONLINEARITIES = [
    nonlinearities.rectify,
    nonlinearities.leaky_rectify,
    nonlinearities.very_leaky_rectify,
    nonlinearities.linear,
    nonlinearities.tanh,
    nonlinearities.sigmoid,
    T.nnet.elu,
]


@st.composite
def stacks(draw):
    """A network of one to three convolutions with what may follow them."""
    rows, columns = draw(st.integers(12, 18)), draw(st.integers(12, 18))
    layer = InputLayer((None, draw(st.sampled_from([1, 3, 17])), rows, columns))
    for _ in range(draw(st.integers(1, 3))):
        size = draw(st.sampled_from([1, 2, 3, 5]))
        pad = draw(st.sampled_from(["valid", "same", "full", 1, 2]))
        if size > min(layer.output_shape[2:]):
            pad = "full"
        layer = Conv2DLayer(
            layer,
            draw(st.sampled_from([4, 16, 19])),
            size,
            pad=pad,
            nonlinearity=draw(st.sampled_from(NONLINEARITIES)),
            **draw(st.sampled_from([{}, {}, {"b": None}])),
        )
        small = min(layer.output_shape[2:]) < 3
        kind = draw(st.sampled_from(["none", "normal", "max 2", "max 3", "average", "nonlinearity"]))
        if kind == "normal":
            layer = batch_norm(layer)
        elif small or kind == "none":
            continue
        elif kind == "nonlinearity":
            layer = NonlinearityLayer(layer, draw(st.sampled_from(NONLINEARITIES)))
        elif kind == "max 2":
            layer = MaxPool2DLayer(layer, 2)
        else:
            layer = Pool2DLayer(
                layer, 3, 2, ignore_border=draw(st.booleans()), mode="max" if kind == "max 3" else "average_exc_pad"
            )
        if draw(st.booleans()):
            layer = NonlinearityLayer(layer, draw(st.sampled_from(NONLINEARITIES)))
    if draw(st.booleans()):
        layer = GlobalPoolLayer(layer, draw(st.sampled_from([T.mean, T.max])))
    if draw(st.booleans()):
        layer = DropoutLayer(layer)
    return DenseLayer(layer, 7, nonlinearity=nonlinearities.softmax)


def output_and_gradients(network, mode=None):
    """The deterministic output, and the gradients of a weighted sum of it."""
    x, g = T.ftensor4(), T.fmatrix()
    y = get_output(network, x, deterministic=True)
    return theano.function([x, g], [y] + T.grad(T.sum(g * y), [x] + get_all_params(network)), mode=mode)


@pytest.mark.slow
@settings(drawn, max_examples=4)
@given(stacks(), st.integers(1, 5), st.integers(0, 2**31))
def test_stacks_equal_the_plain_graph(network, batch, seed):
    rng = np.random.RandomState(seed)
    for param in get_all_params(network):
        value = param.get_value()
        param.set_value((value + 0.1 * rng.normal(size=value.shape)).astype("float32"))
    data = normal(seed, batch, *get_all_layers(network)[0].shape[1:]), normal(seed + 1, batch, 7)
    fast = output_and_gradients(network)
    assert all("BLAS is faster" in reason for reason in reasons(fast))
    got, want = fast(*data), output_and_gradients(network, PLAIN)(*data)
    names = ["y", "dx"] + [param.name for param in get_all_params(network)]
    assert_close(got, want, names, 2e-3)
    for a, b in zip(got, fast(*data)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10-quick", "small-vgg"])
def test_nothing_is_transposed_between_layers(name):
    """Only the input is turned, and what a dense layer reads."""
    x, t = T.tensor4("x"), T.ivector("t")
    network = build_network(name, x)
    loss = lasagne.objectives.categorical_crossentropy(get_output(network), t).mean()
    f = theano.function([x, t], T.grad(loss, get_all_params(network)))
    nodes = f.maker.fgraph.toposort()
    turned = [node for node in nodes if getattr(node.op, "new_order", None) == (0, 2, 3, 1)]
    assert len(turned) <= 2  # of the input; of the gradient that comes back from the dense layer
    grads = [node.op for node in nodes if isinstance(node.op, Conv2DGrad)]
    assert sum(not op.wrt_x for op in grads) == 1  # the first layer's dx is left out
