"""What the optimizations take of a graph and what they leave, and that it computes what it did."""

import functools
import pickle
import re

import lasagne
import numpy as np
import pytest
import random_graphs
import theano
import theano.tensor as T
from lasagne import nonlinearities
from lasagne.layers import Conv2DLayer, InputLayer, MaxPool2DLayer, get_all_params, get_output
from plain import becomes, reasons, rows, rows_of_graph
from theano.compile.debugmode import DebugMode
from theano.compile.nanguardmode import NanGuardMode
from theano.gof import Constant, FunctionGraph, Query
from theano.gof.graph import inputs as inputs_of
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams
from theano.tensor.signal.pool import pool_2d

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.fused import explain, why_nothing
from mnist_cnn.fused.rewrites.zeros import density

#: Without fusion all elementwise operations are ones that are compiled once.
FAST = theano.compile.get_default_mode().excluding("fusion")
PLAIN = FAST.excluding("mnist_cnn")


def normal(seed, *shape):
    return np.random.RandomState(seed).normal(size=shape).astype("float32")


def optimized(outputs):
    """A graph as the optimizations leave it, which takes no compiler."""
    inputs = [v for v in inputs_of(outputs) if not isinstance(v, Constant)]
    fgraph = FunctionGraph(inputs, outputs)
    theano.compile.optdb.query(Query(include=["fast_compile", "mnist_cnn"])).optimize(fgraph)
    return fgraph


def with_gradients(y, wrt):
    return [y] + T.grad(T.sum(T.sqr(y)), wrt, disconnected_inputs="ignore")


def same(inputs, outputs, *batches, **kwargs):
    """Compile with the fast path and without, compare what comes out; the fast function."""
    fast, plain = [theano.function(inputs, outputs, mode=mode, **kwargs) for mode in (FAST, PLAIN)]
    assert why_nothing(plain) == "it was compiled without the optimizations of mnist_cnn"
    for batch in batches:
        compare(fast(*batch), plain(*batch))
    return fast


def same_alone(values, outputs):
    """Compile the fast path's Ops alone, compare with the graph as written, which nothing compiles; the function."""
    # without borrow, an Op is compiled again for each choice of its outputs that are the function's
    borrowed = [theano.Out(output, borrow=True) for output in outputs]
    fast = theano.function(list(values), borrowed, mode=random_graphs.ALONE, on_unused_input="ignore")
    weights = {v: v.get_value() for v in inputs_of(outputs) if isinstance(v, theano.compile.SharedVariable)}
    compare(fast(*values.values()), random_graphs.evaluate(outputs, {**values, **weights}))
    return fast


def compare(got, want, tolerance=1e-4):
    if not isinstance(want, list):
        got, want = [got], [want]
    for k, (a, b) in enumerate(zip(got, want)):
        assert a.shape == b.shape and a.dtype == b.dtype, k
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max(initial=1e-3), err_msg=str(k))


# --- what is taken, and what stays -------------------------------------------------------------


def stage(conv=(), pool=(), shape=(None, 2, 9, 9)):
    """Two of Lasagne's layers, and the gradients of all that is learned."""
    images = InputLayer(shape, T.ftensor4())
    layer = Conv2DLayer(images, **dict(dict(num_filters=4, filter_size=3), **dict(conv)))
    if pool is not None:
        layer = MaxPool2DLayer(layer, **dict(dict(pool_size=2), **dict(pool)))
    return with_gradients(get_output(layer), get_all_params(layer) + [images.input_var])


@pytest.mark.parametrize(
    "outputs, wanted, why",
    [
        (stage(), ["ConvReluPool"], "convolution, bias, rectifier and 2x2 max-pooling in one pass"),
        (stage(conv=dict(filter_size=(4, 4)), pool=dict(stride=2)), ["ConvReluPool"], ""),
        (stage(conv=dict(b=None)), ["ConvReluPool"], "convolution, rectifier and 2x2"),
        (stage(conv=dict(nonlinearity=nonlinearities.tanh)), ["Conv2D"], "bias, tanh and 2x2"),
        (stage(conv=dict(nonlinearity=None)), ["Conv2D"], "convolution, bias and 2x2"),
        (stage(conv=dict(pad="full")), ["Conv2D"], ""),
        (stage(conv=dict(stride=2)), ["Conv2D"], ""),
        (stage(conv=dict(filter_size=(3, 2))), ["Conv2D"], ""),
        (stage(pool=dict(pool_size=3)), ["Conv2D"], "3x3 max-pooling in one pass"),
        (stage(pool=dict(stride=1)), ["Conv2D"], "2x2 max-pooling of stride 1x1 in one pass"),
        (stage(pool=dict(ignore_border=False)), ["Conv2D"], ""),
        (stage(shape=(None, 2, None, 9)), ["Conv2D"], ""),
        (stage(shape=(None, 2, 9, 65)), ["Conv2D"], ""),  # a stage's image has to fit into the cache
        (stage(pool=None), ["Conv2D"], "convolution, bias and rectifier in one pass"),
        (stage(conv=dict(nonlinearity=None, b=None), pool=None), ["Conv2D"], "the channels of a pixel side by side"),
        (stage(conv=dict(untie_biases=True)), ["Conv2D", "Pool2D"], "side by side"),
        (stage(conv=dict(nonlinearity=T.exp)), ["Conv2D", "Pool2D"], "convolution and bias in one pass"),
        (stage(conv=dict(filter_size=12, pad=6)), [None, "Pool2D"], "filters of 12x12 are larger than 11x11"),
    ],
)
def test_what_is_taken_of_lasagnes_layers(outputs, wanted, why):
    graph = optimized(outputs)
    table = rows_of_graph(graph)
    assert [row.becomes for row in table] == wanted
    assert why in table[0].why


#: In `explain`, where a call counts the zeros of a product's left factor.
COUNTED = "SparseProduct or BLAS"

X, W, B = T.ftensor4("x"), T.ftensor4("W"), T.fvector("b")
Z, M, C, D = T.fmatrix("z"), T.fmatrix("m"), T.fvector("c"), T.dmatrix("d")
BIAS = B.dimshuffle("x", 0, "x", "x")
HINTS = dict(input_shape=(None, 2, 9, 9), filter_shape=(4, 2, 3, 3))


def conv(**kwargs):
    return T.nnet.conv2d(X, W, **dict(HINTS, **kwargs))


def rectify_and_read():
    """The nonlinearity's result, and what is before it."""
    maps = conv() + BIAS
    return [T.nnet.relu(maps), maps * 2]


def two_poolings():
    maps = T.nnet.relu(conv() + BIAS)
    return [pool_2d(maps, (2, 2), ignore_border=True), pool_2d(maps, (3, 3), ignore_border=True)]


def hidden_and_read():
    z = T.dot(Z, M) + C
    return [T.tanh(z), z * 2]


def normalized(epsilon):
    row = C.dimshuffle("x", 0)
    return T.nnet.bn.AbstractBatchNormTrain((0,))(Z, row, row, epsilon)[0]


def normalized_and_read():
    y = normalized(1e-4)
    return [T.nnet.relu(y), 2 * y]


@pytest.mark.parametrize(
    "build, wanted, why",
    [
        (lambda: conv(num_groups=2, filter_shape=(4, 1, 3, 3)), [None], "2 groups of channels"),
        (lambda: conv(filter_dilation=(2, 2)), [None], r"dilation (2, 2)"),
        (lambda: pool_2d(X, (2, 2), ignore_border=True), ["Pool2D"], "side by side"),
        (lambda: pool_2d(X, (2, 2), ignore_border=True, mode="sum"), ["Pool2D"], "side by side"),
        (lambda: pool_2d(X, T.lvector(), ignore_border=True), [None], "window's size is not a constant"),
        (lambda: pool_2d(T.ftensor3(), (2, 2), ignore_border=True), [None], "over 2 axes of 3"),
        (
            lambda: T.tanh(pool_2d(conv(), (2, 2), ignore_border=True) + BIAS),
            ["Conv2D", "Activation"],
            "convolution and 2x2 max-pooling in one pass",
        ),
        (lambda: T.nnet.relu(pool_2d(conv() + BIAS, (2, 2), ignore_border=True)), ["ConvReluPool"], ""),
        (rectify_and_read, ["Conv2D", "ActivationOfSum"], "convolution and bias in one pass"),
        (two_poolings, ["Conv2D", "Pool2D", "Pool2D"], "convolution, bias and rectifier in one pass"),
        (lambda: [T.nnet.relu(conv() + BIAS), conv()], ["Conv2D", "Activation"], "side by side"),
        (lambda: T.nnet.relu(conv(border_mode="half") + X), ["Conv2D", "ActivationOfSum"], "side by side"),
        (lambda: T.nnet.relu(X + 2 * X), [], None),  # its maps come from no convolution
        (lambda: T.dot(T.nnet.relu(Z), M), ["SparseProduct"], "skips zeros"),
        (lambda: T.dot(Z, M), [COUNTED], "skips zeros, where a call finds enough of them"),
        (lambda: T.dot(T.tanh(Z), M), [None], "no rectifier or mask makes zeros in its left factor"),
        (lambda: T.tanh(T.dot(Z, M) + C), [COUNTED, "Activation"], ""),
        (hidden_and_read, [COUNTED, None], ""),
        (lambda: T.dot(D, D), [None], "it computes in float64"),
        (lambda: T.dot(Z, D), [None], "it computes in float64"),
        (
            lambda: T.nnet.relu(T.nnet.conv2d(X.astype("float64"), W.astype("float64"), **HINTS)),
            [None],
            "it computes in float64",
        ),
        (lambda: T.nnet.sigmoid(T.dot(Z, M) + C), [COUNTED, "Activation"], ""),
        (lambda: T.log(T.nnet.sigmoid(T.dot(Z, M) + C)), [COUNTED, None], ""),
        (lambda: normalized(1e-4), ["BatchNorm"], "statistics in two passes"),
        (lambda: T.nnet.relu(normalized(1e-4)), ["BatchNorm"], "statistics and nonlinearity in two passes"),
        (normalized_and_read, ["BatchNorm"], "statistics in two passes"),
        (lambda: normalized(T.fscalar()), [None], "epsilon is not a constant"),
        (lambda: T.dot(Z, C), [], None),  # a vector
        (lambda: Z + 1, [], None),
    ],
)
def test_what_is_taken_of_theanos_terms(build, wanted, why):
    outputs = build()
    graph = optimized(outputs if isinstance(outputs, list) else [outputs])
    table = rows_of_graph(graph)
    assert [row.becomes for row in table] == wanted
    if why is not None:
        assert why in table[0].why


def test_an_inner_value_that_is_read_elsewhere_is_named():
    assert [row.why for row in rows_of_graph(optimized(hidden_and_read())) if not row.becomes] == [
        "the values before the nonlinearity are read elsewhere as well"
    ]
    shape = T.tanh(T.dot(Z, M) + C)  # a shape is no value
    table = rows_of_graph(optimized([shape, shape.owner.inputs[0].shape]))
    assert [row.becomes for row in table] == [COUNTED, "Activation"]


MRG, NUMPYS = MRG_RandomStreams(1), RandomStreams(1)


@pytest.mark.parametrize(
    "least, most, build",
    [
        (0, 1, lambda: Z[2:].T.reshape((3, 4))),
        (1, 1, lambda: T.tanh(Z)),
        (1, 1, lambda: Z + 1),
        (0.5, 0.5, lambda: -T.nnet.relu(M + 1) / 2),
        (0, 0.5, lambda: Z * T.nnet.relu(M)),
        (0, 1, lambda: functools.reduce(lambda h, _: h * h, range(40), Z)),  # each factor is looked at once
        (1, 1, lambda: T.nnet.relu(Z, 0.1)),
        (0.5, 0.5, lambda: T.switch(M > 2, Z, 0)),
        (0.5, 1, lambda: T.concatenate([T.nnet.relu(Z), T.exp(Z)])),
        (0.75, 0.75, lambda: T.tanh(Z) * MRG.binomial(Z.shape, p=0.75, dtype="float32")),
        (0.75, 0.75, lambda: T.tanh(Z) * T.cast(NUMPYS.binomial(n=1, p=0.75, size=Z.shape), "float32")),
        (0.5, 0.5, lambda: T.tanh(Z) * MRG.binomial(Z.shape, p=C.sum(), dtype="float32")),
        (0.5, 0.5, lambda: T.nnet.relu(conv() + BIAS).flatten(2)),
        (0.5, 0.5, lambda: T.nnet.relu(pool_2d(conv() + BIAS, (2, 2), ignore_border=True)).flatten(2)),
        (0.5, 0.5, lambda: T.grad(T.sum(T.exp(T.nnet.relu(Z + C))), Z)),
        (1, 1, lambda: T.grad(T.sum(T.exp(T.tanh(Z + C))), Z)),
    ],
)
def test_the_share_of_zeros_that_a_graph_tells(least, most, build):
    """In a graph whose other parts are replaced already."""
    variable = build()
    fgraph = FunctionGraph([v for v in inputs_of([variable]) if not isinstance(v, Constant)], [variable])
    theano.compile.optdb.query(
        Query(include=["mnist_cnn"], exclude=["mnist_cnn_products", "mnist_cnn_random"])
    ).optimize(fgraph)
    assert density(fgraph, fgraph.outputs[0]) == (least, most)


def test_a_parameter_has_no_zeros():
    W = theano.shared(normal(0, 3, 3))
    f = theano.function([Z], T.dot(W, Z), updates=[(W, 2 * W)], mode=FAST)
    assert "no rectifier or mask makes zeros" in reasons(f)[0]


@pytest.mark.parametrize("decay", [0, 0.5])
def test_a_product_stays_joined_with_plain_sgd(decay):
    """One call in place, which counts zeros first; without zeros it is BLAS's alone."""
    start = normal(0, 6, 40)
    for share, f in ((0.2, T.nnet.relu), (1, lambda z: z), (1, T.tanh)):
        W = theano.shared(start)
        g = T.dot(f(Z), W) - M
        step = theano.function([Z, M], [], updates=[(W, W - 0.1 * (T.dot(f(Z).T, g) + decay * W))], mode=FAST)
        names = [type(node.op).__name__ for node in step.maker.fgraph.toposort()]
        assert names[-1] == ("DenseGemm" if f is T.tanh else "GemmOfZeros") and "MayHaveZeros" not in names
        z, m = normal(1, 20, 6), normal(2, 20, 40)
        z[np.random.RandomState(3).rand(20, 6) > share] = 0
        step(z, m)
        h = {T.tanh: np.tanh(z), T.nnet.relu: np.maximum(z, 0)}.get(f, z).astype(float)
        want = start - 0.1 * (h.T.dot(h.dot(start) - m) + decay * start)
        np.testing.assert_allclose(W.get_value(), want, rtol=0, atol=1e-5)


# --- the ways to write it ----------------------------------------------------------------------

SPELLINGS = [
    T.nnet.relu,
    lambda z: T.maximum(z, 0),
    lambda z: T.maximum(0.0, z),
    lambda z: T.switch(z > 0, z, 0),
    lambda z: T.switch(T.lt(0, z), z, 0),
    lambda z: z * (z > 0),
    lambda z: T.switch(z >= 0, z, 0),
    lambda z: T.switch(z < 0, 0, z),
    lambda z: T.switch(z <= 0, 0.2 * z, z),
    lambda z: 0.5 * (z + abs(z)),
    lambda z: (abs(z) + z) * 0.5,
    lambda z: (abs(z) + z) / 2.0,
    lambda z: (z + abs(z)) / 2,
    lambda z: z / 2 + 0.5 * abs(z),
    lambda z: 0.6 * z + 0.4 * abs(z),
    lambda z: 0.5 * (1.2 * z + 0.8 * T.abs_(z)),
    lambda z: T.maximum(z, z / 5),
    lambda z: T.nnet.relu(z, 0.1),
    nonlinearities.leaky_rectify,
    lambda z: T.maximum(0.2 * z, z),
    lambda z: T.switch(z > 0, z, z * 0.2),
    T.nnet.elu,
    lambda z: T.switch(z > 0, z, T.exp(z) - 1),
    T.tanh,
    T.nnet.sigmoid,
]


def test_every_spelling_of_a_nonlinearity():
    """After a convolution and after a product, with the gradients that Theano writes for each."""
    outputs = []
    for k, f in enumerate(SPELLINGS):  # each with weights of its own, so that nothing is merged
        maps = T.nnet.conv2d(X, W + k / 32, filter_shape=(4, 2, 3, 3))
        outputs += with_gradients(f(maps + BIAS), [W, B, X])
        outputs += with_gradients(f(T.dot(Z, M + k / 32) + C), [Z, M, C])
    shapes = {X: (2, 2, 9, 9), W: (4, 2, 3, 3), B: (4,), Z: (3, 6), M: (6, 5), C: (5,)}
    fast = same_alone({variable: normal(k, *shape) for k, (variable, shape) in enumerate(shapes.items())}, outputs)
    kinds = becomes(fast)
    assert (
        None not in kinds
        and kinds.count("Activation") == len(SPELLINGS)
        and all("bias and" in row.why for row in rows(fast) if row.becomes == "Conv2D")
    )


def test_other_ways_to_write_it():
    """Filters that are not flipped, pooling before bias and nonlinearity, numbers for each channel."""
    scale = T.fvector("scale")
    over = scale.dimshuffle("x", 0, "x", "x")
    expressions = [
        T.nnet.relu(T.nnet.conv2d(X, W, filter_flip=False, **HINTS) + BIAS),
        pool_2d(
            T.nnet.relu(T.nnet.conv2d(X, W, filter_flip=False, border_mode="half", **HINTS)), (2, 2), ignore_border=True
        ),
        T.tanh(pool_2d(conv(border_mode=(1, 2)), (2, 2), ignore_border=True) + BIAS),
        T.nnet.relu(pool_2d(conv(border_mode="full"), (3, 3), ignore_border=False) + BIAS),
        T.nnet.relu(pool_2d(conv(border_mode=2) + BIAS, (2, 2), ignore_border=True)),
        pool_2d(T.tanh(conv(border_mode=3)), (3, 2), stride=(2, 1), ignore_border=True, pad=(1, 1)),
        pool_2d(conv(border_mode=4), (2, 2), ignore_border=True, mode="average_exc_pad"),
        (conv(border_mode=(0, 1)) - BIAS) / over * 3 + over,
        2 - (conv(border_mode=(1, 0)) + BIAS) * over,
    ]
    outputs = [v for y in expressions for v in with_gradients(y, [W, B, X])]
    fast = same_alone(
        {X: normal(0, 2, 2, 9, 9), W: normal(1, 4, 2, 3, 3), B: normal(2, 4), scale: normal(3, 4)}, outputs
    )
    kinds = becomes(fast)
    assert None not in kinds and kinds.count("Conv2D") == len(expressions)


def test_theanos_own_batch_normalization():
    """`batch_normalization_train` over axes of all kinds, with its running averages, and `_test` of a convolution."""
    values, outputs = {}, []

    def new(k, *shape):
        variable = T.TensorType("float32", (False,) * len(shape))()
        values[variable] = 1.5 + normal(k, *shape)
        return variable

    for k, (shape, axes, own, f) in enumerate(
        [
            ((3, 5, 4, 6), "spatial", (5,), T.nnet.relu),
            ((3, 5, 4, 6), "per-activation", (5, 4, 6), T.tanh),
            ((3, 5, 4, 6), (0, 3), (5, 4), None),
            ((3, 5, 4, 6), (1, 2, 3), (3,), T.nnet.elu),
            ((3, 5, 4, 6), (0, 1, 2, 3), (), None),
            ((7, 5), "per-activation", (5,), T.nnet.sigmoid),
            ((3, 5, 4), "spatial", (5,), lambda z: (z + abs(z)) / 2.0),
        ]
    ):
        x = new(k, *shape)
        gamma, beta, mean, variance = (new(10 * k + n, *own) for n in range(4))
        y, *statistics = T.nnet.bn.batch_normalization_train(
            x, gamma, beta, axes, 1e-3, 0.25, *((mean, variance) if k % 2 == 0 else ())
        )
        y = f(y) if f else y
        outputs += [y] + T.grad(T.sum(T.sqr(y) * x), [x, gamma, beta]) + statistics
    x, W, gamma, beta, mean = new(0, 2, 2, 9, 9), new(1, 4, 2, 3, 3), new(2, 4), new(3, 4), new(4, 4)
    y = T.nnet.bn.batch_normalization_test(T.nnet.conv2d(x, W), gamma, beta, mean, T.sqr(mean), "spatial")
    outputs.append(T.nnet.relu(y))
    fast = same_alone(values, outputs)
    assert becomes(fast).count("BatchNorm") == 7 and set(becomes(fast)) == {"BatchNorm", "Conv2D"}
    assert "convolution, scale and bias and rectifier in one pass" in [row.why for row in rows(fast)]


def test_downsample_and_conv2d_of_old_names():
    from theano.tensor.nnet import conv as old
    from theano.tensor.signal import downsample

    filters = theano.shared(normal(0, 4, 2, 3, 3))
    y = T.tanh(downsample.max_pool_2d(old.conv2d(X, filters), (2, 2)) + BIAS)
    kinds = [row.becomes for row in rows_of_graph(optimized(with_gradients(y, [filters, B])))]
    assert None not in kinds and "Conv2D" in kinds


# --- it stays right ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """A small network's input, weights as shared variables, and its output."""
    weights = [theano.shared(normal(k, *shape) / 4) for k, shape in enumerate([(4, 2, 3, 3), (4,), (36, 5), (5,)])]
    maps = T.nnet.conv2d(X, weights[0], border_mode=1, filter_shape=(4, 2, 3, 3))
    maps = pool_2d(T.nnet.relu(maps + weights[1].dimshuffle("x", 0, "x", "x")), (2, 2), ignore_border=True)
    return X, weights, T.tanh(T.dot(maps.reshape((maps.shape[0], 36)), weights[2]) + weights[3])


IMAGES = normal(9, 3, 2, 6, 7)
KINDS = {"Conv2D", "SparseProduct", "Activation"}


def test_batches_of_any_size_and_layout(network):
    x, weights, y = network
    batches = [
        IMAGES,
        IMAGES[:1],
        normal(8, 7, 2, 6, 7),
        np.asfortranarray(IMAGES),
        IMAGES[::-1, ::-1, ::-1, ::-1],
        np.repeat(IMAGES, 2, axis=3)[..., ::2],
    ]
    fast = same([x], with_gradients(y, weights + [x]), *[[batch] for batch in batches])
    assert set(becomes(fast)) == KINDS
    answers, *gradients = fast(IMAGES[:0])  # BLAS would have no matrix without rows
    assert answers.shape == (0, 5) and not any(np.any(gradient) for gradient in gradients)


def test_a_batch_that_is_one_image_many_times(network):
    """As NumPy broadcasts it, without a copy."""
    x, weights, y = network
    batch = np.broadcast_to(IMAGES[:1], IMAGES.shape)
    same([x], y, [batch])


def test_derivatives_of_derivatives(network):
    """Second derivatives, Hessian-vector products, and the operators R and L."""
    x, weights, y = network
    v = T.ftensor4("v")
    first = T.grad(T.sum(T.sqr(y)), x)
    outputs = [
        T.grad(T.sum(first * v), x),
        T.grad(T.sum(T.sqr(first)), weights[0]),
        T.Rop(y, weights[0], weights[0] ** 2),
        T.Lop(y, weights[0], T.sqr(y)),
    ]
    same_alone({x: IMAGES, v: normal(5, 3, 2, 6, 7)}, outputs)


def test_inside_a_loop():
    """A recurrent layer's product, and a convolution of each image in a loop of its own."""
    h, U = T.fmatrix("h"), T.fmatrix("U")
    states, _ = theano.scan(lambda h, U, c: T.tanh(T.dot(h, U) + c), outputs_info=h, non_sequences=[U, C], n_steps=4)
    maps, _ = theano.scan(
        lambda image, W, b: T.nnet.relu(
            T.nnet.conv2d(image.dimshuffle("x", 0, 1, 2), W, filter_shape=(4, 2, 3, 3)) + b.dimshuffle("x", 0, "x", "x")
        ),
        sequences=X,
        non_sequences=[W, B],
    )
    outputs = with_gradients(states[-1], [h, U, C]) + with_gradients(maps, [W, B])
    fast = same(
        [h, U, C, X, W, B],
        outputs,
        [normal(0, 3, 5), normal(1, 5, 5), normal(2, 5), IMAGES, normal(3, 4, 2, 3, 3), normal(4, 4)],
    )
    inner = [
        node.op.fn for node in fast.maker.fgraph.toposort() if isinstance(node.op, theano.scan_module.scan_op.Scan)
    ]
    assert any(any(becomes(function)) for function in inner)


def test_givens_several_outputs_and_shared_parts(network):
    x, weights, y = network
    numbers, images = T.lvector(), theano.shared(normal(7, 9, 2, 6, 7))
    fast = same(
        [numbers],
        [y, y.argmax(axis=1), y.sum(), y.T, 2 * y],
        [[8, 0, 3]],
        givens={x: images[numbers], weights[3]: weights[3] / 2},
    )
    assert set(becomes(fast)) == KINDS


def test_inputs_that_are_updated(network):
    """The old and the new weights in one call, and a state that is an input."""
    x, weights, y = network
    start = [w.get_value() for w in weights]
    updates = lasagne.updates.nesterov_momentum(T.sum(T.sqr(y)), weights, 0.01)
    state = theano.In(T.fmatrix("state"), value=np.zeros((3, 5), "float32"), mutable=True, name="state")
    state.update = T.tanh(T.dot(state.variable, weights[2][:5]) + weights[3]) + y
    results = []
    for mode in (FAST, PLAIN):
        for variable, value in list(zip(weights, start)):
            variable.set_value(value)
        for variable in updates:
            if variable not in weights:
                variable.set_value(0 * variable.get_value())
        step = theano.function([x, state], [y, weights[0].sum(), state.variable], mode=mode, updates=updates)
        results.append([a for _ in range(3) for a in step(IMAGES)] + [w.get_value() for w in weights])
    for variable, value in zip(weights, start):
        variable.set_value(value)
    compare(*results)


def test_a_graph_that_is_an_op(network):
    x, weights, y = network
    a, b, c = T.fmatrix(), T.fmatrix(), T.fvector()
    op = theano.OpFromGraph([a, b, c], [T.nnet.relu(T.dot(a, b) + c)], inline=True)
    apart = theano.OpFromGraph([a, b, c], [T.tanh(T.dot(a, b) + c)])
    outputs = with_gradients(op(Z, M, C), [Z, M, C]) + with_gradients(apart(Z, M, C), [Z, M, C])
    same([Z, M, C], outputs, [normal(0, 3, 6), normal(1, 6, 5), normal(2, 5)])


@pytest.mark.parametrize(
    "mode, kinds",
    [
        (NanGuardMode(True, True, True, optimizer=FAST.provided_optimizer), True),
        (
            DebugMode(
                optimizer=FAST.provided_optimizer,
                check_py_code=False,
                check_preallocated_output="",
                require_matching_strides=False,
                stability_patience=1,
            ),
            True,
        ),
        (theano.Mode("cvm", None), False),
        (theano.Mode("cvm", "fast_compile"), False),
        (FAST, True),
    ],
    ids=["NanGuardMode", "DebugMode", "None", "fast_compile", "profile"],
)
def test_modes(mode, kinds):
    """What optimizes little leaves the graph plain; what looks at values finds no fault.

    Without a convolution: Theano computes none before it is optimized, as some of these want.
    """
    y = T.tanh(T.dot(pool_2d(X, (2, 2), ignore_border=True).flatten(2), M) + C)
    outputs = with_gradients(y, [X, M, C])
    profile = theano.compile.ProfileStats(atexit_print=False) if mode is FAST else None
    f = theano.function([X, M, C], outputs, mode=mode, profile=profile)
    if kinds:
        kinds = {"Pool2D", "Activation"}
        assert set(becomes(f)) == kinds | {COUNTED}
    else:
        assert why_nothing(f) == "it was compiled without the optimizations of mnist_cnn"
    data = IMAGES, normal(1, 18, 5) / 4, normal(2, 5)
    compare(f(*data), theano.function([X, M, C], outputs, mode=PLAIN)(*data))
    if profile is not None:
        assert {type(node.op).__name__ for node in profile.apply_time} >= kinds


def test_switched_off_by_the_settings(network, monkeypatch):
    """THEANO_FLAGS=optimizer_excluding=mnist_cnn, as Theano reads it when the first mode is made."""
    monkeypatch.setattr(theano.compile.mode, "instantiated_default_mode", None)
    monkeypatch.setattr(type(theano.config), "optimizer_excluding", "mnist_cnn:fusion")
    f = theano.function([network[0]], network[2])
    assert why_nothing(f) == "it was compiled without the optimizations of mnist_cnn"
    assert explain(f) == "Theano's own operations: " + why_nothing(f)


def test_pickled_copied_and_borrowed(network):
    x, weights, y = network
    f = theano.function([theano.In(x, borrow=True)], [theano.Out(y, borrow=True)], mode=FAST)
    want = np.array(f(IMAGES)[0])
    copied, loaded = f.copy(), pickle.loads(pickle.dumps(f))
    for function in (copied, loaded, f):
        np.testing.assert_array_equal(function(IMAGES)[0], want)
        assert {type(node.op).__name__ for node in function.maker.fgraph.apply_nodes} >= KINDS
        assert explain(function) == explain(f) and "Conv2D" in explain(f)
        assert len(re.findall(r"\d\.\d\d", explain(function, IMAGES, repeats=1))) == len(KINDS) + 2
    shared = f.copy(share_memory=True, delete_updates=True, swap={weights[3]: theano.shared(weights[3].get_value())})
    np.testing.assert_array_equal(shared(IMAGES)[0], want)
    assert explain(shared) == explain(f)


# --- explain -----------------------------------------------------------------------------------


def test_explain_names_parts_and_their_milliseconds(network):
    x, weights, y = network
    loss = T.sum(T.sqr(y))
    apart = T.nnet.conv2d(x, weights[0], filter_dilation=(2, 2))
    f = theano.function([x], [loss, apart], updates=lasagne.updates.momentum(loss, weights, 0.1), mode=FAST)
    before = [variable.get_value() for variable in f.get_shared()]
    lines = explain(f).splitlines()
    assert lines[0].split() == ["part", "becomes", "why"]
    assert {line.split("  ")[0] for line in lines[1:]} == {
        "convolution of 2 channels by 4 filters of 3x3",
        "convolution",
        "product of matrices",
        "bias and tanh",
    }
    (line,) = (line for line in lines if line.startswith("convolution  "))
    assert line.split("  ", 1)[1].split() == "Theano's dilation (2, 2)".split()
    table = explain(f, IMAGES, repeats=2).splitlines()
    assert table[0].split() == ["part", "becomes", "ms", "why"]
    assert table[-1].startswith("Other operations: ") and table[-1].endswith(" ms.")
    for variable, value in zip(f.get_shared(), before):
        np.testing.assert_array_equal(variable.get_value(), value)
    with pytest.raises(TypeError, match="unexpected keyword argument 'time'"):
        explain(f, IMAGES, time=3)


def test_why_nothing():
    f = theano.function([Z], Z + 1, mode=FAST)
    assert why_nothing(f) == "it has no part that the fast path knows" or not rows(f)
    f = theano.function([D], [T.dot(D, D), D + 1], mode=FAST)
    assert reasons(f) == ["it computes in float64"]
    assert why_nothing(f) == "it computes in float64"
    assert explain(f).splitlines()[1].split("  ") == ["product of matrices", "Theano's", "it computes in float64"]


def test_where_it_cannot_run(monkeypatch):
    monkeypatch.setattr(theano.config, "cxx", "")
    graph = optimized([T.tanh(T.dot(Z, M) + C)])
    table = rows_of_graph(graph)
    assert [(row.becomes, row.why) for row in table] == [(None, "there is no C++ compiler")] * 2
