"""The lesson and the script that trains: report, steps, options, errors."""

import inspect
import os
import re
import subprocess
import sys

import lasagne
import numpy as np
import pytest
import theano.tensor as T

from conftest import SHORT, as_options, run_script, same_files
from mnist_cnn import model, train
from mnist_cnn.storage import records
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import trainer
from mnist_cnn.training.config import Config

EPOCH = r"""Epoch {0} of 2 took \d+\.\d{{3}}s
  training loss:\t\t(\d\.\d{{6}})
  training accuracy:\t\t(\d+\.\d\d) %
  validation loss:\t\t(\d\.\d{{6}})
  validation accuracy:\t\t(\d+\.\d\d) %
"""
FINAL = r"""Final results:
  test loss:\t\t\t(\d\.\d{6})
  test accuracy:\t\t(\d+\.\d\d) %
"""


def test_the_tutorials_report(training):
    process, _ = training
    assert process.returncode == 0 and process.stderr == ""  # no warning, no bar in a pipe
    text = process.stdout.replace("  (Theano compiles C++ for this machine, once: about half a minute)\n", "")
    report = re.fullmatch(
        "Loading data...\nBuilding model and compiling functions...\nStarting training...\n"
        + EPOCH.format(1)
        + EPOCH.format(2)
        + FINAL,
        text,
    )
    assert report, text
    validation_accuracy, test_accuracy = float(report.group(8)), float(report.group(10))
    assert validation_accuracy > 90 and test_accuracy > 90


def test_history(training):
    process, output = training
    history = records.load_history(output)
    assert history["epoch"].tolist() == [1, 2]
    printed = re.findall(r"validation accuracy:\t\t(\S+)", process.stdout)
    assert ["{:.2f}".format(a * 100) for a in history["validation_accuracy"]] == printed
    assert (history["seconds"] > 0).all()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "half"])
def test_bad_history(tmp_path, text):
    (tmp_path / "model.csv").write_text(text)
    with pytest.raises(MnistCnnError, match="is not a history"):
        records.load_history(tmp_path / "model.npz")


def test_a_seed_repeats_to_the_last_bit(training, small_mnist, tmp_path):
    output = tmp_path / "model.npz"
    options = as_options(epochs=2, **SHORT, data_dir=small_mnist, output=output)
    process = run_script("train.py", *options, "--quiet")
    assert re.fullmatch(FINAL, process.stdout)
    assert process.stdout in training[0].stdout
    assert same_files(output, training[1])


def test_loss_and_accuracy(cnn, mnist):
    """The compiled validation against probabilities, in NumPy."""
    network, input_var, val_fn = cnn
    images, labels = mnist[4][:200], mnist[5][:200].astype(np.int32)
    p = lasagne.layers.get_output(network, deterministic=True).eval({input_var: images})
    loss, accuracy = val_fn(images, labels)
    assert loss == pytest.approx(-np.log(p[np.arange(200), labels]).mean(), rel=1e-4)
    assert accuracy == pytest.approx((p.argmax(axis=1) == labels).mean())


def test_every_example_counts(cnn, mnist):
    images, labels = mnist[4][:210], mnist[5][:210].astype(np.int32)
    whole = cnn[2](images, labels)
    for batch_size in (210, 50, 64, 1000):
        np.testing.assert_allclose(train.evaluate(cnn[2], images, labels, batch_size), whole, rtol=1e-5)


def test_nesterov_momentum_on_softmax_regression():
    """Three steps against the closed form: v <- m v - r g, w <- w + m v - r g."""
    rng = np.random.RandomState(0)
    x = rng.rand(20, 1, 3, 2).astype(np.float32)
    y = rng.randint(0, 4, 20).astype(np.int32)
    input_var, target_var = T.tensor4(), T.ivector()
    network = lasagne.layers.DenseLayer(
        lasagne.layers.InputLayer((None, 1, 3, 2), input_var), 4, nonlinearity=lasagne.nonlinearities.softmax
    )
    w = [p.astype(np.float64) for p in lasagne.layers.get_all_param_values(network)]
    v = [np.zeros_like(p) for p in w]
    train_fn, _ = train.compile_functions(network, input_var, target_var, 0.5, 0.8)
    for _ in range(3):
        flat = x.reshape(20, 6).astype(np.float64)
        exps = np.exp(flat @ w[0] + w[1])
        p = exps / exps.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(20), y]).mean()
        accuracy = (p.argmax(axis=1) == y).mean()
        delta = (p - np.eye(4)[y]) / 20
        for i, g in enumerate((flat.T @ delta, delta.sum(axis=0))):
            v[i] = 0.8 * v[i] - 0.5 * g
            w[i] = w[i] + 0.8 * v[i] - 0.5 * g
        assert train_fn(x, y) == pytest.approx([loss, accuracy], rel=1e-5)
        for a, b in zip(lasagne.layers.get_all_param_values(network), w):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_main_returns_the_parameters(small_mnist, capsys):
    weights = trainer.main(batch_size=5000, num_epochs=1, data_dir=small_mnist, output=None, quiet=True)
    assert [w.shape for w in weights] == [p.get_value().shape for p in lasagne.layers.get_all_params(model.build_cnn())]
    assert capsys.readouterr().out.startswith("Final results:\n")


def test_divergence_keeps_the_old_weights(small_mnist, tmp_path):
    output = tmp_path / "model.npz"
    output.write_bytes(b"good")
    options = as_options(epochs=1, batch_size=50, learning_rate=1e6, data_dir=small_mnist, output=output)
    process = run_script("train.py", *options)
    assert process.returncode == 2
    assert re.fullmatch("error: the training loss became (nan|inf).*learning rate.*\n", process.stderr)
    assert output.read_bytes() == b"good"


@pytest.mark.parametrize(
    "args, message",
    [
        (["--epochs", "0"], "num_epochs is 0; it must be a whole number"),
        (["--batch-size", "50001"], "batch_size is 50001; it must be from 1 to .* 50000"),
        (["--data-dir", "{tmp}/nowhere"], "no folder {tmp}/nowhere"),
        (["--output", "{tmp}/no/model.npz"], "no folder {tmp}/no"),
        (["--output", "{tmp}"], "is a folder"),
        (["--learning-rate", "-1"], "learning_rate is -1.0; it must be a positive number"),
        (["--momentum", "1"], r"momentum is 1.0; it must be a number in \[0, 1\)"),
        (["--seed", "-1"], "seed is -1; it must be a whole number, 0 to"),
        (["--device", "gpu"], "the device is 'gpu'; it can be cpu, cuda"),
    ],
)
def test_bad_values(args, message, tmp_path):
    process = run_script("train.py", *[arg.format(tmp=tmp_path) for arg in args], cwd=str(tmp_path))
    assert process.returncode == 2
    last = process.stderr.splitlines()[-1]
    assert "error: " in last and re.search(message.format(tmp=tmp_path), last)
    assert "Traceback" not in process.stderr
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("script", ["train.py", "visualize.py"])
def test_help(script):
    process = run_script(script, "--help")
    assert process.returncode == 0 and "default" in process.stdout


@pytest.mark.slow
def test_the_lesson_is_the_trainers_run(tmp_path):
    """The same report and the same file, to the byte, of the tutorial's loop and of scripts/train.py."""
    lesson = subprocess.run(
        [sys.executable, "-c", "from mnist_cnn.train import main\nmain(batch_size=500, num_epochs=2, seed=3)"],
        capture_output=True,
        text=True,
        cwd=str(tmp_path),
    )
    script = run_script(
        "train.py", "--batch-size", 500, "--epochs", 2, "--seed", 3, "--output", "script.npz", cwd=str(tmp_path)
    )
    assert (lesson.returncode, lesson.stderr) == (script.returncode, script.stderr) == (0, "")
    assert re.sub(r"[\d.]+s\n", "", script.stdout) == re.sub(r"[\d.]+s\n", "", lesson.stdout)
    assert same_files(tmp_path / "model.npz", tmp_path / "script.npz")


def test_the_lesson_has_the_trainers_defaults():
    """They stand in both, for a reader of the lesson."""
    options = {
        **inspect.signature(train.main).parameters,
        **inspect.signature(train.compile_functions).parameters,
        **inspect.signature(model.build_cnn).parameters,
    }
    for name in ("num_epochs", "batch_size", "learning_rate", "momentum", "dropout", "seed"):
        assert options[name].default == getattr(Config(), name), name


@pytest.mark.parametrize(
    "options",
    [
        dict(model="mlp"),
        dict(batch_size=0),
        dict(batch_size=50001),
        dict(num_epochs=0),
        dict(output="nowhere/model.npz"),
    ],
)
def test_the_lesson_refuses_before_it_begins(options, capsys):
    with pytest.raises(MnistCnnError):
        train.main(**options)
    assert capsys.readouterr().out == ""
