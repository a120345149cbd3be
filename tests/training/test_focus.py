"""Hard examples more often: what a pass leaves out, and what the train step keeps of it."""

import lasagne
import numpy as np
import pytest
import theano.tensor as T

from mnist_cnn.training import trainer
from mnist_cnn.training.focus import Focus


def epoch(focus, number, seed=0, batch_size=100, losses=None):
    """The numbers of an epoch's examples; after each batch `losses` are set."""
    inputs = np.arange(len(focus.losses.get_value()))
    numbers = []
    for batch, targets in focus.minibatches(inputs, inputs * 2, batch_size, number, np.random.RandomState(seed)):
        np.testing.assert_array_equal(batch * 2, targets)
        np.testing.assert_array_equal(batch, focus.numbers.get_value())
        numbers.append(batch)
        if losses is not None:
            focus.losses.set_value(losses)
    return np.concatenate(numbers)


def test_the_first_pass_and_the_last_epoch_have_all():
    focus = Focus(1050, 0.8, 3)
    first = epoch(focus, 1)
    assert len(first) == 1000 and len(set(first)) == 1000
    focus.losses.set_value(np.where(np.arange(1050) < 1000, 0.01, 1).astype(np.float32))
    last = epoch(focus, 3)
    assert len(last) == 1000 and len(set(last)) == 1000


def test_easy_examples_come_less_often():
    """A tenth is hard; each of these comes in every pass, an easy one in a fifth of them."""
    losses = np.where(np.arange(1000) % 10, 0.01, 1).astype(np.float32)
    focus = Focus(1000, 0.8, 9)
    focus.losses.set_value(losses)
    counts = np.zeros(1000)
    for seed in range(40):
        np.add.at(counts, epoch(focus, 2, seed), 1)
    hard, easy = counts[::10], np.delete(counts, np.arange(0, 1000, 10))
    passes = 40 * 1000 / (100 + 900 * 0.2)
    assert hard.mean() == pytest.approx(passes, rel=0.1)
    assert easy.mean() / hard.mean() == pytest.approx(0.2, rel=0.1)
    assert easy.min() > 0


def test_passes_go_by_the_losses_so_far():
    """Losses that come while an epoch is under way count in its next pass."""
    focus = Focus(1000, 0.999, 9)
    losses = np.where(np.arange(1000) < 100, 1, 0.01).astype(np.float32)
    focus.losses.set_value(np.where(np.arange(1000) < 500, 1, 0.01).astype(np.float32))
    numbers = epoch(focus, 2, losses=losses)
    assert 480 <= len(set(numbers[:500])) and (numbers[:480] < 500).mean() > 0.98
    assert (numbers[600:] < 100).mean() > 0.98


def test_a_seed_decides():
    focus = Focus(1000, 0.5, 9)
    focus.losses.set_value(np.random.RandomState(0).rand(1000).astype(np.float32))
    np.testing.assert_array_equal(epoch(focus, 2, 1), epoch(focus, 2, 1))
    assert (epoch(focus, 2, 1) != epoch(focus, 2, 2)).any()


def test_a_step_keeps_its_losses():
    """Of the examples of the batch, and before the step; the step is what it is without."""
    rng = np.random.RandomState(0)
    x = rng.rand(20, 1, 3, 2).astype(np.float32)
    y = rng.randint(0, 4, 20).astype(np.int32)
    input_var, target_var = T.tensor4(), T.ivector()
    networks = [
        lasagne.layers.DenseLayer(
            lasagne.layers.InputLayer((None, 1, 3, 2), input_var), 4, nonlinearity=lasagne.nonlinearities.softmax
        )
        for _ in range(2)
    ]
    values = lasagne.layers.get_all_param_values(networks[0])
    lasagne.layers.set_all_param_values(networks[1], values)
    focus = Focus(20, 0.5, 9)
    step, _ = trainer.compile_functions(networks[0], input_var, target_var, 0.5, 0.8, focus=focus)
    alone, _ = trainer.compile_functions(networks[1], input_var, target_var, 0.5, 0.8)
    numbers = np.array([3, 17, 5])
    focus.numbers.set_value(numbers)
    exps = np.exp(x[numbers].reshape(3, 6) @ values[0] + values[1])
    expected = np.full(20, -1.0)
    expected[numbers] = -np.log((exps / exps.sum(axis=1, keepdims=True))[np.arange(3), y[numbers]])
    assert step(x[numbers], y[numbers]) == [pytest.approx(value, rel=1e-6) for value in alone(x[numbers], y[numbers])]
    np.testing.assert_allclose(focus.losses.get_value(), expected, rtol=1e-5)
    for a, b in zip(*map(lasagne.layers.get_all_param_values, networks)):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
