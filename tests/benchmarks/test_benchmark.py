import re
import time

import numpy as np

from conftest import run_script
from mnist_cnn.benchmarks import step as benchmark


def test_speeds_of_steps_of_known_length():
    """Steps that sleep: the faster one wins by the ratio of their lengths, in every round."""
    batches = [(np.zeros((10, 1)), np.zeros(10))]
    steps = {"short": lambda *batch: time.sleep(0.005), "long": lambda *batch: time.sleep(0.02)}
    contenders = {name: benchmark.repeat(step, batches) for name, step in steps.items()}
    speeds = benchmark.measure(contenders, 10, repeats=3, seconds=0.1)
    assert {name: len(values) for name, values in speeds.items()} == {"short": 3, "long": 3}
    assert (speeds["short"] <= 10 / 0.005).all() and (speeds["long"] <= 10 / 0.02).all()
    assert 2 < np.median(speeds["short"] / speeds["long"]) < 8


def test_script(training):
    process = run_script("benchmark.py", "--batch-sizes", 20, "--repeats", 2, "--seconds", 0.05)
    assert process.returncode == 0 and process.stderr == ""
    assert re.search(r"batch size 20\n  Theano +\d+ \(\d+ to \d+\)\n", process.stdout)


def test_answers(training):
    process = run_script("benchmark.py", "--evaluate", "--batch-sizes", 500, "--repeats", 1, "--seconds", 0.05)
    assert process.returncode == 0 and process.stderr == ""
    assert re.search(r"Loss and accuracy, .*\nbatch size 500\n  Theano +\d+ \(\d+ to \d+\)\n", process.stdout)


def test_bad_batch_size():
    process = run_script("benchmark.py", "--batch-sizes", 0)
    assert process.returncode == 2 and "error: the batch size is 0" in process.stderr
