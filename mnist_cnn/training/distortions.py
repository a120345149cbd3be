"""Data augmentation: random distortions that do not change a digit's class.

An augmentation is a function ``augment(images, generator)`` that returns images of the same shape.
`distort` applies one to mini-batches. This module uses NumPy; `mnist_cnn.fused` has a faster
`move_pixels`.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

__all__ = ["DISTORTIONS", "warp", "move_pixels", "elastic_modes", "distortions", "distort"]

#: The options of `distortions` that the recipes use.
DISTORTIONS = dict(rotation=12, scale=0.12, shear=0.12, shift=2, elastic=0.8)


#: From images and a generator to distorted images.
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]
#: `move_pixels` or a function like it.
Move = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def warp(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Warp images by displacement fields, with bilinear interpolation.

    Parameters
    ----------
    images : float32 array
        (n, 1, height, width); outside they are black.
    rows, columns : float32 arrays
        (n, height * width), in pixels: the displacements down and to the right, from each pixel of
        the result to the place in the image where it is read.

    Returns
    -------
    float32 array
        (n, 1, height, width): ``result[y, x] = image[y + rows, x + columns]``.

    Notes
    -----
    `scipy.ndimage.map_coordinates` of order 1 gives the same, at a twentieth of the speed: it takes
    an image at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.distortions import warp
    >>> image = np.float32([[[[0, 4, 0], [0, 8, 0], [0, 0, 0]]]])
    >>> zero = np.zeros((1, 9), np.float32)
    >>> warp(image, rows=zero, columns=zero + .5)[0, 0]  # half a pixel to the left
    array([[2., 2., 0.],
           [4., 4., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    n, _, height, width = images.shape
    stride = width + 3  # a black frame, and one more row and column for the interpolation
    padded = np.zeros((n, height + 3, stride), np.float32)
    padded[:, 1:-2, 1:-2] = images[:, 0]
    pixels = padded.ravel()

    y, x = np.indices((height, width), np.float32).reshape(2, -1) + np.float32(1)
    y, x = y + rows, x + columns
    np.clip(y, 0, height + 1, out=y)
    np.clip(x, 0, width + 1, out=x)
    whole_y, whole_x = np.floor(y), np.floor(x)
    y -= whole_y
    x -= whole_x
    whole_y *= stride
    whole_y += whole_x
    corner = whole_y.astype(np.intp)
    corner += np.arange(0, pixels.size, (height + 3) * stride)[:, np.newaxis]

    # a[i] is four times as fast as take() here
    top, bottom = pixels[corner], pixels[stride:][corner]
    top += x * (pixels[1:][corner] - top)
    bottom += x * (pixels[stride + 1 :][corner] - bottom)
    bottom -= top
    bottom *= y
    top += bottom
    return top.reshape(images.shape)


def move_pixels(images: np.ndarray, factors: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Warp images by displacements that are sums of a few fields.

    Parameters
    ----------
    images : float32 array
        (n, 1, height, width); outside they are black.
    factors : float32 array
        (2, m, k), m at most n: for each of the first m images the factors of the fields, for the
        displacement down and the displacement to the right.
    fields : float32 array
        (k, height * width), in pixels.

    Returns
    -------
    float32 array
        (n, 1, height, width): the first m images warped as by `warp`, the rest unchanged.
    """
    count = factors.shape[1]
    return np.concatenate([warp(images[:count], *(factors @ fields)), images[count:]])


def elastic_modes(size: int | tuple[int, ...], smoothness: float, share: float = 0.99) -> np.ndarray:
    r"""The smooth modes whose random sums are elastic displacement fields.

    White noise that is smoothed by a Gaussian of standard deviation :math:`\sigma` has the
    covariance :math:`\exp(-d^2 / 4 \sigma^2)` at the distance :math:`d`. A few eigenvectors hold
    nearly all of its variance. A field is a sum of these with random factors, which is cheaper than
    a convolution over every image.

    Parameters
    ----------
    size : int, or pair of int
        Height and width of the images.
    smoothness : float
        :math:`\sigma` in pixels.
    share : float
        Share of the variance along a line of pixels to keep, in (0, 1].

    Returns
    -------
    float array
        (k, height * width): the product of standard normal numbers (n, k) and these modes is n
        fields of variance 1.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.distortions import elastic_modes
    >>> modes = elastic_modes(size=28, smoothness=4)
    >>> modes.shape
    (25, 784)
    >>> np.allclose((modes ** 2).sum(axis=0), 1)  # the variance of each pixel's displacement
    True
    """

    def line(length):
        distance = np.subtract.outer(np.arange(length), np.arange(length))
        values, vectors = np.linalg.eigh(np.exp(-(distance**2) / (4.0 * smoothness**2)))
        values, vectors = values[::-1], vectors[:, ::-1]
        count = 1 + np.searchsorted(np.cumsum(values) / length, share)
        waves = (vectors * np.sqrt(np.maximum(values, 0)))[:, :count]
        return waves / np.sqrt((waves**2).sum(axis=1, keepdims=True))

    down, right = map(line, np.broadcast_to(size, 2))
    return np.einsum("yi,xj->ijyx", down, right).reshape(-1, len(down) * len(right))


def distortions(
    rotation: float = 0.0,
    scale: float = 0.0,
    shear: float = 0.0,
    shift: float = 0.0,
    elastic: float = 0.0,
    smoothness: float = 4.0,
    share: float = 1.0,
    size: int | tuple[int, ...] = 28,
    move: Move = move_pixels,
) -> Augment:
    """Make a function that distorts digits at random [1]_.

    Parameters
    ----------
    rotation : float
        Largest angle, in degrees, either way.
    scale, shear : float
        Largest relative change of height and of width, and largest slant.
    shift : float
        Largest translation along each axis, in pixels.
    elastic : float
        Root mean square of the elastic displacement of a pixel, along each axis, in pixels.
    smoothness : float
        Standard deviation of the Gaussian that makes the elastic field smooth, in pixels.
    share : float
        Share of a batch to distort, in [0, 1]: the first images. The rest stay unchanged.
    size : int, or pair of int
        Height and width of the images.
    move : callable
        `move_pixels`, or a function with the same arguments.

    Returns
    -------
    callable
        It takes images, float32 (n, channels, height, width), and a `numpy.random.Generator`, and
        returns images of that shape. All channels of an image are warped alike.

    Notes
    -----
    The paper's field, uniform noise in [-1, 1] smoothed by a Gaussian of 4 pixels and multiplied by
    34, has ``elastic=1.38``. All displacements are linear in a few random numbers for each image, so
    one matrix product computes those of a whole batch.

    References
    ----------
    .. [1] P. Simard, D. Steinkraus, J. Platt: Best practices for convolutional neural networks
       applied to visual document analysis. ICDAR 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.distortions import distortions
    >>> images = np.ones((4, 1, 28, 28), np.float32)
    >>> augment = distortions(rotation=10, share=.5)
    >>> distorted = augment(images, np.random.default_rng(1))
    >>> (distorted == images).all(axis=(1, 2, 3))
    array([False, False,  True,  True])
    """
    height, width = map(int, np.broadcast_to(size, 2))
    y, x = np.indices((height, width)).reshape(2, -1) - [[(height - 1) / 2], [(width - 1) / 2]]
    basis = np.concatenate([[np.ones(y.size), y, x], elastic_modes(size, smoothness)])
    basis = basis.astype(np.float32)
    bounds = np.array([np.deg2rad(rotation), scale, scale, shear, shift, shift])

    def augment(images, generator):
        n = int(round(share * len(images)))
        factors = np.empty((2, n, len(basis)), np.float32)  # for the rows' and the columns' displacements
        generator.standard_normal(out=factors, dtype=np.float32)
        factors *= elastic
        turn, tall, wide, slant, down, right = (bounds * generator.uniform(-1, 1, (n, 6))).T
        cos, sin = np.cos(turn), np.sin(turn)
        # a slant and a stretch, then a rotation, minus the identity
        tall, wide = 1 + tall, 1 + wide
        fields = ((down, tall * cos - 1, slant * cos - wide * sin), (right, tall * sin, slant * sin + wide * cos - 1))
        for axis in (0, 1):
            for field in (0, 1, 2):
                factors[axis, :, field] = fields[axis][field]
        channels = images.shape[1]
        if channels > 1:
            factors = np.repeat(factors, channels, axis=1)
        moved = move(images.reshape(-1, 1, height, width), factors, basis)
        return moved.reshape(images.shape)

    return augment


def distort(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], augment: Augment | None, rng: np.random.RandomState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distort mini-batches.

    Parameters
    ----------
    batches : iterable of (images, targets)
        Mini-batches of one epoch; images float32 (n, channels, height, width).
    augment : callable, or None
        As `distortions` returns it. None changes nothing.
    rng : numpy.random.RandomState
        It draws the epoch's key. A batch's distortions depend only on the key and the batch's number.

    Yields
    ------
    images, targets : arrays
    """
    if augment is None:
        yield from batches
        return
    seed = np.append(rng.randint(2**32, size=4, dtype=np.uint32), np.uint32(0))  # key, batch number
    for images, targets in batches:
        yield augment(images, np.random.default_rng(seed)), targets
        seed[-1] += 1
