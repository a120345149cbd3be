"""Activation maximization: images that excite a single unit most, by gradient ascent."""

from collections.abc import Callable, Sequence

import lasagne
import numpy as np
import theano
import theano.tensor as T
from scipy import ndimage

from .layers import with_input_shape, without_nonlinearity
from .patches import receptive_field

__all__ = ["compile_units", "maximize_activation"]


#: From images and the numbers of units to the units' values and their gradients.
UnitFn = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def compile_units(layer: lasagne.layers.Layer) -> tuple[UnitFn, tuple[int, ...]]:
    """Compile the value of single units of a layer and its gradient.

    Parameters
    ----------
    layer : lasagne Layer
        A dense layer, or a convolution without padding in it and before it.

    Returns
    -------
    unit_fn : callable
        From images (n,) + shape and the numbers of n filters or units (int32) to their values (n,),
        before the nonlinearity, and the gradients with respect to the images. The values of a softmax
        layer are relative to their mean, since only differences between them matter.
    shape : tuple of int
        (channels, rows, columns) of a unit's receptive field; the whole image for a dense layer.
    """
    shape = lasagne.layers.get_all_layers(layer)[0].shape[1:]
    if len(layer.output_shape) == 4:  # one unit of a map is enough, and faster to compute
        rows, columns = receptive_field(layer, *(side // 2 for side in layer.output_shape[2:]))
        shape = shape[0], rows.stop - rows.start, columns.stop - columns.start
        layer = with_input_shape(layer, (None,) + shape)
        if layer.output_shape[2:] != (1, 1):
            raise ValueError("the layer has padding before it")
    images, units = lasagne.layers.get_all_layers(layer)[0].input_var, T.ivector("units")
    output = lasagne.layers.get_output(without_nonlinearity(layer), deterministic=True).flatten(2)
    if layer.nonlinearity is lasagne.nonlinearities.softmax:  # it ignores a constant in all units
        output -= output.mean(axis=1, keepdims=True)
    values = output[T.arange(units.shape[0]), units]
    return theano.function([images, units], [values, T.grad(values.sum(), images)]), shape


def maximize_activation(
    unit_fn: UnitFn,
    units: Sequence[int] | np.ndarray,
    shape: tuple[int, ...],
    steps: int = 100,
    step_size: float = 0.1,
    decay: float = 0.05,
    blur: float = 0.4,
    seed: int = 0,
    neutral: float | np.ndarray = 0,
    noise: tuple[float, float] = (0, 0.1),
) -> tuple[np.ndarray, np.ndarray]:
    """Find images that excite units most, by gradient ascent [1]_.

    Each step goes along the gradient, divided by its root mean square, and keeps pixels in [0, 1].
    Without a prior the result is noise that looks like no drawing. There are two priors: decay (as
    in [2]_) pulls pixels that do not matter to `neutral`, and a little blur suppresses single pixels.

    Parameters
    ----------
    unit_fn : callable
        As `compile_units` returns it.
    units : int array
        (n,), the filters or units.
    shape : tuple of int
        (channels, rows, columns) of an image, as `compile_units` returns it.
    steps : int
        Steps, each with decay and blur.
    step_size : float
        Length of a step, in brightness: its root mean square over the pixels.
    decay : float
        Share of its distance from `neutral` that a pixel loses in a step, in [0, 1).
    blur : float
        Standard deviation of the Gaussian, in pixels.
    seed : int
        The seed of the noise.
    neutral : float or array
        The colour of the start: 0, black, or (channels, 1, 1).
    noise : pair of float
        The bounds of the uniform noise that is added to `neutral` at the start. If it is too faint on an
        even colour, rectifiers are silent and have no gradient.

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
