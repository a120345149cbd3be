"""From a plain Lasagne network to one of fused layers that shares its parameters."""
import copy
import platform

import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import (Conv2DLayer, DenseLayer, DropoutLayer, Layer, MaxPool2DLayer,
                            Pool2DLayer)
from lasagne.nonlinearities import rectify
from lasagne.random import get_rng

from ..compat import on_device
from .ops import BernoulliMask, ConvReluPool, SparseProduct

__all__ = ["ConvReluPool2DLayer", "SparseDenseLayer", "PhiloxStreams", "available", "why_not", "fuse",
           "is_fused"]

# The kernels keep an image and the list of its gradients in the cache.
_LARGEST_IMAGE = 64


class PhiloxStreams(object):
    """Random masks for `DropoutLayer`, in place of Theano's ``MRG_RandomStreams``.

    Parameters
    ----------
    seed : int
        Key of the generator, 0 to 2**63 - 1.

    Attributes
    ----------
    state_updates : list of (shared variable, expression)
        One pair for each mask drawn so far, as Theano's generators have them: saving and
        setting the shared variables saves and sets the generator.
    """

    def __init__(self, seed):
        if not 0 <= seed < 2 ** 63:
            raise ValueError("seed: wanted 0 to 2**63 - 1, got %r" % (seed,))
        self.seed = int(seed)
        self.state_updates = []

    def binomial(self, size, n=1, p=0.5, ndim=None, dtype="float32"):
        """A mask of zeros and ones.

        Parameters
        ----------
        size : tuple of int, or an expression for a shape
            Shape of the mask.
        n : int
            Must be 1.
        p : float
            Probability of a one.
        ndim : int, optional
            Number of dimensions, where `size` does not tell.
        dtype : str
            Type of the mask.

        Returns
        -------
        Theano tensor
            The mask. A function that uses it advances the generator on each call.
        """
        if n != 1:
            raise NotImplementedError("n: only single trials, n=1, got %r" % (n,))
        if ndim is None:
            ndim = len(size) if isinstance(size, (tuple, list)) else T.get_vector_length(size)
        # Each mask has blocks of its own: 2**32 of them, counted from a multiple of 2**40.
        first = len(self.state_updates) * 2 ** 40
        state = theano.shared(np.array([self.seed, first], dtype="uint64"), name="philox")
        following, mask = BernoulliMask(p, ndim)(state, size)
        state.default_update = following
        self.state_updates.append((state, following))
        return T.cast(mask, dtype)


class ConvReluPool2DLayer(Layer):
    """A convolution with rectifier and the 2x2 max-pooling after it, as one layer.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one, (batch, channels, rows, columns).
    convolution : Conv2DLayer
        The plain layer whose parameters this one shares.
    channels_last : bool
        See `mnist_cnn.fused.ops.ConvReluPool`.
    """

    def __init__(self, incoming, convolution, channels_last=False, **kwargs):
        super(ConvReluPool2DLayer, self).__init__(incoming, **kwargs)
        self.W, self.b = convolution.W, convolution.b
        self.params = convolution.params        # the same parameters with the same tags
        self.num_filters = convolution.num_filters
        self.filter_size = convolution.filter_size
        self.op = ConvReluPool(self.input_shape[1], self.num_filters, self.filter_size[0],
                               channels_last)

    def get_output_shape_for(self, input_shape):
        size = self.filter_size[0]
        return (input_shape[0], self.num_filters) + tuple(
            None if length is None else (length - size + 1) // 2 for length in input_shape[2:])

    def get_output_for(self, input, **kwargs):
        return self.op(input, self.W, self.b)[0]


class SparseDenseLayer(Layer):
    """A dense layer whose product skips zeros: the input's, and in its gradients the output's.

    Half of the values are zero after dropout, and more after a rectifier.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one, (batch, ...).
    dense : DenseLayer
        The plain layer whose parameters this one shares.
    """

    def __init__(self, incoming, dense, **kwargs):
        super(SparseDenseLayer, self).__init__(incoming, **kwargs)
        self.W, self.b = dense.W, dense.b
        self.params = dense.params      # the same parameters with the same tags
        self.num_units, self.nonlinearity = dense.num_units, dense.nonlinearity

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.num_units)

    def get_output_for(self, input, **kwargs):
        if input.ndim > 2:
            input = input.flatten(2)
        activation = SparseProduct()(input, self.W)
        if self.b is not None:
            activation = activation + self.b.dimshuffle("x", 0)
        return self.nonlinearity(activation)


def why_not():
    """Say why the fused layers cannot run here.

    Returns
    -------
    str or None
        A few words; None where they can.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "the processor is {}, not x86-64".format(platform.machine())
    if theano.config.floatX != "float32":
        return "floatX is {}".format(theano.config.floatX)
    if not theano.config.cxx:
        return "there is no C++ compiler"
    if on_device():
        return "the device is {}".format(theano.config.device)
    return None


def available():
    """Whether the fused layers can run here: float32, an x86-64 CPU and a C++ compiler.

    Returns
    -------
    bool
        False where `fuse` returns the network as it is.
    """
    return why_not() is None


def _is_stage(pool, consumers):
    """Whether a pooling layer and the one before it make one fused stage."""
    conv = getattr(pool, "input_layer", None)
    return (type(pool) in (MaxPool2DLayer, Pool2DLayer) and pool.mode == "max" and
            tuple(pool.pool_size) == tuple(pool.stride) == (2, 2) and
            tuple(pool.pad) == (0, 0) and pool.ignore_border and
            type(conv) is Conv2DLayer and consumers.get(conv) == 1 and
            conv.nonlinearity is rectify and conv.convolution is T.nnet.conv2d and
            conv.b is not None and not conv.untie_biases and
            tuple(conv.stride) == (1, 1) and conv.pad == (0, 0) and
            conv.filter_size[0] == conv.filter_size[1] and
            conv.W.dtype == conv.b.dtype == "float32" and
            all(n is not None and conv.filter_size[0] < n <= _LARGEST_IMAGE
                for n in conv.input_shape[2:]) and
            len(conv.input_shape) == 4 and conv.input_shape[1] is not None)


def fuse(network):
    """The equal network in which each convolution, rectifier and pooling is one layer.

    Parameters
    ----------
    network : Layer, or list of Layer
        The output layer(s) of a plain Lasagne network.

    Returns
    -------
    Layer, or list of Layer
        New layers **with the same shared parameters**: training either network trains both.
        Every 5x5 (or other square) convolution of stride 1 without padding whose rectified
        output goes into a 2x2 max-pooling alone becomes one `ConvReluPool2DLayer`;
        every `DenseLayer` a `SparseDenseLayer`;
        `DropoutLayer` keeps its probability and draws from `PhiloxStreams`; every other
        layer is a copy. `network` itself stays as it was, and is returned as it is where
        `available` says no.
    """
    if not available():
        return network
    outputs = list(network) if isinstance(network, (list, tuple)) else [network]
    layers = lasagne.layers.get_all_layers(outputs)
    consumers = {}
    for layer in layers:
        for source in _sources(layer):
            consumers[source] = consumers.get(source, 0) + 1
    for layer in outputs:
        consumers[layer] = consumers.get(layer, 0) + 1
    stages = [layer for layer in layers if _is_stage(layer, consumers)]
    inner = [pool.input_layer for pool in stages]
    read_by_stage = [conv.input_layer for conv in inner]

    fused = {}
    for layer in layers:
        if layer in inner:
            continue
        if layer in stages:
            conv = layer.input_layer
            fused[layer] = ConvReluPool2DLayer(fused[conv.input_layer], conv,
                                               channels_last=layer in read_by_stage, name=layer.name)
            continue
        if type(layer) is DenseLayer and layer.W.dtype == "float32":
            fused[layer] = SparseDenseLayer(fused[layer.input_layer], layer, name=layer.name)
            continue
        new = fused[layer] = copy.copy(layer)
        if getattr(layer, "input_layer", None) is not None:
            new.input_layer = fused[layer.input_layer]
        if hasattr(layer, "input_layers"):
            new.input_layers = [fused.get(source) for source in layer.input_layers]
        if type(layer) is DropoutLayer:
            new._srng = PhiloxStreams(get_rng().randint(1, 2147462579))
    result = [fused[layer] for layer in outputs]
    return result if isinstance(network, (list, tuple)) else result[0]


def is_fused(network):
    """Whether a network has fused layers.

    Parameters
    ----------
    network : Layer, or list of Layer
        The output layer(s).

    Returns
    -------
    bool
    """
    return any(isinstance(layer, (ConvReluPool2DLayer, SparseDenseLayer))
               for layer in lasagne.layers.get_all_layers(network))


def _sources(layer):
    if hasattr(layer, "input_layers"):
        return [source for source in layer.input_layers if source is not None]
    return [layer.input_layer] if getattr(layer, "input_layer", None) is not None else []
