"""Batch normalization in one Op: against NumPy in double, and the plain graph."""

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, MaxPool2DLayer, get_all_params, get_output

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.fused.ops.batch_norm import BatchNorm

try:
    from lasagne.layers import BatchNormLayer, batch_norm
except ImportError:  # Lasagne 0.1
    from mnist_cnn.benchmarks.batch_norm import BatchNormLayer, batch_norm

from plain import PLAIN, becomes, fast_and_plain

EPSILON = 1e-3
SHAPE = (5, 13, 11, 19)  # more than one block of rows, and no whole vectors


def definition(x, gamma, beta, slope):
    """y, mean and inv_std in double, for an array whose last axis is the channels."""
    axes = tuple(range(x.ndim - 1))
    mean, inv_std = x.mean(axes), 1 / np.sqrt(x.var(axes) + EPSILON)
    z = (x - mean) * inv_std * gamma + beta
    return np.where(z > 0, z, slope * z), mean, inv_std


def gradients(x, gamma, beta, g, slope):
    """Of sum(g * y), by the chain rule through mean and variance."""
    axes, n = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    y, mean, inv_std = definition(x, gamma, beta, slope)
    h = g * np.where(y > 0, 1, slope)
    dnormal = h * gamma
    dvariance = (dnormal * (x - mean)).sum(axes) * -0.5 * inv_std**3
    dmean = -(dnormal * inv_std).sum(axes)  # the variance's share is zero
    dx = dnormal * inv_std + dvariance * 2 * (x - mean) / n + dmean / n
    return dx, (h * (x - mean) * inv_std).sum(axes), h.sum(axes)


def arrays():
    rng = np.random.RandomState(3)
    return [
        3 + 2 * rng.normal(size=SHAPE),
        rng.normal(size=SHAPE[-1:]),
        rng.normal(size=SHAPE[-1:]),
        rng.normal(size=SHAPE),
    ]


def test_rule_is_the_derivative():
    """The rule above, in double, against finite differences."""
    data, slope = arrays(), 0.1
    rng = np.random.RandomState(1)
    for k, gradient in enumerate(gradients(*(data + [slope]))):
        for _ in range(8):
            at = tuple(rng.randint(n) for n in data[k].shape)
            ends = []
            for step in (1e-5, -1e-5):
                moved = [a.copy() for a in data]
                moved[k][at] += step
                ends.append((definition(*moved[:3], slope=slope)[0] * data[3]).sum())
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(gradient[at], rel=1e-4, abs=1e-5)


def test_op_is_its_definition():
    x, gamma, beta, g = T.ftensor4(), T.fvector(), T.fvector(), T.ftensor4()
    outputs = BatchNorm(EPSILON, slope=0.1)(x, gamma, beta)
    f = theano.function([x, gamma, beta, g], outputs + T.grad(T.sum(g * outputs[0]), [x, gamma, beta]))
    data = arrays()
    got = f(*[a.astype("float32") for a in data])
    want = definition(*data[:3], slope=0.1) + gradients(*(data + [0.1]))
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * np.abs(b).max())
    for a, b in zip(got, f(*[a.astype("float32") for a in data])):
        np.testing.assert_array_equal(a, b)


def network():
    layer = batch_norm(Conv2DLayer(InputLayer((None, 3, 12, 12)), 16, 3, pad="same"))
    layer = MaxPool2DLayer(layer, 2)
    layer = batch_norm(DenseLayer(layer, 20))
    return DenseLayer(layer, 4, nonlinearity=lasagne.nonlinearities.softmax)


def train_and_predict(layers, mode):
    """Two steps of training, then a prediction; and what became of the two functions."""
    x, t = T.ftensor4(), T.ivector()
    loss = lasagne.objectives.categorical_crossentropy(get_output(layers, x), t).mean()
    updates = lasagne.updates.sgd(loss, get_all_params(layers, trainable=True), 0.1)
    train = theano.function([x, t], loss, updates=updates, mode=mode)
    rng = np.random.RandomState(5)
    images = rng.normal(size=(30, 3, 12, 12)).astype("float32")
    labels = rng.randint(4, size=30).astype("int32")
    losses = [float(train(images, labels)) for _ in range(2)]
    predict = theano.function([x], get_output(layers, x, deterministic=True), mode=mode)
    values = [p.get_value() for p in get_all_params(layers)]
    return losses, predict(images), values, [train, predict]


def test_network_trains_as_the_plain_one():
    """The same losses, averages and weights; then the averages are folded into the weights."""
    layers = network()
    start = [p.get_value() for p in get_all_params(layers)]
    want = train_and_predict(layers, PLAIN)
    lasagne.layers.set_all_param_values(layers, start)
    got = train_and_predict(layers, None)
    train, predict = got[3]
    assert becomes(train).count("BatchNorm") == 2 and becomes(predict)[0] == "Conv2D"
    np.testing.assert_allclose(got[0], want[0], rtol=1e-5)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-3, atol=1e-5)
    names = [p.name for p in get_all_params(layers)]
    for name, a, b, before in zip(names, got[2], want[2], start):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max() + 1e-6, err_msg=name)
        assert not np.array_equal(a, before), name  # averages, too, have moved
    # a prediction has no operation on maps but the convolution
    assert not [
        node
        for node in predict.maker.fgraph.toposort()
        if isinstance(node.op, T.Elemwise)
        and node.outputs[0].ndim == 4
        and node.inputs[0].owner is not None
        and node.inputs[0].ndim == 4
        and not all(node.outputs[0].broadcastable[k] for k in (2, 3))
    ]


def test_without_scale_and_shift():
    x = T.ftensor4()
    layer = BatchNormLayer(InputLayer((None, 5, 6, 7)), beta=None, gamma=None)
    data = np.random.RandomState(0).normal(size=(4, 5, 6, 7)).astype("float32")
    fast, plain = fast_and_plain([x], get_output(layer, x))
    assert becomes(fast) == ["BatchNorm"]
    np.testing.assert_allclose(fast(data), plain(data), rtol=0, atol=2e-6)
