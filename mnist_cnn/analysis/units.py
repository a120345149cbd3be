"""Images that a single unit answers to most, climbed to by its gradient."""

import lasagne
import numpy as np
import theano
import theano.tensor as T
from scipy import ndimage

from .layers import with_input_shape, without_nonlinearity
from .patches import receptive_field

__all__ = ["compile_units", "maximize_activation"]


def compile_units(layer):
    """Compile the value of single units of a layer and its gradient.

    Parameters
    ----------
    layer : lasagne Layer
        A dense layer, or a convolution with no padding on the way to it, where all units of a map
        do the same.

    Returns
    -------
    unit_fn : callable
        Takes images (n,) + shape and the numbers of n filters or units (int32); returns their
        values (n,), before the nonlinearity, and the gradients with respect to the images. Units
        of a softmax count from their mean, for only differences between them matter.
    shape : tuple of int
        (channels, rows, columns) of what one unit sees: its receptive field, or the whole image.
    """
    shape = lasagne.layers.get_all_layers(layer)[0].shape[1:]
    if len(layer.output_shape) == 4:  # of a map, one unit is enough, and much less to compute
        rows, columns = receptive_field(layer, *(side // 2 for side in layer.output_shape[2:]))
        shape = shape[0], rows.stop - rows.start, columns.stop - columns.start
        layer = with_input_shape(layer, (None,) + shape)
        if layer.output_shape[2:] != (1, 1):
            raise ValueError("a layer with padding before it")
    images, units = lasagne.layers.get_all_layers(layer)[0].input_var, T.ivector("units")
    output = lasagne.layers.get_output(without_nonlinearity(layer), deterministic=True).flatten(2)
    if layer.nonlinearity is lasagne.nonlinearities.softmax:  # it ignores what all units share
        output -= output.mean(axis=1, keepdims=True)
    values = output[T.arange(units.shape[0]), units]
    return theano.function([images, units], [values, T.grad(values.sum(), images)]), shape


def maximize_activation(
    unit_fn, units, shape, steps=100, step_size=0.1, decay=0.05, blur=0.4, seed=0, neutral=0, noise=(0, 0.1)
):
    """Find by gradient ascent images that excite units as much as they can.

    Each step goes along the gradient, divided by its root mean square, and keeps the brightness
    in an image's range. Without a prior the result is a speckle that no pen draws; two simple ones
    keep it plain: weight decay (as in [2]_) pulls pixels that do not matter to black, and a
    little blur forbids single pixels. Of colour images it is their mean that pixels are pulled to,
    as in the paper, whose network sees images less that mean.

    Parameters
    ----------
    unit_fn : callable
        As `compile_units` returns it.
    units : int array
        (n,), the filters; all are climbed at once.
    shape : tuple of int
        (channels, rows, columns) of an image, as `compile_units` returns it.
    steps : int
        Steps up the gradient, each with decay and blur.
    step_size : float
        Length of a step, in brightness: its root mean square over the pixels.
    decay : float
        Share of its distance from `neutral` that a pixel loses a step, in [0, 1).
    blur : float
        Standard deviation of the Gaussian, in pixels.
    seed : int
        Of the noise that the climb starts from.
    neutral : float or array
        Where the climb starts, and where decay pulls to: 0, black, or a colour, (channels, 1, 1).
    noise : pair of float
        The least and the most that is added to `neutral` at the start. On an even colour many
        rectifiers are silent and pass no gradient on: there it must not be too faint.

    Returns
    -------
    images : array
        (n,) + shape, in [0, 1].
    values : array
        (n,), before the nonlinearity.

    References
    ----------
    .. [1] D. Erhan, Y. Bengio, A. Courville, P. Vincent: Visualizing higher-layer features of a
       deep network. Technical report 1341, University of Montreal, 2009.
    .. [2] K. Simonyan, A. Vedaldi, A. Zisserman: Deep inside convolutional networks: visualising
       image classification models and saliency maps. 2013. https://arxiv.org/abs/1312.6034

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.units import maximize_activation
    >>> wanted = np.float32([[[0, 1], [1, 0]]])  # this unit likes the diagonal
    >>> unit_fn = lambda images, units: (
    ...     (images * (2 * wanted - 1)).sum(axis=(1, 2, 3)), 0 * images + (2 * wanted - 1))
    >>> images, values = maximize_activation(unit_fn, [0], shape=(1, 2, 2), blur=.1)
    >>> images[0, 0].round(1)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    units = np.asarray(units, np.int32)
    rng = np.random.RandomState(seed)
    images = neutral + rng.uniform(*noise, (len(units),) + tuple(shape))
    dtype = lasagne.utils.floatX(0).dtype
    for _ in range(steps):
        _, gradients = unit_fn(images.astype(dtype), units)
        scale = np.sqrt((gradients**2).mean(axis=(1, 2, 3), keepdims=True))
        images += step_size * gradients / np.maximum(scale, 1e-12)
        images = neutral + (1 - decay) * (images - neutral)
        images = ndimage.gaussian_filter(images, (0, 0, blur, blur)).clip(0, 1)
    values, _ = unit_fn(images.astype(dtype), units)
    return images.astype(dtype), values
