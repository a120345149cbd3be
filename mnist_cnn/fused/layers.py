"""Layers in the place of Lasagne's that share their parameters, and where they can run."""
import platform

import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import Layer
from lasagne.nonlinearities import LeakyRectify, linear, rectify

from ..compat import on_device
from .conv2d import Conv2D, Pool2D, first, last
from .ops import BernoulliMask, ConvReluPool, SparseProduct

__all__ = ["ConvReluPool2DLayer", "FastConv2DLayer", "FastPool2DLayer", "FastGlobalPoolLayer",
           "SparseDenseLayer", "PhiloxStreams", "available", "why_not"]


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

    Examples
    --------
    >>> from mnist_cnn.fused import PhiloxStreams
    >>> import theano
    >>> streams = PhiloxStreams(seed=1)
    >>> draw = theano.function([], streams.binomial((2, 8), p=.5))
    >>> first, second = draw(), draw()
    >>> first.shape, (first == second).all()
    ((2, 8), False)
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

    Examples
    --------
    >>> from mnist_cnn.fused import ConvReluPool2DLayer
    >>> from lasagne.layers import Conv2DLayer, InputLayer
    >>> images = InputLayer((None, 1, 28, 28))
    >>> convolution = Conv2DLayer(images, num_filters=32, filter_size=5)
    >>> layer = ConvReluPool2DLayer(images, convolution)
    >>> layer.output_shape, layer.W is convolution.W
    ((None, 32, 12, 12), True)
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


class FastConv2DLayer(Layer):
    """A convolution of stride 1 with its bias and its nonlinearity.

    Linear, rectifier and leaky rectifiers are computed with the convolution; any other
    nonlinearity is Theano's, on the result.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one, (batch, channels, rows, columns).
    convolution : Conv2DLayer
        The plain layer whose parameters this one shares.

    Examples
    --------
    >>> from mnist_cnn.fused import FastConv2DLayer
    >>> from lasagne.layers import Conv2DLayer, InputLayer
    >>> images = InputLayer((None, 3, 32, 32))
    >>> convolution = Conv2DLayer(images, num_filters=16, filter_size=3, pad="same")
    >>> layer = FastConv2DLayer(images, convolution)
    >>> layer.output_shape, layer.W is convolution.W
    ((None, 16, 32, 32), True)
    """

    def __init__(self, incoming, convolution, **kwargs):
        super(FastConv2DLayer, self).__init__(incoming, **kwargs)
        self.W, self.b = convolution.W, convolution.b
        self.params = convolution.params        # the same parameters with the same tags
        self.num_filters, self.filter_size = convolution.num_filters, convolution.filter_size
        self.nonlinearity = convolution.nonlinearity
        self.plain = convolution
        slope = _slope(self.nonlinearity)
        self.op = Conv2D(_pad(convolution), 1 if slope is None else slope)
        self.after = self.nonlinearity if slope is None else None

    def get_output_shape_for(self, input_shape):
        return self.plain.get_output_shape_for(input_shape)

    def get_output_for(self, input, **kwargs):
        if input.dtype != "float32":
            return self.plain.get_output_for(input, **kwargs)
        b = np.zeros(self.num_filters, "float32") if self.b is None else self.b
        output = first(self.op(last(input), self.W, b))
        return output if self.after is None else self.after(output)


def _slope(nonlinearity):
    """The slope of a nonlinearity left of zero where right of it it is 1; None if there is none."""
    if nonlinearity is rectify:
        return 0
    if nonlinearity in (linear, None):
        return 1
    if type(nonlinearity) is LeakyRectify and 0 <= nonlinearity.leakiness <= 1:
        return nonlinearity.leakiness
    return None


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


class FastPool2DLayer(Layer):
    """Max- or average-pooling.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one, (batch, channels, rows, columns).
    pool : Pool2DLayer
        The plain layer whose place this one takes.

    Examples
    --------
    >>> from mnist_cnn.fused import FastPool2DLayer
    >>> from lasagne.layers import InputLayer, MaxPool2DLayer
    >>> images = InputLayer((None, 3, 32, 32))
    >>> FastPool2DLayer(images, MaxPool2DLayer(images, 3, stride=2)).output_shape
    (None, 3, 15, 15)
    """

    def __init__(self, incoming, pool, **kwargs):
        super(FastPool2DLayer, self).__init__(incoming, **kwargs)
        self.plain = pool
        self.op = Pool2D(pool.pool_size, pool.stride, pool.ignore_border, pool.mode != "max")

    def get_output_shape_for(self, input_shape):
        return self.plain.get_output_shape_for(input_shape)

    def get_output_for(self, input, **kwargs):
        if input.dtype != "float32":
            return self.plain.get_output_for(input, **kwargs)
        return first(self.op(last(input)))


class FastGlobalPoolLayer(Layer):
    """The mean of each channel.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one, (batch, channels, rows, columns) of known size.
    pool : GlobalPoolLayer
        The plain layer whose place this one takes.

    Examples
    --------
    >>> from mnist_cnn.fused import FastGlobalPoolLayer
    >>> from lasagne.layers import GlobalPoolLayer, InputLayer
    >>> images = InputLayer((None, 3, 32, 32))
    >>> FastGlobalPoolLayer(images, GlobalPoolLayer(images)).output_shape
    (None, 3)
    """

    def __init__(self, incoming, pool, **kwargs):
        super(FastGlobalPoolLayer, self).__init__(incoming, **kwargs)
        self.plain = pool
        self.op = Pool2D(self.input_shape[2:], self.input_shape[2:], average=True)

    def get_output_shape_for(self, input_shape):
        return tuple(input_shape[:2])

    def get_output_for(self, input, **kwargs):
        if input.dtype != "float32":
            return self.plain.get_output_for(input, **kwargs)
        return self.op(last(input)).flatten(2)


class SparseDenseLayer(Layer):
    """A dense layer whose product skips zeros: the input's, and in its gradients the output's.

    Half of the values are zero after dropout, and more after a rectifier.

    Parameters
    ----------
    incoming : Layer
        The layer feeding into this one, (batch, ...).
    dense : DenseLayer
        The plain layer whose parameters this one shares.

    Examples
    --------
    >>> from mnist_cnn.fused import SparseDenseLayer
    >>> from lasagne.layers import DenseLayer, InputLayer
    >>> features = InputLayer((None, 512))
    >>> dense = DenseLayer(features, 256)
    >>> layer = SparseDenseLayer(features, dense)
    >>> layer.output_shape, layer.W is dense.W
    ((None, 256), True)
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

    Examples
    --------
    >>> from mnist_cnn import model  # sets float32
    >>> from mnist_cnn.fused import why_not
    >>> print(why_not())
    None
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

    Examples
    --------
    >>> from mnist_cnn.fused import available, why_not
    >>> available() == (why_not() is None)
    True
    """
    return why_not() is None
