"""The networks that the benchmark measures."""

import lasagne
import numpy as np
import pytest

from mnist_cnn.benchmarks import step
from mnist_cnn.benchmarks.networks import NETWORKS
from mnist_cnn.system.errors import MnistCnnError


@pytest.mark.parametrize(
    "name, weights",
    [
        ("tutorial", 160362),  # 32*26 + 32*801 + 513*256 + 257*10
        ("lasagne-cnn", 160362),
        ("cifar10-quick", 145578),  # Caffe's: 32*76 + 32*801 + 64*801 + 1025*64 + 65*10
        ("small-vgg", 1116970),  # 32*28 + 32*289 + 64*289 + 64*577 + 4097*256 + 257*10
    ],
)
def test_sizes(name, weights):
    network = NETWORKS[name].build()
    assert lasagne.layers.count_params(network) == weights
    assert network.output_shape == (None, 10)
    assert lasagne.layers.get_all_layers(network)[0].shape == (None,) + NETWORKS[name].shape


@pytest.mark.parametrize("name", ["cifar10-quick", "small-vgg"])
def test_the_same_in_torch(name):
    torch = pytest.importorskip("torch")
    module = NETWORKS[name].build_torch()
    weights = lasagne.layers.count_params(NETWORKS[name].build())
    assert sum(p.numel() for p in module.parameters()) == weights
    images = np.zeros((2,) + NETWORKS[name].shape, "float32")
    assert module(torch.from_numpy(images)).shape == (2, 10)


def test_a_step_learns():
    """The fast train step of the network with most kinds of layers lowers its loss."""
    images, labels = step._examples(NETWORKS["cifar10-quick"].shape)
    train = step.theano_step(network="cifar10-quick")
    losses = [float(train(images[:20], labels[:20])[0]) for _ in range(30)]
    assert losses[-1] < losses[0]


def test_unknown_network():
    with pytest.raises(MnistCnnError, match="is 'alexnet'; it must be one of tutorial, "):
        step.main(network="alexnet")
