"""Layers in the place of Lasagne's that share their parameters: each for a run of plain layers.

A block does what the plain layers of its run do, one after the other: a convolution or a dense
layer, a bias, batch normalization, a nonlinearity, a pooling. `plan` finds the runs.
"""
from collections import OrderedDict
from inspect import signature

import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import Layer
from lasagne import nonlinearities

from .activation import Activation
from .conv2d import Conv2D, Pool2D, Pooling, first, last
from .normalization import BatchNorm
from .ops import SparseProduct

__all__ = ["FastConv2DLayer", "FastPool2DLayer", "SparseDenseLayer"]


def as_op(nonlinearity):
    """A nonlinearity as the Ops' parameters have it.

    Parameters
    ----------
    nonlinearity : callable or None

    Returns
    -------
    dict or None
        The parameters ``slope`` and ``nonlinearity`` of `Conv2D`; None for any other.

    Examples
    --------
    >>> from mnist_cnn.fused.blocks import as_op
    >>> from lasagne import nonlinearities
    >>> as_op(nonlinearities.rectify), as_op(nonlinearities.tanh), as_op(nonlinearities.softmax)
    ({'slope': 0}, {'nonlinearity': 'tanh'}, None)
    """
    if nonlinearity is nonlinearities.rectify:
        return dict(slope=0)
    if nonlinearity in (nonlinearities.linear, None):
        return dict(slope=1)
    if (type(nonlinearity) is nonlinearities.LeakyRectify and
            0 <= nonlinearity.leakiness <= 1):
        return dict(slope=nonlinearity.leakiness)
    for name, theanos in (("tanh", T.tanh), ("sigmoid", T.nnet.sigmoid), ("elu", T.nnet.elu)):
        # elu is in Lasagne's master alone
        if nonlinearity in (theanos, getattr(nonlinearities, name, theanos)):
            return dict(nonlinearity=name)
    return None


def pooling_of(pool):
    """The pooling of a `Pool2DLayer`, or of a `GlobalPoolLayer` for images of known size.

    Examples
    --------
    >>> from mnist_cnn.fused.blocks import pooling_of
    >>> from lasagne.layers import InputLayer, MaxPool2DLayer
    >>> pooling_of(MaxPool2DLayer(InputLayer((None, 3, 32, 32)), 3, stride=2))
    Pooling(size=(3, 3), stride=(2, 2), ignore_border=True, mode='max', pad=(0, 0))
    """
    if hasattr(pool, "pool_function"):
        size = tuple(pool.input_shape[2:])
        mode = "average_exc_pad" if pool.pool_function is T.mean else "max"
        return Pooling(size, size, mode=mode)
    return Pooling(pool.pool_size, pool.stride, pool.ignore_border, pool.mode, pool.pad)


def _keywords_of(layer):
    """The keywords that a layer's `get_output_for` takes."""
    names = [name for name, parameter in signature(layer.get_output_for).parameters.items()
             if parameter.default is not parameter.empty]
    return names + list(getattr(layer, "get_output_kwargs", ()))


class _Block(Layer):
    """What blocks have in common.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one.
    run : list of Layer
        The plain layers that this one does the work of, in their order. It shares their
        parameters.
    """

    nonlinearity = None

    def __init__(self, incoming, run, **kwargs):
        super(_Block, self).__init__(incoming, **kwargs)
        self.run = list(run)
        self.params = OrderedDict((param, tags) for layer in run
                                  for param, tags in layer.params.items())
        # Lasagne warns of a keyword that no layer knows
        self.get_output_kwargs = sorted({name for layer in run for name in _keywords_of(layer)})

    def get_output_shape_for(self, input_shape):
        for layer in self.run:
            input_shape = layer.get_output_shape_for(input_shape)
        return tuple(input_shape)

    def plain(self, input, **kwargs):
        """What the plain layers give."""
        for layer in self.run:
            input = layer.get_output_for(input, **kwargs)
        return input

    def theanos(self, x):
        """The nonlinearity, if it is one that the Ops leave to Theano.

        It comes last where it can: there the rules for a loss that reads it look for it.
        """
        return x if as_op(self.nonlinearity) else self.nonlinearity(x)

    def get_output_for(self, input, **kwargs):
        return self.fast(input, **kwargs) if input.dtype == "float32" else self.plain(input,
                                                                                     **kwargs)


class _WeightsBlock(_Block):
    """A block that begins with weights.

    Parameters
    ----------
    incoming, run
        As for `_Block`.
    biases : list of shared variable or expression
        Vectors that are added before batch normalization, if any, and the nonlinearity.
    batch_norm : BatchNormLayer, optional
        Of Lasagne's master.
    nonlinearity : callable or None
    """

    def __init__(self, incoming, run, biases=(), batch_norm=None, nonlinearity=None, **kwargs):
        super(_WeightsBlock, self).__init__(incoming, run, **kwargs)
        self.W, self.biases, self.batch_norm = run[0].W, list(biases), batch_norm
        self.nonlinearity = nonlinearity

    def bias(self, length):
        """The sum of the biases."""
        if not self.biases:
            return T.constant(np.zeros(length, "float32"))
        return sum(self.biases[1:], self.biases[0])

    def folded(self, length):
        """Weights and bias that do what the averages of batch normalization do after them."""
        norm = self.batch_norm
        scale = norm.inv_std if norm.gamma is None else norm.gamma * norm.inv_std
        bias = (self.bias(length) - norm.mean) * scale
        return scale, bias if norm.beta is None else bias + norm.beta


def batch_norm_ways(deterministic=False, batch_norm_use_averages=None,
                    batch_norm_update_averages=None, **kwargs):
    """Whether batch normalization takes the averages, and whether it moves them: master's rule."""
    return (deterministic if batch_norm_use_averages is None else batch_norm_use_averages,
            not deterministic if batch_norm_update_averages is None else batch_norm_update_averages)


def normalized(norm, x, known, update):
    """Batch normalization of (.., channels) with the batch's statistics, and the nonlinearity.

    Parameters
    ----------
    norm : BatchNormLayer
    x : Theano tensor
    known : dict or None
        The nonlinearity, as `as_op` has it; nothing for others.
    update : bool
        Whether a function that computes this moves the layer's averages, as master has it.

    Returns
    -------
    Theano tensor
    """
    channels = norm.mean.shape[0]
    gamma = T.ones((channels,), "float32") if norm.gamma is None else norm.gamma
    beta = T.zeros((channels,), "float32") if norm.beta is None else norm.beta
    averages = [theano.clone(value, share_inputs=False) for value in (norm.mean, norm.inv_std)]
    if update:  # Theano collects the updates of what it finds in the graph, and drops the products
        beta = beta + 0 * averages[0] + 0 * averages[1]
    outputs = BatchNorm(norm.epsilon, **(known or {}))(x, gamma, beta)
    if update:
        for average, value in zip(averages, outputs[1:]):
            average.default_update = T.patternbroadcast(
                (1 - norm.alpha) * average + norm.alpha * value, average.broadcastable)
    return outputs[0]


class FastConv2DLayer(_WeightsBlock):
    """A convolution of stride 1 and what follows: bias, batch normalization, nonlinearity, pooling.

    Parameters
    ----------
    incoming, run, biases, batch_norm, nonlinearity
        As for `_WeightsBlock`. Nonlinearities that the Op does not know are Theano's.
    pool : Pool2DLayer or GlobalPoolLayer, optional
    ties : bool
        Whether a later layer may compare values, as max-pooling does.

    Examples
    --------
    >>> from mnist_cnn.fused import FastConv2DLayer
    >>> from lasagne.layers import Conv2DLayer, InputLayer
    >>> images = InputLayer((None, 3, 32, 32))
    >>> convolution = Conv2DLayer(images, num_filters=16, filter_size=3, pad="same")
    >>> layer = FastConv2DLayer(images, [convolution], biases=[convolution.b])
    >>> layer.output_shape, layer.W is convolution.W
    ((None, 16, 32, 32), True)
    """

    def __init__(self, incoming, run, biases=(), batch_norm=None, nonlinearity=None, pool=None,
                 ties=False, **kwargs):
        super(FastConv2DLayer, self).__init__(incoming, run, biases, batch_norm, nonlinearity,
                                              **kwargs)
        self.pool, self.ties, self.pad = pool, ties, _pad(run[0])
        self.num_filters, self.filter_size = run[0].num_filters, run[0].filter_size

    def fast(self, input, **kwargs):
        averages, update = batch_norm_ways(**kwargs)
        if self.batch_norm is not None and averages and update:
            return self.plain(input, **kwargs)
        x, W, b = last(input), self.W, self.bias(self.num_filters)
        pool = None if self.pool is None else pooling_of(self.pool)
        known = as_op(self.nonlinearity)
        if self.batch_norm is not None and averages:
            scale, b = self.folded(self.num_filters)
            W = W * scale.dimshuffle(0, "x", "x", "x")
        if known and (self.batch_norm is None or averages):
            return self.to_output(
                Conv2D(self.pad, pool=pool, ties=self.ties, **known).result(x, W, b))
        ties = self.ties or bool(pool and pool.mode == "max")
        x = Conv2D(self.pad, ties=ties).result(x, W, b)
        if self.batch_norm is not None and not averages:
            x = normalized(self.batch_norm, x, known, update)
        if pool is not None:
            return self.to_output(Pool2D(*pool)(self.theanos(x)))
        return self.theanos(self.to_output(x))

    def to_output(self, x):
        return x.flatten(2) if hasattr(self.pool, "pool_function") else first(x)


def _pad(convolution):
    """The zeros around an image: (top, bottom, left, right)."""
    pads = []
    for axis, size in enumerate(convolution.filter_size):
        if convolution.pad == "same":
            pads += [size // 2, (size - 1) // 2]
        elif convolution.pad == "full":
            pads += [size - 1, size - 1]
        else:
            pads += [convolution.pad[axis]] * 2
    return tuple(pads)


class FastPool2DLayer(_Block):
    """A `Pool2DLayer`, or a `GlobalPoolLayer` for images of known size.

    Parameters
    ----------
    incoming, run
        As for `_Block`.

    Examples
    --------
    >>> from mnist_cnn.fused import FastPool2DLayer
    >>> from lasagne.layers import InputLayer, MaxPool2DLayer
    >>> images = InputLayer((None, 3, 32, 32))
    >>> FastPool2DLayer(images, [MaxPool2DLayer(images, 3, stride=2)]).output_shape
    (None, 3, 15, 15)
    """

    def fast(self, input, **kwargs):
        pooled = Pool2D(*pooling_of(self.run[0]))(last(input))
        return pooled.flatten(2) if hasattr(self.run[0], "pool_function") else first(pooled)


class FastBatchNormLayer(_Block):
    """Batch normalization of master's, and the nonlinearity after it.

    Parameters
    ----------
    incoming, run
        As for `_Block`; the first layer of the run is the BatchNormLayer.
    nonlinearity : callable or None

    Examples
    --------
    With Lasagne's master; release 0.1 has no batch normalization:

    >>> from mnist_cnn.fused import FastBatchNormLayer
    >>> from lasagne.layers import BatchNormLayer, InputLayer  # doctest: +SKIP
    >>> images = InputLayer((None, 3, 32, 32))  # doctest: +SKIP
    >>> layer = FastBatchNormLayer(images, [BatchNormLayer(images)])  # doctest: +SKIP
    """

    def __init__(self, incoming, run, nonlinearity=None, **kwargs):
        super(FastBatchNormLayer, self).__init__(incoming, run, **kwargs)
        self.nonlinearity = nonlinearity

    def fast(self, input, **kwargs):
        averages, update = batch_norm_ways(**kwargs)
        if averages:
            return self.plain(input, **kwargs)
        norm, known = self.run[0], as_op(self.nonlinearity)
        if input.ndim == 2:
            return self.theanos(normalized(norm, input, known, update))
        return self.theanos(first(normalized(norm, last(input), known, update)))


class SparseDenseLayer(_WeightsBlock):
    """A dense layer whose product skips zeros: the input's, and in its gradients the output's.

    Half of the values are zero after dropout, and more after a rectifier.

    Parameters
    ----------
    incoming, run, biases, batch_norm, nonlinearity
        As for `_WeightsBlock`.

    Examples
    --------
    >>> from mnist_cnn.fused import SparseDenseLayer
    >>> from lasagne.layers import DenseLayer, InputLayer
    >>> features = InputLayer((None, 512))
    >>> dense = DenseLayer(features, 256)
    >>> layer = SparseDenseLayer(features, [dense], biases=[dense.b])
    >>> layer.output_shape, layer.W is dense.W
    ((None, 256), True)
    """

    def __init__(self, incoming, run, *args, **kwargs):
        super(SparseDenseLayer, self).__init__(incoming, run, *args, **kwargs)
        self.num_units = run[0].num_units

    def get_output_for(self, input, **kwargs):
        averages, update = batch_norm_ways(**kwargs)
        if self.batch_norm is not None and averages and update:
            return self.plain(input, **kwargs)
        if input.ndim > 2:
            input = input.flatten(2)
        W, b = self.W, self.bias(self.num_units) if self.biases else None
        if self.batch_norm is not None and averages:
            scale, b = self.folded(self.num_units)
            W = W * scale
        product, known = SparseProduct()(input, W), as_op(self.nonlinearity)
        if (self.batch_norm is None or averages) and known not in (None, dict(slope=1)):
            return Activation(**known)(product, self.bias(self.num_units) if b is None else b)
        if b is not None:
            product = product + b.dimshuffle("x", 0)
        if self.batch_norm is not None and not averages:
            product = normalized(self.batch_norm, product, known, update)
        return self.theanos(product)
