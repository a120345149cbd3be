"""The layers of Lasagne's master, which 0.1 has not, fast against plain; `make lasagne-tests` runs this."""

import itertools

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from lasagne.layers import (
    BatchNormLayer,
    BiasLayer,
    Conv2DLayer,
    DenseLayer,
    ElemwiseSumLayer,
    ExpressionLayer,
    GlobalPoolLayer,
    InputLayer,
    InverseLayer,
    MaxPool2DLayer,
    NonlinearityLayer,
    PadLayer,
    ScaleLayer,
    batch_norm,
    get_all_params,
    get_output,
)
from lasagne.nonlinearities import elu, rectify, selu, softmax, tanh
from plain import PLAIN, becomes, fast_and_plain, reasons

from mnist_cnn import model  # noqa: F401  it sets float32

SHAPE = (3, 12, 12)


def images():
    return InputLayer((None,) + SHAPE)


def conv(layer, filters, size=3, nonlinearity=rectify, **kwargs):
    return Conv2DLayer(layer, filters, size, pad="same", nonlinearity=nonlinearity, **kwargs)


def plain_stack():
    """Each of master's additions that becomes part of a convolution or a dense layer."""
    layer = batch_norm(conv(images(), 16, b=None))
    layer = NonlinearityLayer(BiasLayer(conv(layer, 16, b=None, nonlinearity=None)), elu)
    layer = MaxPool2DLayer(batch_norm(conv(layer, 24), gamma=None), 2)
    return DenseLayer(batch_norm(DenseLayer(layer, 20)), 12, nonlinearity=tanh)


def left_alone():
    """And what stays or goes partly: groups, biases of a row, SELU, scales."""
    layer = conv(images(), 12, flip_filters=False)
    layer = Conv2DLayer(layer, 12, 3, num_groups=3)
    layer = BiasLayer(conv(layer, 8, nonlinearity=None), shared_axes=(0, 1))
    layer = conv(ScaleLayer(NonlinearityLayer(layer, selu)), 8)
    return ExpressionLayer(DenseLayer(layer, 10, num_leading_axes=2), lambda x: x**2)


def residual():
    """Two blocks as in K. He et al., arXiv:1512.03385, the second with half the pixels."""
    layer = batch_norm(conv(images(), 16))
    for filters, stride in ((16, 1), (32, 2)):
        inner = batch_norm(Conv2DLayer(layer, filters, 3, stride=stride, pad="same"))
        inner = batch_norm(conv(inner, filters, nonlinearity=None))
        if stride > 1:
            layer = ExpressionLayer(
                layer, lambda x: x[:, :, ::2, ::2], lambda shape: shape[:2] + (shape[2] // 2, shape[3] // 2)
            )
            layer = PadLayer(layer, [filters // 4, 0, 0], batch_ndim=1)
        layer = NonlinearityLayer(ElemwiseSumLayer([inner, layer]), rectify)
    return GlobalPoolLayer(layer)


def before_the_convolution():
    """Batch normalization and rectifier first, as in K. He et al., arXiv:1603.05027."""
    layer = conv(images(), 16, nonlinearity=None)
    layer = NonlinearityLayer(BatchNormLayer(layer, axes="auto", alpha=0.3), rectify)
    layer = NonlinearityLayer(BatchNormLayer(MaxPool2DLayer(layer, 2)), rectify)
    return GlobalPoolLayer(conv(layer, 8), pool_function=T.max)


def inverted():
    """A decoder by master's InverseLayer, whose gradient is a second derivative."""
    first = conv(images(), 8, nonlinearity=T.tanh)
    pooled = MaxPool2DLayer(first, 2)
    layer = InverseLayer(InverseLayer(conv(pooled, 8), pooled), first)
    return GlobalPoolLayer(conv(layer, 5))


def train_and_predict(network, mode):
    """A step of training, then a prediction: numbers and parameters; and the compiled step."""
    x, t = T.ftensor4(), T.ivector()
    loss = lasagne.objectives.categorical_crossentropy(get_output(network, x), t).mean()
    updates = lasagne.updates.nesterov_momentum(loss, get_all_params(network, trainable=True), 0.05, 0.9)
    train = theano.function([x, t], loss, updates=updates, mode=mode)
    rng = np.random.RandomState(6)  # with which no rectifier's input is zero but for rounding
    data = rng.normal(size=(30,) + SHAPE).astype("float32")
    labels = rng.randint(4, size=30).astype("int32")
    loss = float(train(data, labels))
    predict = theano.function([x], get_output(network, x, deterministic=True), mode=mode)
    return loss, predict(data), [p.get_value() for p in get_all_params(network)], train


@pytest.mark.parametrize(
    "build, taken",
    [
        (plain_stack, {"Conv2D", "SparseProduct", "BatchNorm", "Activation"}),
        (left_alone, {"Conv2D"}),
        (residual, {"Conv2D", "BatchNorm"}),
        (inverted, {"Conv2D"}),
        (before_the_convolution, {"Conv2D", "BatchNorm", "Pool2D"}),
    ],
)
def test_it_trains_as_the_plain_network(build, taken):
    lasagne.random.set_rng(np.random.RandomState(1))
    network = DenseLayer(build(), 4, nonlinearity=softmax)
    start = [p.get_value() for p in get_all_params(network)]
    want = train_and_predict(network, PLAIN)
    lasagne.layers.set_all_param_values(network, start)
    got = train_and_predict(network, None)
    assert taken <= set(becomes(got[3]))
    np.testing.assert_allclose(got[0], want[0], rtol=1e-5)
    np.testing.assert_allclose(got[1], want[1], rtol=0, atol=1e-5)
    for param, a, b in zip(get_all_params(network), got[2], want[2]):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max() + 1e-7, err_msg=param.name)


def test_the_averages_are_used_and_moved_as_master_says():
    """batch_norm_use_averages and batch_norm_update_averages, in every combination."""
    data = np.random.RandomState(0).normal(size=(20,) + SHAPE).astype("float32")
    for use, update, filters in itertools.product((False, True), (False, True), (16, 1)):
        lasagne.random.set_rng(np.random.RandomState(1))
        network = batch_norm(conv(images(), filters))
        x, start = T.ftensor4(), [p.get_value() for p in get_all_params(network)]
        output = get_output(network, x, batch_norm_use_averages=use, batch_norm_update_averages=update)
        results = []
        for f in fast_and_plain([x], output):
            lasagne.layers.set_all_param_values(network, start)
            results.append([f(data), f(data)] + [p.get_value() for p in get_all_params(network)])
        for a, b in zip(*results):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_what_stays_says_why():
    x = T.ftensor4()
    f, _ = fast_and_plain([x], get_output(left_alone(), x))
    assert "3 groups of channels" in reasons(f)
