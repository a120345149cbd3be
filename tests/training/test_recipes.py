"""The better recipe: its schedule, its average of the weights, and runs that are broken off."""

import math
import signal
import subprocess
import sys

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from hypothesis import given, strategies as st

from conftest import ROOT, run_script, same_files
from mnist_cnn import model
from mnist_cnn.storage import records
from mnist_cnn.training import distortions, trainer
from mnist_cnn.training.callbacks import Callback, SaveWeights, Snapshots
from mnist_cnn.training.config import Config, configure
from mnist_cnn.training.engine import Engine


@given(st.integers(1, 500), st.floats(1e-4, 1), st.floats(0.01, 0.9), st.floats(0, 1))
def test_cosine(num_epochs, peak, part, at):
    warm_up = part * num_epochs
    rate = Config(num_epochs=num_epochs, learning_rate=peak, schedule="cosine", warm_up=warm_up).learning_rate_at
    epoch = at * num_epochs
    # sin^2 of half the angle that is left is the same curve
    left = (num_epochs - epoch) / (num_epochs - warm_up)
    expected = peak * min(epoch / warm_up, math.sin(math.pi / 2 * min(left, 1)) ** 2)
    assert rate(epoch) == pytest.approx(expected, abs=1e-9)
    assert 0 <= rate(epoch) <= peak


def test_schedules_at_their_corners():
    cosine = Config(num_epochs=50, learning_rate=0.05, schedule="cosine", warm_up=1)
    values = [cosine.learning_rate_at(epoch) for epoch in (0, 0.5, 1, 25.5, 50, 60)]
    assert values == pytest.approx([0, 0.025, 0.05, 0.025, 0, 0])
    constant = Config(num_epochs=50, learning_rate=0.05, warm_up=2)
    assert [constant.learning_rate_at(epoch) for epoch in (0, 1, 2, 49)] == [0, 0.025, 0.05, 0.05]


@pytest.mark.parametrize("num_epochs", [1, 2, 5, 50, 500])
def test_the_recipe_scales_with_the_epochs(num_epochs):
    config = configure("best", num_epochs=num_epochs, learning_rate=0.3, seed=4)
    rates = [config.learning_rate_at(e) for e in np.linspace(0, num_epochs, 200)]
    assert rates[0] == 0 and max(rates) == pytest.approx(0.3, rel=0.01)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert 0 < config.ema <= 1 + num_epochs / 10 and config.seed == 4


def regression(input_var):
    return lasagne.layers.DenseLayer(
        lasagne.layers.InputLayer((None, 1, 3, 2), input_var), 4, nonlinearity=lasagne.nonlinearities.softmax
    )


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
    train_fn, val_fn = trainer.compile_functions(network, input_var, target_var, rate, 0.8, average, 0.7)
    alone_fn, alone_val_fn = trainer.compile_functions(alone, input_var, target_var, rate, 0.8)
    means = [w.astype(np.float64) for w in get(network)]
    start = get(network)
    for step in range(6):
        rate.set_value(np.float32(0.5 / (1 + step)))
        train_fn(x, y)
        alone_fn(x, y)
        for mean, w in zip(means, get(network)):
            mean += 0.3 * (w - mean)
        for a, b in zip(get(network), get(alone)):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        for a, b in zip(get(average), means):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert abs(get(network)[0] - start[0]).max() > 0.01
    put(alone, [mean.astype(np.float32) for mean in means])
    np.testing.assert_allclose(val_fn(x, y), alone_val_fn(x, y), rtol=1e-4)
    rate.set_value(np.float32(0))  # only the momentum is left
    before = get(alone)
    alone_fn(x, y)
    assert abs(get(alone)[0] - before[0]).max() < 0.1


@pytest.fixture(scope="module")
def few(mnist):
    """A data set of 300 + 100 + 100 digits."""
    X_train, y_train, X_val, y_val, X_test, y_test = mnist
    return X_train[:300], y_train[:300], X_val[:100], y_val[:100], X_test[:100], y_test[:100]


def test_what_the_loop_does(few):
    """The schedule's rate at every step; all digits once an epoch, the validation's too."""
    rates = []

    class Watch(Callback):
        def on_start(self, run):
            (self.rate,) = [variable for variable in run.train_fn.get_shared() if variable.name == "learning rate"]

        def on_step(self, run):
            rates.append(float(self.rate.get_value()))

    config = Config(
        num_epochs=3, batch_size=50, learning_rate=0.02, schedule="cosine", warm_up=1, all_data=True, seed=1
    )
    trainer.train(few, config, [Watch()])
    assert rates == pytest.approx([config.learning_rate_at(step / 8) for step in range(24)])


def test_distort():
    """Every batch anew, and again the same from the same generator; the rest untouched."""
    images = np.random.RandomState(0).rand(10, 1, 28, 28).astype(np.float32)
    batches = [(images, np.arange(10))] * 3

    def distorted(part):
        function = Engine("plain").distortions(part)
        return [batch for batch, _ in distortions.distort(batches, function, np.random.RandomState(5))]

    first, second, third = distorted(0.5)
    assert abs(first[:5] - second[:5]).max() > 0.1 and abs(first[:5] - third[:5]).max() > 0.1
    np.testing.assert_array_equal(first[5:], images[5:])
    for a, b in zip(distorted(0.5), (first, second, third)):
        np.testing.assert_array_equal(a, b)
    assert all(batch is images for batch in distorted(0))


def test_keep_best_keeps_an_average(few, tmp_path):
    """A rate that spoils everything at its height: kept is an average of other weights."""
    output = tmp_path / "model.npz"
    config = Config(num_epochs=4, batch_size=50, learning_rate=0.8, schedule="cosine", warm_up=3.9, ema=0.5, seed=3)
    weights = trainer.train(few, config, [SaveWeights(output, keep_best=True), Snapshots(output)])
    history = records.load_history(output)
    assert history["validation_accuracy"].argmax() < 3
    network = model.build_cnn()
    kept = model.load_weights(output, network)
    for a, b in zip(weights, kept):
        np.testing.assert_array_equal(a, b)
    answers = lasagne.layers.get_output(network, few[2], deterministic=True).eval().argmax(axis=1)
    assert (answers == few[3]).mean() == pytest.approx(history["validation_accuracy"].max())
    epochs, kernels = records.load_snapshots(output, (32, 1, 5, 5))
    assert epochs.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(kernels[1 + history["validation_accuracy"].argmax()], kept[0])


# --- runs of the script ---


@pytest.fixture(scope="module")
def options(small_mnist):
    return ["--recipe", "focused", "--epochs", 3, "--seed", 5, "--data-dir", small_mnist, "--snapshots"]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, options):
    """A run at a stretch: the path of the weights."""
    output = tmp_path_factory.mktemp("unbroken") / "model.npz"
    process = run_script("train.py", *options, "--output", output)
    assert process.returncode == 0 and process.stderr == ""
    return output


def test_it_learns(unbroken):
    assert records.load_history(unbroken)["validation_accuracy"][-1] > 0.9


def test_resumed_run_is_the_unbroken_one_to_the_last_bit(unbroken, options, tmp_path):
    """Broken off amid the second epoch: schedule, distortions, average and the choice of examples go
    on where they were."""
    output = tmp_path / "model.npz"
    process = subprocess.Popen(
        [sys.executable, "-u", "scripts/train.py", *map(str, options), "--output", str(output)],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        universal_newlines=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in process.stdout:
        if line.startswith("Epoch 1 of"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert not same_files(output, unbroken)
    process = run_script("train.py", *options, "--output", output, "--resume")
    assert process.returncode == 0 and "in epoch 2" in process.stdout
    assert same_files(output, unbroken)
    a, b = records.load_history(output), records.load_history(unbroken)
    for field in set(a.dtype.names) - {"seconds"}:
        np.testing.assert_array_equal(a[field], b[field])


@pytest.mark.parametrize(
    "changed, message",
    [
        (["--epochs", 4], "another num_epochs"),
        (["--learning-rate", 0.01], "another learning_rate"),
        (["--all-data"], "another all_data"),
        (["--recipe", "plain"], "another batch_size"),
    ],
)
def test_resumed_otherwise(unbroken, options, changed, message):
    before = unbroken.read_bytes()
    process = run_script("train.py", *options, "--output", unbroken, "--resume", *changed)
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert message in process.stderr and unbroken.read_bytes() == before
