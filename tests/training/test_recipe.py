"""The better recipe: its schedule, its average of the weights, and runs that are broken off."""

import math
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, run_script
from hypothesis import given, strategies as st

import lasagne
import theano
import theano.tensor as T

from mnist_cnn import model, train
from mnist_cnn.training import recipe
from mnist_cnn.support.errors import MnistCnnError


@given(st.integers(1, 500), st.floats(1e-4, 1), st.floats(.01, .9), st.floats(0, 1))
def test_cosine(num_epochs, peak, share, at):
    warm_up = share * num_epochs
    schedule = recipe.cosine(num_epochs, peak, warm_up)
    epoch = at * num_epochs
    # sin^2 of half the angle that is left is the same curve
    left = (num_epochs - epoch) / (num_epochs - warm_up)
    expected = peak * min(epoch / warm_up, math.sin(math.pi / 2 * min(left, 1)) ** 2)
    assert schedule(epoch) == pytest.approx(expected, abs=1e-9)
    assert 0 <= schedule(epoch) <= peak


def test_cosine_at_its_corners():
    schedule = recipe.cosine(50, .05, 1)
    values = [schedule(epoch) for epoch in (0, .5, 1, 25.5, 50, 60)]
    assert values == pytest.approx([0, .025, .05, .025, 0, 0])


@pytest.mark.parametrize("num_epochs", [1, 2, 5, 50, 500])
def test_the_recipe_scales_with_the_epochs(num_epochs):
    options = recipe.best(num_epochs, learning_rate=.3, seed=4)
    rates = [options["learning_rate"](e) for e in np.linspace(0, num_epochs, 200)]
    assert rates[0] == 0 and max(rates) == pytest.approx(.3, rel=.01)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert 0 < options["average"] <= 1 + num_epochs / 10 and options["seed"] == 4


def regression(input_var):
    return lasagne.layers.DenseLayer(
        lasagne.layers.InputLayer((None, 1, 3, 2), input_var), 4,
        nonlinearity=lasagne.nonlinearities.softmax)


def test_average_and_rate_against_a_loop():
    """The trained weights are those without an average; the average is NumPy's; it is measured."""
    rng = np.random.RandomState(0)
    x = rng.rand(20, 1, 3, 2).astype(np.float32)
    y = rng.randint(0, 4, 20).astype(np.int32)
    input_var, target_var = T.tensor4(), T.ivector()
    network, average, alone = (regression(input_var) for _ in range(3))
    get, put = lasagne.layers.get_all_param_values, lasagne.layers.set_all_param_values
    put(average, get(network))
    put(alone, get(network))
    rate = theano.shared(np.float32(0))
    train_fn, val_fn = train.compile_functions(network, input_var, target_var, rate, .8,
                                               average, .7)
    alone_fn, alone_val_fn = train.compile_functions(alone, input_var, target_var, rate, .8)
    means = [w.astype(np.float64) for w in get(network)]
    start = get(network)
    for step in range(6):
        rate.set_value(np.float32(.5 / (1 + step)))
        train_fn(x, y)
        alone_fn(x, y)
        for mean, w in zip(means, get(network)):
            mean += .3 * (w - mean)
        for a, b in zip(get(network), get(alone)):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        for a, b in zip(get(average), means):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert abs(get(network)[0] - start[0]).max() > .01
    put(alone, [mean.astype(np.float32) for mean in means])
    np.testing.assert_allclose(val_fn(x, y), alone_val_fn(x, y), rtol=1e-4)
    rate.set_value(np.float32(0))  # only the momentum is left
    before = get(alone)
    alone_fn(x, y)
    assert abs(get(alone)[0] - before[0]).max() < .1


@pytest.fixture(scope="module")
def few(mnist):
    """A data set of 300 + 100 + 100 digits."""
    X_train, y_train, X_val, y_val, X_test, y_test = mnist
    return X_train[:300], y_train[:300], X_val[:100], y_val[:100], X_test[:100], y_test[:100]


def test_what_the_loop_asks_for(few, capsys):
    """The schedule at every batch's epoch; fresh distortions of every digit, validation's too."""
    asked, seen, drawn = [], [], []

    def schedule(epoch):
        asked.append(epoch)
        return .01

    def augment(images, generator):
        seen.append(images)
        drawn.append(generator.integers(2 ** 60))
        return images

    train.train(few, 50, 3, learning_rate=schedule, augment=augment, all_data=True, seed=1)
    assert asked[-24:] == pytest.approx(np.arange(24) / 8)
    assert len(set(drawn)) == 24
    for epoch in (seen[:8], seen[8:16], seen[16:]):
        images = np.concatenate(epoch).reshape(400, -1)
        wanted = np.concatenate([few[0], few[2]]).reshape(400, -1)
        np.testing.assert_array_equal(images[np.lexsort(images.T)], wanted[np.lexsort(wanted.T)])
    out = capsys.readouterr().out
    assert "Training on all 400 digits" in out and out.count(" (trained on)\n") == 6


def test_all_data_and_keep_best_do_not_go_together(few, tmp_path):
    with pytest.raises(MnistCnnError, match="nothing to choose"):
        train.train(few, 50, 1, all_data=True, keep_best=True, output=tmp_path / "model.npz")


def test_keep_best_keeps_an_average(few, tmp_path, capsys):
    """A rate that is small, then spoils everything: kept is an average of early weights."""
    output = tmp_path / "model.npz"
    weights = train.train(
        few, 50, 4, learning_rate=lambda epoch: .05 if epoch < 3 else 3., average=.5, seed=3,
        output=output, keep_best=True, snapshots=True)
    history = train.load_history(output)
    assert history["validation_accuracy"].argmax() < 3
    network = model.build_cnn()
    kept = model.load_weights(output, network)
    for a, b in zip(weights, kept):
        np.testing.assert_array_equal(a, b)
    answers = lasagne.layers.get_output(network, few[2], deterministic=True).eval().argmax(axis=1)
    assert (answers == few[3]).mean() == pytest.approx(history["validation_accuracy"].max())
    from mnist_cnn.support.records import load_snapshots
    epochs, kernels = load_snapshots(output, (32, 1, 5, 5))
    assert epochs.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(kernels[1 + history["validation_accuracy"].argmax()], kept[0])


@pytest.mark.parametrize("name", ["Best", ""])
def test_unknown_recipe(name):
    with pytest.raises(MnistCnnError, match="must be 'plain' or 'best'"):
        train.main(recipe=name)


# --- runs of the script ---

@pytest.fixture(scope="module")
def options(small_mnist):
    return ["--recipe", "best", "--epochs", 2, "--seed", 5, "--data-dir", small_mnist,
            "--snapshots"]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, options):
    """A run at a stretch: the path of the weights."""
    output = tmp_path_factory.mktemp("unbroken") / "model.npz"
    process = run_script("train.py", *options, "--output", output)
    assert process.returncode == 0 and process.stderr == ""
    return output


def test_it_learns(unbroken):
    assert train.load_history(unbroken)["validation_accuracy"][-1] > .9


def test_resumed_run_is_the_unbroken_one_to_the_last_bit(unbroken, options, tmp_path):
    """Broken off amid the second epoch: schedule, distortions and average go on where they were."""
    output = tmp_path / "model.npz"
    process = subprocess.Popen(
        [sys.executable, "-u", "scripts/train.py", *map(str, options), "--output", str(output)],
        cwd=str(ROOT), stdout=subprocess.PIPE, universal_newlines=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    for line in process.stdout:
        if line.startswith("Epoch 1 of"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert output.read_bytes() != unbroken.read_bytes()
    process = run_script("train.py", *options, "--output", output, "--resume")
    assert process.returncode == 0 and "in epoch 2" in process.stdout
    assert output.read_bytes() == unbroken.read_bytes()
    a, b = train.load_history(output), train.load_history(unbroken)
    for field in set(a.dtype.names) - {"seconds"}:
        np.testing.assert_array_equal(a[field], b[field])


@pytest.mark.parametrize("changed, message", [
    (["--epochs", 3], "another number of epochs"),
    (["--learning-rate", .01], "another learning rate"),
    (["--all-data"], "another number of training examples"),
    (["--recipe", "plain"], "of another --recipe")])
def test_resumed_otherwise(unbroken, options, changed, message):
    before = unbroken.read_bytes()
    process = run_script("train.py", *options, "--output", unbroken, "--resume", *changed)
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert message in process.stderr and unbroken.read_bytes() == before
