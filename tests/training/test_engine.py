"""What computes the network: asked for by name it is that or an error."""

import numpy as np
import pytest

import lasagne
import theano

from mnist_cnn import compat, model
from mnist_cnn.fused import is_fused
from mnist_cnn.support.errors import MnistCnnError
from mnist_cnn.training.engine import Engine, choose_engine, nesterov_momentum


def test_images_by_number():
    """On a device batches are numbers; what takes the images' place gives them back."""
    parts = [np.random.RandomState(0).rand(n, 1, 28, 28).astype("float32") for n in (5, 3, 2)]
    input_var, images, numbers = Engine("cuda0").place(*parts)
    get = theano.function([input_var], images)
    for part, numbers in zip(parts, numbers):
        np.testing.assert_array_equal(get(numbers[::-1]), part[::-1])
        assert len(numbers) == len(part)
    with pytest.raises(IndexError):
        get(np.array([10]))


@pytest.mark.parametrize("name, travel", [("plain", False), ("cuda0", True)])
def test_elsewhere_images_are_the_input(name, travel):
    """On the CPU; and on a device where batches are distorted before they go there."""
    input_var, images, parts = Engine(name).place(1, 2, 3, travel=travel)
    assert input_var is images and parts == (1, 2, 3)


def test_auto_is_fused_here():
    engine = choose_engine()
    assert (engine.name, engine.remark) == ("fused", None)
    network = engine.accelerate(model.build_cnn())
    assert is_fused(network)
    assert nesterov_momentum(network) is not lasagne.updates.nesterov_momentum


def test_plain_is_lasagnes_own():
    engine = choose_engine("plain")
    network = model.build_cnn()
    assert engine.accelerate(network) is network
    assert nesterov_momentum(network) is lasagne.updates.nesterov_momentum


@pytest.mark.parametrize("required", [False, True])
def test_a_network_without_fast_layers(required):
    network = lasagne.layers.InputLayer((None, 1, 3, 3))
    engine = Engine("fused", required=required)
    if required:
        with pytest.raises(MnistCnnError, match="'fused' cannot be used: no layer"):
            engine.accelerate(network)
    else:
        engine.accelerate(network)
        assert engine.name == "plain" and "no layer of this network" in engine.remark


def test_fused_on_a_device_is_an_error(monkeypatch):
    monkeypatch.setattr(compat, "on_device", lambda: True)
    with pytest.raises(MnistCnnError, match="'fused' is for the CPU, and the device is"):
        choose_engine("fused")
