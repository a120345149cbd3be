"""Bias and nonlinearity, against their definitions in NumPy and against the plain graph."""

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne.layers import (
    Conv2DLayer,
    DenseLayer,
    InputLayer,
    NonlinearityLayer,
    get_all_layers,
    get_all_params,
    get_output,
)
from lasagne.nonlinearities import sigmoid
from plain import PLAIN, becomes, fast_and_plain

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.benchmarks.batch_norm import BatchNormLayer, batch_norm
from mnist_cnn.fused.ops.activation import Activation, ActivationOfSum
from mnist_cnn.fused.ops.batch_norm import BatchNorm

# f, and f' where z is not 0; for float64
DEFINITIONS = {
    "rectify": (dict(slope=0), lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky": (dict(slope=0.25), lambda z: np.where(z > 0, z, 0.25 * z), lambda z: np.where(z > 0, 1, 0.25)),
    "tanh": (dict(nonlinearity="tanh"), np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (
        dict(nonlinearity="sigmoid"),
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: 1 / (2 + np.exp(-z) + np.exp(z)),
    ),
    "elu": (
        dict(nonlinearity="elu"),
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    ),
}


@pytest.fixture(scope="module")
def compiled():
    """For each nonlinearity: z, b, g to y, dz, db."""

    def compile_one(options):
        z, b, g = T.fmatrix("z"), T.fvector("b"), T.fmatrix("g")
        y = Activation(**options)(z, b)
        return theano.function([z, b, g], [y] + theano.grad(None, [z, b], known_grads={y: g}))

    return {name: compile_one(options) for name, (options, _, _) in DEFINITIONS.items()}


@pytest.mark.parametrize("rows, columns", [(1, 1), (33, 15), (100, 256), (500, 37), (0, 5), (3, 0)])
@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_is_its_definition(compiled, name, rows, columns):
    _, f, derivative = DEFINITIONS[name]
    rng = np.random.RandomState(1)
    z, b, g = [(2 * rng.randn(*shape)).astype(np.float32) for shape in ((rows, columns), (columns,), (rows, columns))]
    y, dz, db = compiled[name](z, b, g)
    exact = (z + b).astype(np.float64)
    want_dz = g * derivative(exact)
    np.testing.assert_allclose(y, f(exact), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dz, want_dz, rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(db, want_dz.sum(axis=0), rtol=1e-5, atol=1e-5 * max(rows, 1))


# Every form of a rectifier that a program may write, and the parameters that say so.
SPELLINGS = [
    (dict(slope=0), lambda z: 0.5 * (z + abs(z))),
    (dict(slope=0.25), lambda z: T.nnet.relu(z, 0.25)),
    (dict(slope=0, spelling="maximum"), lambda z: T.maximum(z, 0)),
    (dict(slope=0, spelling="maximum_second"), lambda z: T.maximum(0, z)),
    (dict(slope=0.25, spelling="maximum"), lambda z: T.maximum(z, 0.25 * z)),
    (dict(slope=0.25, spelling="maximum_second"), lambda z: T.maximum(0.25 * z, z)),
    (dict(slope=0, spelling="switch"), lambda z: T.switch(z > 0, z, 0)),
    (dict(slope=0.25, spelling="switch"), lambda z: T.switch(z > 0, z, 0.25 * z)),
    (dict(slope=0, spelling="switch_ge"), lambda z: T.switch(z >= 0, z, 0)),
    (dict(slope=0.25, spelling="switch_ge"), lambda z: T.switch(z >= 0, z, 0.25 * z)),
    (dict(slope=0, spelling="switch_le"), lambda z: T.switch(z <= 0, 0, z)),
    (dict(slope=0.25, spelling="switch_le"), lambda z: T.switch(z <= 0, 0.25 * z, z)),
    (dict(slope=0, spelling="switch_lt"), lambda z: T.switch(z < 0, 0, z)),
    (dict(slope=0.25, spelling="switch_lt"), lambda z: T.switch(z < 0, 0.25 * z, z)),
    (dict(slope=0, spelling="product"), lambda z: z * (z > 0)),
    (dict(nonlinearity="elu"), T.nnet.elu),
    (dict(nonlinearity="elu"), lambda z: T.switch(z > 0, z, T.exp(z) - 1)),
    (dict(slope=1), lambda z: z),
]


def test_where_it_bends_it_is_theanos():
    """Values and gradients of each form, at zero and for what is not finite."""
    z, b, g = T.ftensor4("z"), T.fvector("b"), T.ftensor4("g")
    outputs = []
    for options, f in SPELLINGS:
        for y in (Activation(**options)(z, b), f(z + b)):
            outputs += [y] + theano.grad(None, [z, b], known_grads={y: g})
    values = np.float32([[[[-1, -0.0, 0, 1e-30, 2, np.nan, np.inf, -np.inf, -3, -0.0]]]] * 2)
    bias = np.float32([0, 0, 0, 0, 1, 0, 0, 0, 3, -0.0])  # -3 + 3 and -0 + -0 are zeros, too
    results = theano.function([z, b, g], outputs, mode=PLAIN)(values, bias, np.ones_like(values))
    for k, (options, _) in enumerate(SPELLINGS):
        of = results[6 * k : 6 * k + 6]
        for got, want, name in zip(of[:3], of[3:], ("y", "dz", "db")):
            np.testing.assert_allclose(got, want, rtol=2e-7, err_msg="%s %s" % (name, options))


def test_batch_normalization_bends_alike():
    """With a factor of 0 its z is beta."""
    x, b, g = T.fmatrix("x"), T.fvector("b"), T.fmatrix("g")
    outputs = []
    for options, _ in SPELLINGS:
        for y in (BatchNorm(1e-4, **options)(x, np.zeros(6, np.float32), b)[0], Activation(**options)(0 * x, b)):
            outputs += [y, theano.grad(None, b, known_grads={y: g})]
    beta = np.float32([-1, -0.0, 0, 2, np.inf, -np.inf])
    x_value, g_value = np.random.RandomState(1).rand(2, 5, 6).astype(np.float32)
    results = theano.function([x, b, g], outputs)(x_value, beta, g_value)
    for k, (options, _) in enumerate(SPELLINGS):
        for got, want in zip(results[4 * k : 4 * k + 2], results[4 * k + 2 : 4 * k + 4]):
            np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=str(options))


def test_an_infinite_gradient_of_a_switch_is_selected():
    z, g = T.fmatrix("z"), T.fmatrix("g")
    y = Activation(slope=0, spelling="switch")(z, np.zeros(4, np.float32))
    plain = T.switch(z > 0, z, 0)
    f = theano.function([z, g], [theano.grad(None, z, known_grads={y: g}) for y in (y, plain)], mode=PLAIN)
    got, want = f(np.float32([[-1, 0, np.nan, 1]]), np.float32([[np.inf] * 4]))
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", ["leaky", "elu"])
def test_a_sum_of_maps_is_its_definition(name):
    """Also where the maps are read twice, and the two gradients are added."""
    options, f, derivative = DEFINITIONS[name]
    a, b, g, h = T.ftensor4s("a", "b", "g", "h")
    y = ActivationOfSum(**options)(a, b)
    compiled = theano.function([a, b, g, h], [y, *theano.grad(None, [a, b], known_grads={y: g + h})])
    assert not [node for node in compiled.maker.fgraph.toposort() if isinstance(node.op, T.Elemwise)]
    values = [v.astype(np.float32) for v in np.random.RandomState(1).normal(size=(4, 3, 5, 7, 11))]
    results = compiled(*values)
    exact = (values[0] + values[1]).astype(np.float64)
    want = (values[2] + values[3]) * derivative(exact)
    for got, wanted in zip(results, [f(exact), want, want]):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6)
    with pytest.raises(ValueError, match="^b: wanted length 3 along axis 0, got 2"):
        compiled(values[0], values[1][:2], *values[2:])


def test_any_memory_layout(compiled):
    rng = np.random.RandomState(1)
    z, b, g = [rng.randn(*shape).astype(np.float32) for shape in ((7, 20), (20,), (7, 20))]
    want = compiled["rectify"](z, b, g)
    got = compiled["rectify"](np.asfortranarray(z), np.repeat(b, 2)[::2], np.repeat(g, 2, axis=1)[:, ::2])
    for ours, contiguous in zip(got, want):
        np.testing.assert_array_equal(ours, contiguous)


def test_names_what_does_not_fit(compiled):
    z = np.zeros((3, 4), np.float32)
    with pytest.raises(ValueError, match="^b: wanted length 4 along axis 0, got 5"):
        compiled["rectify"](z, np.zeros(5, np.float32), z)
    with pytest.raises(ValueError, match="^g: wanted length 3 along axis 0, got 2"):
        compiled["rectify"](z, np.zeros(4, np.float32), z[:2])
    with pytest.raises(TypeError, match="^z: wanted dtype float32, got float64"):
        Activation(slope=0)(T.dmatrix(), T.fvector())
    with pytest.raises(TypeError, match="^z: wanted two dimensions or more, got 1"):
        Activation(slope=0)(T.fvector(), T.fvector())
    with pytest.raises(ValueError, match="^spelling: wanted one of abs, maximum, .*, got 'max'"):
        Activation(slope=0, spelling="max")


def steep(network):
    """The network with a batch normalization whose factor is 300."""
    for layer in get_all_layers(network):
        if isinstance(layer, BatchNormLayer):
            layer.gamma.set_value(300 + 0 * layer.gamma.get_value())
    return network


@pytest.mark.parametrize(
    "make",
    [
        lambda images: DenseLayer(images, 3, nonlinearity=sigmoid, W=lasagne.init.Constant(30)),
        lambda images: Conv2DLayer(images, 2, 3, nonlinearity=sigmoid, W=lasagne.init.Constant(30)),
        lambda images: steep(batch_norm(DenseLayer(images, 3, nonlinearity=sigmoid))),
        lambda images: steep(batch_norm(Conv2DLayer(images, 2, 3, nonlinearity=sigmoid))),
        lambda images: steep(NonlinearityLayer(BatchNormLayer(images), sigmoid)),
    ],
    ids=["dense", "convolution", "dense, batch norm", "convolution, batch norm", "batch norm"],
)
def test_a_loss_of_a_saturated_sigmoid_is_finite(make):
    """1 - sigmoid(200) is 0, its logarithm -200: Theano has a rule for it, if it sees the sigmoid."""
    images = T.ftensor4("images")
    network = make(InputLayer((None, 2, 8, 8), images))
    y = get_output(network)
    loss = T.nnet.binary_crossentropy(y, T.zeros_like(y)).mean()
    fast, plain = fast_and_plain([images], [loss, theano.grad(loss, get_all_params(network)[0])])
    data = np.random.RandomState(1).rand(5, 2, 8, 8).astype(np.float32)
    got, want = fast(data), plain(data)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-5)
    np.testing.assert_allclose(got[1], want[1], rtol=0, atol=1e-3 * abs(want[1]).max())
    assert any(becomes(fast)) and want[0] > 90
