"""A network that is asked for answers alone: no codes for a gradient that nobody takes."""

import numpy as np
import pytest
import theano
import theano.tensor as T

from mnist_cnn.fused.ops.stage import ConvReluPool


def stages(function):
    return [node for node in function.maker.fgraph.toposort() if isinstance(node.op, ConvReluPool)]


@pytest.mark.parametrize(
    "shape, filters, size", [((3, 1, 28, 28), 32, 5), ((5, 32, 12, 12), 32, 5), ((2, 3, 11, 14), 20, 3)]
)
def test_answers_are_those_of_training(shape, filters, size):
    rng = np.random.RandomState(0)
    x, W, b = T.tensor4(), T.tensor4(), T.vector()
    y = ConvReluPool(shape[1], filters, size)(x, W, b)[0]
    answers = theano.function([x, W, b], y)
    training = theano.function([x, W, b], [y, T.grad(y.sum(), b)])
    assert [node.op.codes for node in stages(answers)] == [False]
    assert [node.op.codes for node in stages(training)] == [True]
    images = rng.normal(size=shape) * (rng.rand(*shape) < 0.4)
    values = [
        v.astype(np.float32)
        for v in (images, rng.normal(0, 0.1, (filters, shape[1], size, size)), rng.normal(0, 0.1, filters))
    ]
    got, want = answers(*values), training(*values)[0]
    np.testing.assert_allclose(got, want, atol=1e-5 * abs(want).max())
    values[0][0, 0, 2, 2] = np.nan
    np.testing.assert_array_equal(np.isnan(answers(*values)), np.isnan(training(*values)[0]))


def test_codes_that_are_asked_for_are_there():
    x, W, b = np.ones((1, 1, 4, 4), "f"), np.ones((2, 1, 3, 3), "f"), np.zeros(2, "f")
    y, codes = ConvReluPool(1, 2, 3)(*map(T.constant, (x, W, b)))
    function = theano.function([], [y, codes])
    np.testing.assert_array_equal(function()[1], np.full((1, 1, 1, 2), 0x55))


def test_no_gradient_without_codes():
    x, W, b = T.tensor4(), T.tensor4(), T.vector()
    with pytest.raises(NotImplementedError, match="without codes"):
        T.grad(ConvReluPool(1, 32, 5, codes=False)(x, W, b)[0].sum(), W)
