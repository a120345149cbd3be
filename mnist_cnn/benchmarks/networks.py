"""Networks whose train step is measured, each one list of layers for Lasagne and for all peers.

================= ========================================================== =====================
name              network                                                    images
================= ========================================================== =====================
``tutorial``      this package's network                                     1 x 28 x 28
``lasagne-cnn``   that of Lasagne's examples/mnist.py                        1 x 28 x 28
``lenet-5``       that of the Deep Learning Tutorials, with tanh             1 x 28 x 28
``keras-mnist``   Keras' mnist_cnn.py: two 3x3 convolutions, one pooling     1 x 28 x 28
``cifar10-quick`` Caffe's, with overlapping windows of 3x3                   3 x 32 x 32
``small-vgg``     pairs of 3x3 convolutions                                  3 x 32 x 32
``resnet-20``     K. He et al., Deep Residual Learning for Image Recognition 3 x 32 x 32
                  (CVPR 2016), section 4.2; convolutions as projections
================= ========================================================== =====================
"""

from collections import namedtuple
from collections.abc import Callable

import theano
import theano.tensor as T
from lasagne.layers import (
    Conv2DLayer,
    DenseLayer,
    DropoutLayer,
    ElemwiseSumLayer,
    FlattenLayer,
    GlobalPoolLayer,
    InputLayer,
    Layer,
    NonlinearityLayer,
    Pool2DLayer,
)
from lasagne.nonlinearities import linear, rectify, softmax, tanh

from ..model import build_cnn
from ..train import compile_functions
from ..training.engine import choose_engine
from .batch_norm import BatchNormLayer

__all__ = ["NETWORKS", "Network", "build_network", "compile_network"]

#: ``shape`` of an image, (channels, rows, columns); ``layers`` up to the logits, each a kind and its
#: settings, which `build_network` and the programs of `mnist_cnn.benchmarks.peers` read.
Network = namedtuple("Network", "shape layers")


def _conv(filters, size, stride=1, pad=0, bias=True):
    return ("conv", dict(filters=filters, size=size, stride=stride, pad=pad, bias=bias))


def _pool(size, stride=None, mode="max", ceil=False):
    return ("pool", dict(size=size, stride=stride or size, mode=mode, ceil=ceil))


def _dropout(rate):
    return ("dropout", dict(rate=rate))


def _dense(units):
    return ("dense", dict(units=units))


_RELU, _TANH, _FLATTEN, _NORM, _MEAN = (
    (kind, {}) for kind in ("relu", "tanh", "flatten", "batch_norm", "global_average")
)


def _residual_block(channels, filters, stride):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the shape changes."""
    main = [_conv(filters, 3, stride, 1, bias=False), _NORM, _RELU, _conv(filters, 3, 1, 1, bias=False), _NORM]
    shortcut = [] if (channels, stride) == (filters, 1) else [_conv(filters, 1, stride, bias=False), _NORM]
    return [("sum", dict(branches=[main, shortcut])), _RELU]


def _resnet(blocks):
    layers, channels = [_conv(16, 3, 1, 1, bias=False), _NORM, _RELU], 16
    for filters in (16, 32, 64):
        for block in range(blocks):
            layers += _residual_block(channels, filters, 2 if filters > 16 and block == 0 else 1)
            channels = filters
    return [*layers, _MEAN, _dense(10)]


_HEAD = [_dropout(0.5), _FLATTEN, _dense(256), _RELU, _dropout(0.5), _dense(10)]
_TUTORIAL = [_conv(32, 5), _RELU, _pool(2), _conv(32, 5), _RELU, _pool(2), *_HEAD]
_SMALL_VGG = [
    layer
    for filters in (32, 64)
    for layer in [_conv(filters, 3, pad=1), _RELU, _conv(filters, 3, pad=1), _RELU, _pool(2)]
]

NETWORKS = {
    "tutorial": Network((1, 28, 28), _TUTORIAL),
    "lasagne-cnn": Network((1, 28, 28), _TUTORIAL),
    "lenet-5": Network(
        (1, 28, 28),
        [_conv(20, 5), _pool(2), _TANH, _conv(50, 5), _pool(2), _TANH, _FLATTEN, _dense(500), _TANH, _dense(10)],
    ),
    "keras-mnist": Network(
        (1, 28, 28),
        [_conv(32, 3), _RELU, _conv(64, 3), _RELU, _pool(2), _dropout(0.25)]
        + [_FLATTEN, _dense(128), _RELU, _dropout(0.5), _dense(10)],
    ),
    "cifar10-quick": Network(
        (3, 32, 32),
        [_conv(32, 5, pad=2), _pool(3, 2, ceil=True), _RELU]
        + [_conv(32, 5, pad=2), _RELU, _pool(3, 2, "average", ceil=True)]
        + [_conv(64, 5, pad=2), _RELU, _pool(3, 2, "average", ceil=True)]
        + [_FLATTEN, _dense(64), _dense(10)],
    ),
    "small-vgg": Network((3, 32, 32), _SMALL_VGG + [_FLATTEN, _dense(256), _RELU, _dense(10)]),
    "resnet-20": Network((3, 32, 32), _resnet(3)),
}

#: From a kind of layer to a function of the layer below and the settings.
_BUILDERS = {
    "conv": lambda below, filters, size, stride, pad, bias: Conv2DLayer(
        below, filters, size, stride, pad, nonlinearity=linear, **({} if bias else dict(b=None))
    ),
    "pool": lambda below, size, stride, mode, ceil: Pool2DLayer(
        below, size, stride, ignore_border=not ceil, mode={"average": "average_exc_pad"}.get(mode, mode)
    ),
    "relu": lambda below: NonlinearityLayer(below, rectify),
    "tanh": lambda below: NonlinearityLayer(below, tanh),
    "batch_norm": BatchNormLayer,
    "dropout": lambda below, rate: DropoutLayer(below, rate),
    "flatten": FlattenLayer,
    "global_average": GlobalPoolLayer,
    "dense": lambda below, units: DenseLayer(below, units, nonlinearity=linear),
    "sum": lambda below, branches: ElemwiseSumLayer([_build(below, branch) for branch in branches]),
}


def _build(below, layers):
    for kind, settings in layers:
        below = _BUILDERS[kind](below, **settings)
    return below


def build_network(network: str, input_var: theano.Variable | None = None) -> Layer:
    """Build a network in Lasagne.

    Parameters
    ----------
    network : str
        A name in `NETWORKS`; 'tutorial' is `mnist_cnn.model.build_cnn`.
    input_var : Theano 4D tensor, optional
        Its images, (batch, channels, rows, columns).

    Returns
    -------
    lasagne Layer
        The softmax over ten classes.
    """
    if network == "tutorial":
        return build_cnn(input_var)
    shape, layers = NETWORKS[network]
    return NonlinearityLayer(_build(InputLayer((None, *shape), input_var), layers), softmax)


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
    layer = build_network(network, input_var)
    return compile_functions(layer, input_var, target_var, mode=choose_engine(engine).mode)
