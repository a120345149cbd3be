"""The tutorial's stage as a layer, masks for dropout, and where fast layers can run."""
import platform

import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import Layer

from ..compat import on_device
from .ops import BernoulliMask, ConvReluPool

__all__ = ["ConvReluPool2DLayer", "PhiloxStreams", "available", "why_not"]


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
