"""Programs that are timed in processes of their own."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_cnn.benchmarks.peers import Peer, find_peers
from mnist_cnn.system.errors import MnistCnnError

#: A framework whose step sleeps as many milliseconds as the batch has images, and prints.
SLEEPING = """
import time
VERSION, CONTENDERS = "Sleep 1", {"short": dict(factor=1), "long": dict(factor=4)}
class Contender:
    def __init__(self, layers, shape, factor):
        self.factor, self.parameters = factor, len(layers) * shape[0]
    def prepare(self, images, labels):
        return images, labels
    def step(self, images, labels):
        print("no reply")
        time.sleep(self.factor * len(images) / 1000)
        return float(images.sum())
    def answer(self, images, labels):
        raise SystemError("out of answers")
"""


@pytest.fixture
def sleeper(tmp_path, monkeypatch):
    (tmp_path / "with_sleep.py").write_text(SLEEPING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    np.savez(tmp_path / "data.npz", images=np.arange(30.0), labels=np.arange(30))
    network = SimpleNamespace(layers=[("relu", {})] * 3, shape=(2, 1, 1))
    with Peer(sys.executable, "with_sleep", network, tmp_path / "data.npz") as peer:
        yield peer


def test_a_sleeping_framework(sleeper):
    """Batches take turns: the second of 10 images is 10 to 19."""
    assert (sleeper.version, sleeper.sizes) == ("Sleep 1", {"short": 6, "long": 6})
    short, result = sleeper.time("short", "step", 10, 2)
    assert 0.02 <= short < 1 and result == sum(range(10, 20))
    assert sleeper.time("long", "step", 10, 2)[0] >= 0.08


def test_a_framework_that_fails(sleeper):
    with pytest.raises(MnistCnnError, match="^with_sleep failed: SystemError: out of answers$"):
        sleeper.time("short", "answer", 10, 1)
    assert sleeper.process.poll() is not None


def test_pythons_without_a_framework(tmp_path):
    printer = tmp_path / "python"
    printer.write_text("#!/bin/sh\necho \"['jax', 'optax', 'keras']\"\n")
    printer.chmod(0o755)
    assert find_peers([str(printer)]) == [(str(printer), "with_jax")]
    with pytest.raises(MnistCnnError, match="cannot run /no/python"):
        find_peers(["/no/python"])
