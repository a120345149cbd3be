"""Gradients that old programs put in the place of Theano's."""

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from scipy.signal import convolve, correlate

X = np.array([-1.2, 0.3, 2.7])


def gradient_of(op):
    x = T.dvector()
    return T.grad(op(x).sum(), x).eval({x: X})


def rectifier(**attributes):
    u = T.dvector()
    op = theano.OpFromGraph([u], [T.nnet.relu(u)])
    vars(op).update(attributes)
    return op


class Seven(theano.OpFromGraph):
    def grad(self, inputs, gradients):
        return [7 * gradients[0]]


class TwiceTheInherited(theano.OpFromGraph):
    """Its gradient asks for the one that it replaces."""

    def grad(self, inputs, gradients):
        return [2 * g for g in self.L_op(inputs, [self(*inputs)], gradients)]


class Newer(Seven):
    """As Theano 0.9 wants it."""

    def L_op(self, inputs, outputs, gradients):
        return [9 * gradients[0]]


def of_class(cls):
    u = T.dvector()
    return cls([u], [T.nnet.relu(u)])


class StraightThrough(theano.scalar.basic.Abs):
    """As binary nets have it: the gradient goes through as if nothing were there."""

    def grad(self, inputs, gradients):
        return gradients


def through_elemwise(x):
    return T.Elemwise(StraightThrough(theano.scalar.same_out, name="through"))(x)


@pytest.mark.parametrize(
    "op, expected",
    [
        (rectifier(), [0, 1, 1]),
        (rectifier(grad=lambda inputs, gradients: [7 * gradients[0]]), [7, 7, 7]),
        (of_class(Seven), [7, 7, 7]),
        (of_class(TwiceTheInherited), [0, 2, 2]),
        (of_class(Newer), [9, 9, 9]),
        (through_elemwise, [1, 1, 1]),
        (T.abs_, [-1, 1, 1]),
    ],
)
def test_the_nearest_gradient_wins(op, expected):
    assert gradient_of(op).tolist() == expected


def test_a_class_that_is_changed_afterwards(monkeypatch):
    monkeypatch.setattr(Newer, "grad", lambda self, inputs, g: [5 * g[0]], raising=False)
    assert gradient_of(of_class(Newer)).tolist() == [9, 9, 9]  # the same class has an L_op
    monkeypatch.setattr(Seven, "grad", lambda self, inputs, g: [5 * g[0]])
    assert gradient_of(of_class(Seven)).tolist() == [5, 5, 5]


def test_guided_backpropagation_against_numpy(fixed_rng):
    """Springenberg et al., as programs for Lasagne write it, beside the sums by hand."""

    class Guided:
        def __init__(self):
            u = T.dtensor4()
            self.op = theano.OpFromGraph([u], [lasagne.nonlinearities.rectify(u)])
            self.op.grad = self.grad

        def __call__(self, x):
            return self.op(x)

        def grad(self, inputs, gradients):
            (x,), (g,) = inputs, gradients
            return (g * (x > 0).astype("float64") * (g > 0).astype("float64"),)

    images = T.dtensor4()
    network = lasagne.layers.InputLayer((None, 1, 8, 8), images)
    weights = np.random.RandomState(1)
    conv = lasagne.layers.Conv2DLayer(
        network, 4, 3, W=weights.randn(4, 1, 3, 3), b=weights.randn(4), nonlinearity=Guided()
    )
    network = lasagne.layers.DenseLayer(conv, 3, W=weights.randn(144, 3), nonlinearity=None)
    scores = lasagne.layers.get_output(network)
    x = weights.randn(1, 1, 8, 8)
    found = theano.grad(scores[0, 1], images).eval({images: x})

    W, b, dense, _ = lasagne.layers.get_all_param_values(network)
    maps = np.array([convolve(x[0, 0], w[0], "valid") + c for w, c in zip(W, b)])
    gradient = dense[:, 1].reshape(maps.shape)
    gradient = gradient * (maps > 0) * (gradient > 0)
    expected = sum(correlate(g, w[0], "full") for g, w in zip(gradient, W))
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-12)
    assert abs(expected).max() > 0.1
