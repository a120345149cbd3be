"""Networks whose train step is measured, each in Lasagne and in PyTorch.

Their names: 'tutorial', this package's network; 'lasagne-cnn', that of Lasagne's
examples/mnist.py; 'cifar10-quick', Caffe's; 'small-vgg', with pairs of 3x3 convolutions.
"""

import functools
from collections import namedtuple
from collections.abc import Callable

import theano.tensor as T
from lasagne.layers import (
    Conv2DLayer,
    DenseLayer,
    DropoutLayer,
    InputLayer,
    MaxPool2DLayer,
    NonlinearityLayer,
    Pool2DLayer,
)
from lasagne.nonlinearities import linear, rectify, softmax

from ..model import build_cnn
from ..train import compile_functions
from ..training.engine import choose_engine

__all__ = ["NETWORKS", "Network", "compile_network"]

#: ``shape`` of an image, (channels, rows, columns); ``build(input_var)`` returns Lasagne's output
#: layer, ``build_torch()`` a module that computes logits.
Network = namedtuple("Network", "shape build build_torch")


def _lasagne_cnn(input_var=None):
    layer = InputLayer((None, 1, 28, 28), input_var)
    for _ in range(2):
        layer = MaxPool2DLayer(Conv2DLayer(layer, 32, 5), 2)
    layer = DenseLayer(DropoutLayer(layer), 256, nonlinearity=rectify)
    return DenseLayer(DropoutLayer(layer), 10, nonlinearity=softmax)


def _torch_tutorial():
    from .torch_baseline import build_network

    return build_network()


def _cifar10_quick(input_var=None):
    pool = functools.partial(Pool2DLayer, pool_size=3, stride=2, ignore_border=False)
    conv = functools.partial(Conv2DLayer, filter_size=5, pad=2)
    layer = InputLayer((None, 3, 32, 32), input_var)
    layer = NonlinearityLayer(pool(conv(layer, 32, nonlinearity=linear)), rectify)
    layer = pool(conv(layer, 32), mode="average_exc_pad")
    layer = pool(conv(layer, 64), mode="average_exc_pad")
    return DenseLayer(DenseLayer(layer, 64, nonlinearity=linear), 10, nonlinearity=softmax)


def _torch_cifar10_quick():
    from torch import nn

    size = dict(kernel_size=3, stride=2, ceil_mode=True)
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2),
        nn.MaxPool2d(**size),
        nn.ReLU(),
        nn.Conv2d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(**size),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(**size),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.Linear(64, 10),
    )


def _small_vgg(input_var=None):
    layer = InputLayer((None, 3, 32, 32), input_var)
    for filters in (32, 64):
        for _ in range(2):
            layer = Conv2DLayer(layer, filters, 3, pad="same")
        layer = MaxPool2DLayer(layer, 2)
    return DenseLayer(DenseLayer(layer, 256, nonlinearity=rectify), 10, nonlinearity=softmax)


def _torch_small_vgg():
    from torch import nn

    layers, channels = [], 3
    for filters in (32, 64):
        for _ in range(2):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers + [nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10)])


NETWORKS = {
    "tutorial": Network((1, 28, 28), build_cnn, _torch_tutorial),
    "lasagne-cnn": Network((1, 28, 28), _lasagne_cnn, _torch_tutorial),
    "cifar10-quick": Network((3, 32, 32), _cifar10_quick, _torch_cifar10_quick),
    "small-vgg": Network((3, 32, 32), _small_vgg, _torch_small_vgg),
}


def compile_network(network: str = "tutorial", engine: str = "auto") -> tuple[Callable, Callable]:
    """Compile a network's training step and measurement.

    Parameters
    ----------
    network : str
        A name in `NETWORKS`.
    engine : str
        As in `mnist_cnn.training.config.Config`.

    Returns
    -------
    train_fn, val_fn : Theano functions
        As `mnist_cnn.train.compile_functions` returns them.
    """
    input_var, target_var = T.tensor4("inputs"), T.ivector("targets")
    layer = NETWORKS[network].build(input_var)
    return compile_functions(layer, input_var, target_var, mode=choose_engine(engine).mode)
