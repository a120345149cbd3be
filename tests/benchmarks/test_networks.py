"""The networks that the benchmark measures, here and in the frameworks that are installed."""

import lasagne
import numpy as np
import pytest

from mnist_cnn.benchmarks import step
from mnist_cnn.benchmarks.networks import NETWORKS, build_network
from mnist_cnn.benchmarks.peers import FRAMEWORKS, Peer
from mnist_cnn.system.errors import MnistCnnError


@pytest.mark.parametrize(
    "name, weights",
    [
        ("tutorial", 160362),  # 32*26 + 32*801 + 513*256 + 257*10
        ("lasagne-cnn", 160362),
        ("lenet-5", 431080),  # 20*26 + 50*501 + 801*500 + 501*10
        ("keras-mnist", 1199882),  # Keras' own summary
        ("cifar10-quick", 145578),  # Caffe's: 32*76 + 32*801 + 64*801 + 1025*64 + 65*10
        ("small-vgg", 1116970),  # 32*28 + 32*289 + 64*289 + 64*577 + 4097*256 + 257*10
        # 432 + 6*2304 + 4608 + 5*9216 + 18432 + 5*36864 + 512 + 2048 + 2*784 + 650; .27 million in the paper
        ("resnet-20", 272474),
    ],
)
def test_sizes(name, weights):
    network = build_network(name)
    assert lasagne.layers.count_params(network, trainable=True) == weights
    assert network.output_shape == (None, 10)
    assert lasagne.layers.get_all_layers(network)[0].shape == (None,) + NETWORKS[name].shape


@pytest.mark.parametrize("program", FRAMEWORKS)
@pytest.mark.parametrize("name", ["tutorial", "lenet-5", "keras-mnist", "cifar10-quick", "resnet-20"])
def test_the_same_in_a_framework(program, name, python_with, tmp_path):
    """As many weights in all frameworks; a step lowers the loss of its batch."""
    python = python_with(program)
    images, labels = step._examples(NETWORKS[name].shape)
    np.savez(tmp_path / "data.npz", images=images[:20], labels=labels[:20])
    with Peer(python, program, NETWORKS[name], tmp_path / "data.npz") as peer:
        weights = lasagne.layers.count_params(build_network(name), trainable=True)
        assert set(peer.sizes.values()) == {weights}
        for contender in peer.sizes:
            if "compile" not in contender:  # half a minute each
                first, last = (peer.time(contender, "step", 20, count)[1] for count in (1, 40))
                assert last < first < 10
                loss, right = peer.time(contender, "answer", 20, 1)[1]
                assert 0 < loss < 200 and 0 <= right <= 20


def test_a_step_learns():
    """The fast train step of the network with most kinds of layers lowers its loss."""
    images, labels = step._examples(NETWORKS["cifar10-quick"].shape)
    train = step.theano_step(network="cifar10-quick")
    losses = [float(train(images[:20], labels[:20])[0]) for _ in range(30)]
    assert losses[-1] < losses[0]


def test_unknown_network():
    with pytest.raises(MnistCnnError, match="is 'alexnet'; it must be one of tutorial, "):
        step.main(network="alexnet")
