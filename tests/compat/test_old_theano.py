"""Old names of Theano's, and recurrent layers."""

import copy

import lasagne
import numpy as np
import pytest
import scipy.signal
import theano
import theano.tensor as T
import theano.tensor.signal.conv
from theano.tensor.signal import downsample
from theano.tensor.signal.downsample import max_pool_2d


@pytest.mark.parametrize("mode", ["max", "average_inc_pad", "sum"])
def test_old_pooling_name(mode):
    x = np.random.RandomState(0).randn(2, 3, 6, 9).astype("float32")
    windows = x.reshape(2, 3, 3, 2, 3, 3)
    expected = {"max": np.max, "average_inc_pad": np.mean, "sum": np.sum}[mode](windows, axis=(3, 5))
    variable = T.ftensor4()
    pooled = max_pool_2d(variable, ds=(2, 3), ignore_border=True, mode=mode).eval({variable: x})
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["max", "average_exc_pad"])
def test_old_pooling_ops_and_their_gradients(mode):
    """Against loops over the windows, which overlap or leave a border."""
    rng = np.random.RandomState(1)
    x, ds, st = rng.randn(2, 3, 6, 7).astype("float32"), (3, 2), (2, 2)
    shape = tuple(downsample.DownsampleFactorMax.out_shape(x.shape, ds, True, st))
    gz, ggx = rng.randn(*shape).astype("float32"), rng.randn(*x.shape).astype("float32")
    pooled, gradient, second = np.zeros(shape), np.zeros_like(x), np.zeros(shape)
    for place in np.ndindex(*shape):
        window = (*place[:2], *(slice(i * s, i * s + d) for i, s, d in zip(place[2:], st, ds)))
        if mode == "max":
            pooled[place] = x[window].max()
            gradient[window] += (x[window] == x[window].max()) * gz[place]
            second[place] = ggx[window][x[window] == x[window].max()].sum()
        else:
            pooled[place] = x[window].mean()
            gradient[window] += gz[place] / x[window].size

    images, g, gg = T.ftensor4s(3)
    arguments = dict(ds=ds, ignore_border=True, st=st, mode=mode)
    op = downsample.DownsampleFactorMax(**arguments)
    outputs = [
        op(images),
        theano.grad((op(images) * g).sum(), images),
        downsample.DownsampleFactorMaxGrad(**arguments)(images, op(images), g),
    ]
    expected = [pooled, gradient, gradient]
    if mode == "max":
        outputs.append(downsample.DownsampleFactorMaxGradGrad(**arguments)(images, op(images), gg))
        expected.append(second)
    found = theano.function([images, g, gg], outputs, on_unused_input="ignore")(x, gz, ggx)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_old_pooling_of_the_same_size():
    x = np.random.RandomState(2).randn(1, 2, 4, 7).astype("float32")
    expected = np.zeros_like(x)
    for b, c, i, j in np.ndindex(1, 2, 2, 3):
        window = b, c, slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
        expected[window] = x[window] * (x[window] == x[window].max())
    images = T.ftensor4()
    kept = downsample.max_pool_2d_same_size(images, (2, 2))
    gradient = theano.grad((kept * 3).sum(), images)
    found = theano.function([images], [kept, gradient])(x)
    np.testing.assert_array_equal(found[0], expected)
    assert found[1].shape == x.shape


def test_what_theano_had_for_python_2():
    """As pylearn2 and programs of its time import it."""
    from theano.compat.python2x import OrderedDict, partial
    from theano.compat.six.moves import xrange, zip as izip
    from theano.gof.python25 import any, product

    assert list(izip(xrange(2), "ab")) == [(0, "a"), (1, "b")] and OrderedDict(a=1) == {"a": 1}
    assert partial(int, base=2)("11") == 3 and any([0, 1]) and len(list(product("ab", "ab"))) == 4


@pytest.mark.parametrize("mode", ["valid", "full"])
def test_old_convolution_of_signals(mode):
    """Theano's own convolution in C, of before CorrMM."""
    image, kernel = np.random.RandomState(3).randn(2, 6, 6)
    x, w = T.dmatrices("xw")
    found = theano.function([x, w], theano.tensor.signal.conv.conv2d(x, w[:3, :2], border_mode=mode))(image, kernel)
    np.testing.assert_allclose(found, scipy.signal.convolve2d(image, kernel[:3, :2], mode), rtol=1e-10, atol=1e-12)


def test_old_convolution_of_maps_takes_shapes_of_constants():
    image, kernel = np.random.RandomState(3).randn(2, 1, 1, 6, 6)
    x, w = T.dtensor4("x"), T.dtensor4("w")
    shapes = dict(image_shape=T.as_tensor_variable([1, 1, 6, 6]), filter_shape=(T.as_tensor_variable(1), 1, None, 6))
    found = theano.function([x, w], theano.tensor.nnet.conv.conv2d(x, w, border_mode="full", **shapes))(image, kernel)
    np.testing.assert_allclose(found[0, 0], scipy.signal.convolve2d(image[0, 0], kernel[0, 0]), rtol=1e-10)


@pytest.mark.parametrize("border_mode, step", [("valid", 1), ("full", 1), ("half", 2)])
def test_convolution_in_three_dimensions_in_python(border_mode, step):
    """Corr3dMM, which has code in C alone, where Ops run in Python."""
    rng = np.random.RandomState(0)
    images, kernels = rng.rand(2, 3, 5, 6, 7), rng.rand(4, 3, 3, 1, 3)
    x, k, g = (T.TensorType("float64", [False] * 5)() for _ in range(3))
    y = T.nnet.conv3d(x, k, border_mode=border_mode, subsample=(step,) * 3)
    with theano.change_flags(mode="FAST_COMPILE"):
        convolve = theano.function([x, k], y)
        gradients = theano.function([x, k, g], T.grad(None, [x, k], known_grads={y: g}))
    pads = {"valid": (0, 0, 0), "full": (2, 0, 2), "half": (1, 0, 1)}[border_mode]
    padded = np.pad(images, [(0, 0), (0, 0), *zip(pads, pads)])
    wanted = [
        [sum(scipy.signal.convolve(*pair, "valid") for pair in zip(image, kernel)) for kernel in kernels]
        for image in padded
    ]
    found = convolve(images, kernels)
    np.testing.assert_allclose(found, np.array(wanted)[:, :, ::step, ::step, ::step])
    # The convolution is linear in each: <convolve(direction), above> is <direction, gradient>.
    above = rng.rand(*found.shape)
    of_images, of_kernels = gradients(images, kernels, above)
    direction = rng.rand(*images.shape)
    np.testing.assert_allclose(np.vdot(direction, of_images), np.vdot(convolve(direction, kernels), above))
    direction = rng.rand(*kernels.shape)
    np.testing.assert_allclose(np.vdot(direction, of_kernels), np.vdot(convolve(images, direction), above))


def test_topk_has_one_order_with_indices_and_without():
    """Theano's numeric gradients compare the two; the order itself is NumPy's own."""
    numbers = np.random.RandomState(4).permutation(257).astype(float)
    x = T.dvector()
    values, indices = T.topk_and_argtopk(x, 129, sorted=False)
    alone = theano.function([x], values)(numbers)
    both = theano.function([x], [values, indices])(numbers)
    assert sorted(alone) == sorted(numbers)[-129:]
    np.testing.assert_array_equal(alone, both[0])
    np.testing.assert_array_equal(alone, numbers[both[1]])


def test_dumps_into_a_zip_archive(tmp_path):
    from theano.misc import pkl_utils

    weights, steps = theano.shared(np.eye(3), "W"), theano.shared(7)
    with open(tmp_path / "model.zip", "wb") as file:
        pkl_utils.dump((weights, steps, np.arange(4)), file)
    assert np.load(tmp_path / "model.zip")["W"].tolist() == np.eye(3).tolist()
    with open(tmp_path / "model.zip", "rb") as file:
        weights, steps, array = pkl_utils.load(file)
    assert (weights.get_value() == np.eye(3)).all() and steps.get_value() == 7 and array.tolist() == [0, 1, 2, 3]


def test_recurrent_layers_run():
    """Lasagne's recurrent layers use scan, whose C loop newer Pythons cannot build."""
    l_in = lasagne.layers.InputLayer((2, 5, 3))
    l_rec = lasagne.layers.RecurrentLayer(
        l_in,
        num_units=4,
        nonlinearity=lasagne.nonlinearities.tanh,
        W_in_to_hid=lasagne.init.Uniform(1),
        W_hid_to_hid=lasagne.init.Uniform(1),
    )
    x = np.random.RandomState(0).randn(2, 5, 3).astype(theano.config.floatX)
    found = lasagne.layers.get_output(l_rec).eval({l_in.input_var: x})
    hidden, W_in, b, W_hid = lasagne.layers.get_all_param_values(l_rec)
    for t in range(5):
        hidden = np.tanh(x[:, t] @ W_in + b + hidden @ W_hid)
        np.testing.assert_allclose(found[:, t], hidden, rtol=1e-4, atol=1e-5)


def test_increments_of_rows_that_come_twice():
    """The gradient of an embedding: to the bit as numpy.add.at, in any layout; an index out of bounds is an error."""
    x, rows, y = T.dmatrix("x"), T.ivector("rows"), T.dmatrix("y")
    increment = theano.function([x, rows, y], T.inc_subtensor(x[rows], y))
    rng = np.random.RandomState(0)
    start, values = rng.randn(50, 12), rng.randn(300, 12)
    numbers = rng.randint(-50, 50, 300).astype("int32")
    for some in (values, values[:, ::-1]):
        want = start.copy()
        np.add.at(want, numbers, some)
        np.testing.assert_array_equal(increment(start, numbers, some), want)
    for outside in (50, -51):
        with pytest.raises(IndexError, match="out of bounds"):
            increment(start, np.int32([0, outside]), values[:2])


def test_a_copied_function_reads_values_before_it_overwrites_them():
    """Every output, of the function and of its copy, as NumPy computes it from a product that is changed in place."""
    A, x = T.dmatrix("A"), T.dvector("x")
    y = T.dot(A, x)
    f = theano.function([A, x], [T.set_subtensor(y[0], 0), y * 2, T.tanh(y), T.dot(A, y), T.inc_subtensor(y[1:3], 5)])
    rng = np.random.RandomState(0)
    a, b = rng.randn(5, 5), rng.randn(5)
    product = a @ b
    want = [product * [0, 1, 1, 1, 1], product * 2, np.tanh(product), a @ product, product + [0, 5, 5, 0, 0]]
    for function in (f, f.copy(), copy.copy(f)):
        for got, expected in zip(function(a, b), want):
            np.testing.assert_allclose(got, expected, rtol=1e-12)
