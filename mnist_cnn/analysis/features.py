"""What the network computes on the way from an image to its answer, as arrays."""

import copy

import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, MaxPool2DLayer
from scipy import ndimage

from ..support.batches import join_finite
from ..support.errors import MnistCnnError

__all__ = ["as_laid_on", "feature_maps", "name_layers", "compile_activations", "receptive_field",
           "top_patches", "without_nonlinearity", "compile_units", "maximize_activation", "pca",
           "tsne"]


def as_laid_on(kernels):
    """Turn kernels by 180 degrees: as they lie on the image while they slide over it.

    Theano convolves as mathematics does, and turns what is stored before it multiplies. In this
    position a kernel looks like what it finds. The tutorial's own figure shows the arrays as they
    are stored; all others, and the explorer page, show this.

    Parameters
    ----------
    kernels : array
        (..., rows, columns).

    Returns
    -------
    array
        Of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import as_laid_on
    >>> as_laid_on(np.array([[1, 2], [3, 4]])).tolist()
    [[4, 3], [2, 1]]
    """
    return kernels[..., ::-1, ::-1]


def feature_maps(kernels, images):
    """Convolve images with kernels, as the first layer does before its bias and rectifier.

    It is a true convolution: Theano flips the kernels, as mathematics does and most of the
    field's libraries do not.

    Parameters
    ----------
    kernels : array
        (maps, channels, rows, columns), e.g. ``arr_0`` of a saved model.
    images : array
        (n, channels, rows, columns).

    Returns
    -------
    array
        (n, maps, rows - kernel rows + 1, columns - kernel columns + 1), where the kernel lies
        wholly within the image.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import feature_maps
    >>> kernel = np.float64([[[[1, 0], [0, -1]]]])
    >>> image = np.float64([[[[1, 2, 3], [4, 5, 6], [7, 8, 10]]]])
    >>> feature_maps(kernel, image)[0, 0].tolist()  # 5 - 1, for the kernel is flipped
    [[4.0, 4.0], [4.0, 5.0]]
    """
    inputs = T.tensor4("inputs")
    convolve = theano.function([inputs], T.nnet.conv2d(inputs, kernels.astype(inputs.dtype)))
    return convolve(images.astype(inputs.dtype))


def name_layers(network):
    """Name the layers that a reader of the network would count.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    dict of str to lasagne Layer
        In order from the input: ``input``, ``conv 1``, ``pool 1``, ``conv 2``, ``pool 2``,
        ``dense``, ``output``. Dropout changes nothing outside training and is left out.

    Examples
    --------
    >>> from mnist_cnn.analysis.features import name_layers
    >>> from mnist_cnn.model import build_cnn
    >>> list(name_layers(build_cnn()))
    ['input', 'conv 1', 'pool 1', 'conv 2', 'pool 2', 'dense', 'output']
    """
    layers = {}
    counts = {}
    for layer in lasagne.layers.get_all_layers(network):
        for kind, word in ((InputLayer, "input"), (Conv2DLayer, "conv"), (MaxPool2DLayer, "pool"),
                           (DenseLayer, "dense")):
            if isinstance(layer, kind):
                counts[word] = counts.get(word, 0) + 1
                name = word if word in ("input", "dense") and counts[word] == 1 else \
                    "{} {}".format(word, counts[word])
                layers["output" if layer is network else name] = layer
    return layers


def without_nonlinearity(layer):
    """A layer with the same parameters and input whose output is not passed through anything.

    Parameters
    ----------
    layer : lasagne Layer
        A convolution or a dense layer; not changed.

    Returns
    -------
    lasagne Layer
        Gives the weighted sums: a rectifier's gradient is zero where the unit is silent, and
        softmax's where the network is sure, so climbing and explaining start from these.

    Examples
    --------
    >>> from mnist_cnn.analysis.features import without_nonlinearity
    >>> from mnist_cnn.model import build_cnn
    >>> network = build_cnn()
    >>> scores = without_nonlinearity(network)
    >>> scores.W is network.W, scores.nonlinearity.__name__, network.nonlinearity.__name__
    (True, 'linear', 'softmax')
    """
    linear = copy.copy(layer)  # shares W and b
    linear.nonlinearity = lasagne.nonlinearities.linear
    return linear


def compile_activations(network):
    """Compile the network's way from images to the output of every layer.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    callable
        ``activations(images, names, batch_size=500)`` takes images (n, channels, rows, columns)
        and names out of `name_layers`; returns a dict of arrays (n, maps, rows, columns) or
        (n, units), after each layer's nonlinearity and without dropout. The batches bound the
        memory; all images may be given at once.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import compile_activations
    >>> from mnist_cnn.model import build_cnn
    >>> activations = compile_activations(build_cnn())
    >>> images = np.zeros((2, 1, 28, 28), np.float32)
    >>> {name: array.shape for name, array in activations(images, ["conv 1", "dense"]).items()}
    {'conv 1': (2, 32, 24, 24), 'dense': (2, 256)}
    """
    layers = name_layers(network)
    outputs = lasagne.layers.get_output(list(layers.values()), deterministic=True)
    compute = theano.function([layers["input"].input_var], outputs)

    def activations(images, names=tuple(layers), batch_size=500):
        unknown = set(names) - set(layers)
        if unknown:
            raise ValueError("no layers {}; there are {}".format(sorted(unknown), list(layers)))
        parts = {name: [] for name in names}
        for start in range(0, len(images), batch_size):
            batch = dict(zip(layers, compute(images[start:start + batch_size])))
            for name in names:
                parts[name].append(batch[name])
        return {name: join_finite(arrays) for name, arrays in parts.items()}

    return activations


def receptive_field(layer, row, column):
    """Find the part of the image that one unit of a layer sees.

    Parameters
    ----------
    layer : lasagne Layer
        A convolution or pooling layer, with nothing but such layers (and dropout) before it.
    row, column : int
        The unit's position in the layer's map.

    Returns
    -------
    rows, columns : slice
        Into the image, clipped at its edge where a layer pads. A unit of the tutorial's second
        convolution sees 14 x 14 pixels: 5 for its kernel, doubled by the pooling before (and 1
        more of the window), widened by the first kernel's 4.

    Examples
    --------
    >>> from mnist_cnn.analysis.features import name_layers, receptive_field
    >>> from mnist_cnn.model import build_cnn
    >>> receptive_field(name_layers(build_cnn())["conv 2"], row=0, column=7)
    (slice(0, 14, None), slice(14, 28, None))
    """
    spans = []
    for axis, position in enumerate((row, column)):
        first = last = position
        below = layer
        while not isinstance(below, InputLayer):
            if isinstance(below, (Conv2DLayer, MaxPool2DLayer)):
                size = (below.filter_size if isinstance(below, Conv2DLayer)
                        else below.pool_size)[axis]
                pad = below.pad  # a word or a number for each axis
                pad = ({"same": size // 2, "full": size - 1}[pad] if isinstance(pad, str)
                       else pad[axis])
                first = first * below.stride[axis] - pad
                last = last * below.stride[axis] - pad + size - 1
            elif isinstance(below, DenseLayer):
                raise ValueError("a unit of a dense layer sees the whole image")
            below = below.input_layer
        spans.append(slice(max(first, 0), min(last + 1, below.shape[2 + axis])))
    return tuple(spans)


def top_patches(layer, maps, images, count=9):
    """Find the patches of real images that excite each filter of a layer most [1]_.

    Parameters
    ----------
    layer : lasagne Layer
        A convolution or pooling layer.
    maps : array
        Its output for the images, (n, filters, rows, columns).
    images : array
        (n, channels, rows, columns), n at least `count`.
    count : int
        Patches a filter, each from another image: where the image excites the filter most.

    Returns
    -------
    patches : array
        (filters, count, channels, rows, columns) of the receptive field, strongest first.
    values : array
        (filters, count), the activations. 0 says that the filter was silent, and that the patch
        means nothing.
    indices : int array
        (filters, count), the images' numbers.

    References
    ----------
    .. [1] M. D. Zeiler, R. Fergus: Visualizing and understanding convolutional networks. ECCV
       2014. https://arxiv.org/abs/1311.2901

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import name_layers, top_patches
    >>> from mnist_cnn.model import build_cnn
    >>> layer = name_layers(build_cnn())["conv 1"]
    >>> maps = np.zeros((9, 32, 24, 24))
    >>> maps[3, 0, 10, 20] = 1  # image 3 excites filter 0 there
    >>> patches, values, indices = top_patches(layer, maps, np.zeros((9, 1, 28, 28)), count=2)
    >>> patches.shape, values[0], indices[0, 0]
    ((32, 2, 1, 5, 5), array([1., 0.]), 3)
    """
    num_images, num_filters, _, num_columns = maps.shape
    flat = maps.reshape(num_images, num_filters, -1)
    positions = flat.argmax(axis=2)
    best = flat.max(axis=2)
    indices = np.argsort(-best, axis=0, kind="stable")[:count].T
    values = np.take_along_axis(best.T, indices, axis=1)
    patches = []
    for unit in range(num_filters):
        for index in indices[unit]:
            rows, columns = receptive_field(layer, *divmod(positions[index, unit], num_columns))
            patches.append(images[index][:, rows, columns])
    return np.reshape(patches, indices.shape + patches[0].shape), values, indices


def _narrowed(layer, shape):
    """A layer with all below it, sharing their parameters, for images of another shape."""
    if isinstance(layer, InputLayer):
        return InputLayer(shape)
    narrowed = copy.copy(layer)
    narrowed.input_layer = _narrowed(layer.input_layer, shape)
    narrowed.input_shape = narrowed.input_layer.output_shape
    return narrowed


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

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import compile_units, name_layers
    >>> from mnist_cnn.model import build_cnn
    >>> unit_fn, shape = compile_units(name_layers(build_cnn())["conv 1"])
    >>> shape
    (1, 5, 5)
    >>> values, gradients = unit_fn(np.zeros((2, 1, 5, 5), np.float32), np.int32([0, 31]))
    >>> values, gradients.shape
    (array([0., 0.], dtype=float32), (2, 1, 5, 5))
    """
    shape = lasagne.layers.get_all_layers(layer)[0].shape[1:]
    if len(layer.output_shape) == 4:  # of a map, one unit is enough, and much less to compute
        rows, columns = receptive_field(layer, *(side // 2 for side in layer.output_shape[2:]))
        shape = shape[0], rows.stop - rows.start, columns.stop - columns.start
        layer = _narrowed(layer, (None,) + shape)
        if layer.output_shape[2:] != (1, 1):
            raise ValueError("a layer with padding before it")
    images, units = lasagne.layers.get_all_layers(layer)[0].input_var, T.ivector("units")
    output = lasagne.layers.get_output(without_nonlinearity(layer), deterministic=True).flatten(2)
    if layer.nonlinearity is lasagne.nonlinearities.softmax:  # it ignores what all units share
        output -= output.mean(axis=1, keepdims=True)
    values = output[T.arange(units.shape[0]), units]
    return theano.function([images, units], [values, T.grad(values.sum(), images)]), shape


def maximize_activation(unit_fn, units, shape, steps=100, step_size=.1, decay=.05, blur=.4, seed=0,
                        neutral=0, noise=(0, .1)):
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
    >>> from mnist_cnn.analysis.features import maximize_activation
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
        scale = np.sqrt((gradients ** 2).mean(axis=(1, 2, 3), keepdims=True))
        images += step_size * gradients / np.maximum(scale, 1e-12)
        images = neutral + (1 - decay) * (images - neutral)
        images = ndimage.gaussian_filter(images, (0, 0, blur, blur)).clip(0, 1)
    values, _ = unit_fn(images.astype(dtype), units)
    return images.astype(dtype), values


def pca(features, num_components=2):
    """Principal components by singular value decomposition.

    Parameters
    ----------
    features : array
        (n, dimensions).
    num_components : int
        How many, at most min(n, dimensions).

    Returns
    -------
    projected : array
        (n, num_components), the centred features along the components.
    components : array
        (num_components, dimensions), orthonormal, of greatest variance first. Their signs are
        made definite: the entry of largest size is positive.
    explained : array
        (num_components,), each one's share of the total variance, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import pca
    >>> projected, components, explained = pca(np.float64([[0, 0], [3, 4], [6, 8]]), 1)
    >>> components.round(3), explained.round(3)
    (array([[0.6, 0.8]]), array([1.]))
    >>> np.abs(projected).ravel().round(3)
    array([5., 0., 5.])
    """
    centred = features - features.mean(axis=0)
    _, sizes, components = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(len(components)), largest])[:, None]
    components = components[:num_components]
    explained = sizes[:num_components] ** 2 / max((sizes ** 2).sum(), np.finfo(float).tiny)
    return centred @ components.T, components, explained


def tsne(features, seed=0):
    """Lay points out in the plane so that neighbours stay neighbours: t-SNE [1]_.

    Distances between groups, and their sizes, mean nothing; who is next to whom does.

    Parameters
    ----------
    features : array
        (n, dimensions), n more than 30. Some thousand take seconds.
    seed : int

    Returns
    -------
    float32 array
        (n, 2).

    Raises
    ------
    MnistCnnError
        When scikit-learn is not installed.

    References
    ----------
    .. [1] L. van der Maaten, G. Hinton: Visualizing data using t-SNE. Journal of Machine Learning
       Research 9, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.features import tsne
    >>> tsne(np.random.RandomState(1).normal(size=(40, 3))).shape
    (40, 2)
    """
    try:
        from sklearn.manifold import TSNE  # here: it takes a second to import
    except ImportError as error:
        raise MnistCnnError("t-SNE is scikit-learn's; run: pip install -e .[tsne]") from error
    projected, _, _ = pca(features, min(50, *features.shape))
    return TSNE(init="pca", learning_rate="auto", random_state=seed).fit_transform(projected)
