"""Training goes on with the data that it began with, and with no others."""

import numpy as np
import pytest
from stand_in import a_run, state

from mnist_cnn.datasets.card import DataCard
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training.checkpoint import load_checkpoint, save_checkpoint


def run_of(*card):
    run = a_run()
    run.card = DataCard(*card)
    return run


def test_a_checkpoint_of_another_data_set_is_refused_by_name(tmp_path):
    path = tmp_path / "model.checkpoint"
    save_checkpoint(path, run_of("fashion-mnist"))
    load_checkpoint(path, run_of("fashion-mnist"))
    run = run_of("mnist")
    before = state(run)
    with pytest.raises(MnistCnnError, match=r"another data set .fashion-mnist, now mnist.; use"):
        load_checkpoint(path, run)
    with pytest.raises(MnistCnnError, match=r"fashion-mnist, now one without a name"):
        load_checkpoint(path, run_of())
    assert state(run) == before


def test_by_name_even_where_the_network_is_another(tmp_path):
    path = tmp_path / "model.checkpoint"
    save_checkpoint(path, run_of("cifar10", (3, 32, 32)))
    run = run_of("mnist")
    run.train_fn.variables[0].set_value(np.zeros((5, 5), "float32"))
    with pytest.raises(MnistCnnError, match=r"another data set .cifar10, now mnist."):
        load_checkpoint(path, run)
    save_checkpoint(path, run_of(None, (3, 32, 32)))
    with pytest.raises(MnistCnnError, match=r"shape of an image .\[3, 32, 32\], now \[1, 28, 28\]."):
        load_checkpoint(path, run_of())
