"""How good networks are: against counts by hand, and the trainings' own report."""

import re

import lasagne
import numpy as np
import pytest

from conftest import run_script
from mnist_cnn import model
from mnist_cnn.analysis import evaluate


def wilson(share, n, z=1.959964):
    """The two shares p whose normal test just does not reject `share`: a quadratic's roots."""
    return np.sort(np.roots([1 + z**2 / n, -(2 * share + z**2 / n), share**2]).real)


def test_summary():
    labels = np.repeat([0, 1, 2], [200, 100, 100])
    answers = labels.copy()
    answers[:3] = 1  # three zeros taken for ones, and a two for a zero
    answers[-1] = 0
    lines = evaluate.summary("it", np.eye(4)[answers], labels).splitlines()
    low, high = wilson(0.99, 400)
    assert lines == [
        "it: 99.00 % (95 % interval: {:.2f} to {:.2f} %), 4 mistakes in 400".format(100 * low, 100 * high),
        "  digit          0      1      2      3",
        "  accuracy   98.50 100.00  99.00      -",
        "  mistakes       3      0      1      0",
    ]


def numbers(line):
    return [float(text) for text in re.findall(r"\d+\.?\d*", line.split(":", 1)[1])]


def test_models_and_their_ensemble(training, small_mnist, mnist, tmp_path):
    first, second, third = training[1], tmp_path / "b.npz", tmp_path / "c.npz"
    weights = [np.load(str(first))["arr_{}".format(i)] for i in range(8)]
    rng = np.random.RandomState(0)
    for path in (second, third):  # worse ones, each in its own way
        np.savez(str(path), *[w + np.float32(rng.normal(0, 0.6 * w.std(), w.shape)) for w in weights])
    process = run_script("evaluate.py", first, second, third, "--data-dir", small_mnist)
    assert process.returncode == 0 and process.stderr == ""
    heads = process.stdout.splitlines()[::4]

    network, images, labels = model.build_cnn(), mnist[4][:1000], mnist[5][:1000]
    output = lasagne.layers.get_output(network, images, deterministic=True)
    shares = []
    for path in (first, second, third):
        model.load_weights(path, network)
        shares.append(output.eval().astype(float))
    for head, probabilities in zip(heads, shares + [np.mean(shares, axis=0)]):
        mistakes = (probabilities.argmax(axis=1) != labels).sum()
        accuracy, _, low, high, wrong, total = numbers(head)
        assert (wrong, total) == (mistakes, 1000)
        assert accuracy == pytest.approx(100 - mistakes / 10)
        assert [low, high] == pytest.approx(100 * wilson(1 - mistakes / 1000, 1000), abs=0.006)
    assert "test accuracy:\t\t{:.2f} %".format(numbers(heads[0])[0]) in training[0].stdout
    assert heads[3].startswith("ensemble of the 3")
    assert len({numbers(head)[4] for head in heads}) > 2


def test_one_model_has_no_ensemble(training, small_mnist):
    process = run_script("evaluate.py", training[1], "--data-dir", small_mnist)
    assert len(process.stdout.splitlines()) == 4
    rows = [line.split()[1:] for line in process.stdout.splitlines()[1:]]
    assert rows[0] == [str(digit) for digit in range(10)]
    assert sum(map(int, rows[2])) == numbers(process.stdout.splitlines()[0])[4]


def test_bad_model(training, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"no model")
    process = run_script("evaluate.py", training[1], tmp_path / "bad.npz")
    assert process.returncode == 2 and process.stdout == ""
    assert "bad.npz" in process.stderr and process.stderr.count("\n") == 1
