"""Distortions of digits that leave them what they are: a batch in, a batch out.

An augmentation is a function ``augment(images, generator)`` that returns images of the same shape.
`distort` applies one to mini-batches as they come. What is here is NumPy; the fast layers bring a
`move_pixels` of their own (`mnist_cnn.fused`).
"""

import numpy as np

__all__ = ["DISTORTIONS", "warp", "move_pixels", "elastic_modes", "distortions", "distort"]

#: How strongly the better recipe distorts a digit, as options of `distortions`.
DISTORTIONS = dict(rotation=12, scale=0.12, shear=0.12, shift=2, elastic=0.8)


def warp(images, rows, columns):
    """Move every pixel's place of origin, and read there between the pixels (bilinearly).

    Parameters
    ----------
    images : float32 array
        (n, 1, height, width), with black around them.
    rows, columns : float32 arrays
        (n, height * width): how far below and to the right of itself each pixel of the result is
        read, in pixels.

    Returns
    -------
    float32 array
        (n, 1, height, width): ``result[y, x] = image[y + rows, x + columns]``.

    Notes
    -----
    `scipy.ndimage.map_coordinates` of order 1 with zeros outside says the same, at a twentieth of
    the speed: it takes an image at a time.

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
    stride = width + 3  # a frame of black, and one column and row more for the neighbours
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

    # a[i] and not take(), which is four times as slow here
    top, bottom = pixels[corner], pixels[stride:][corner]
    top += x * (pixels[1:][corner] - top)
    bottom += x * (pixels[stride + 1 :][corner] - bottom)
    bottom -= top
    bottom *= y
    top += bottom
    return top.reshape(images.shape)


def move_pixels(images, factors, fields):
    """Warp images by displacements that are sums of a few fields.

    Parameters
    ----------
    images : float32 array
        (n, 1, height, width), with black around them.
    factors : float32 array
        (2, m, k), m at most n: for each of the first m images, what to multiply the fields by, for
        the way down and the way to the right.
    fields : float32 array
        (k, height * width), in pixels.

    Returns
    -------
    float32 array
        (n, 1, height, width): the first m images warped, the rest as they were.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.distortions import move_pixels
    >>> image = np.float32([[[[0, 4, 0], [0, 8, 0], [0, 0, 0]]]])
    >>> factors = np.float32([0, 1]).reshape(2, 1, 1)  # nothing down, once to the right
    >>> move_pixels(image, factors, fields=np.full((1, 9), .5, np.float32))[0, 0]
    array([[2., 2., 0.],
           [4., 4., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    count = factors.shape[1]
    return np.concatenate([warp(images[:count], *(factors @ fields)), images[count:]])


def elastic_modes(size, smoothness, share=0.99):
    r"""The few smooth waves that a random elastic field is a sum of.

    White noise that is smoothed by a Gaussian of standard deviation :math:`\sigma` has the
    covariance :math:`\exp(-d^2 / 4 \sigma^2)` at the distance :math:`d`, and a few eigenvectors
    of that hold nearly all of it. A field is then their product with as many random numbers,
    where smoothing would take a convolution over every image.

    Parameters
    ----------
    size : int, or pair of int
        Height and width of the images.
    smoothness : float
        :math:`\sigma` in pixels.
    share : float
        How much of the variance along a line of pixels to keep, in (0, 1].

    Returns
    -------
    float array
        (k, height * width): standard normal numbers (n, k) times this are n fields of variance 1.

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
    rotation=0.0, scale=0.0, shear=0.0, shift=0.0, elastic=0.0, smoothness=4.0, share=1.0, size=28, move=move_pixels
):
    """Make a function that distorts digits at random, each in its own way [1]_.

    Parameters
    ----------
    rotation : float
        Largest angle, in degrees, either way.
    scale, shear : float
        Largest change of height and of width, and largest slant, as shares of 1.
    shift : float
        Largest way up or down, and left or right, in pixels.
    elastic : float
        Root mean square of the elastic displacement of a pixel, along each axis, in pixels.
    smoothness : float
        Standard deviation of the Gaussian that makes the elastic field smooth, in pixels.
    share : float
        How many of a batch to distort, its first, in [0, 1]; the rest stay as they are.
    size : int, or pair of int
        Height and width of the images.
    move : callable
        `move_pixels`, or its like.

    Returns
    -------
    callable
        Takes images, float32 (n, channels, height, width), and a `numpy.random.Generator`, and
        returns as many. The same generator's state gives the same images. All channels of an image
        go the same way.

    Notes
    -----
    The paper's field, uniform noise in [-1, 1] smoothed by a Gaussian of 4 pixels and multiplied by
    34, is one of ``elastic=1.38`` here. All displacements are linear in a few random numbers an
    image, so one product of matrices makes those of a whole batch.

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
        factors = np.empty((2, n, len(basis)), np.float32)  # of the rows', the columns' field
        generator.standard_normal(out=factors, dtype=np.float32)
        factors *= elastic
        turn, tall, wide, slant, down, right = (bounds * generator.uniform(-1, 1, (n, 6))).T
        cos, sin = np.cos(turn), np.sin(turn)
        # a slant and a stretch, then a turn, less the identity
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


def distort(batches, augment, rng):
    """Distort a part of every mini-batch, each image anew.

    Parameters
    ----------
    batches : iterable of (images, targets)
        Mini-batches of one epoch; images float32 (n, channels, height, width).
    augment : callable, or None
        As `distortions` makes it. None leaves everything as it is.
    rng : numpy.random.RandomState
        Draws the epoch's key. A batch's distortions depend on the key and the batch's number alone.

    Yields
    ------
    images, targets : arrays

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.distortions import distort, distortions
    >>> batches = [(np.ones((4, 1, 28, 28), np.float32), np.arange(4))] * 2
    >>> turn = distortions(rotation=12, share=.5)
    >>> for images, targets in distort(batches, turn, rng=np.random.RandomState(1)):
    ...     print(images.shape, targets)
    (4, 1, 28, 28) [0 1 2 3]
    (4, 1, 28, 28) [0 1 2 3]
    """
    if augment is None:
        yield from batches
        return
    seed = np.append(rng.randint(2**32, size=4, dtype=np.uint32), np.uint32(0))  # key and number
    for images, targets in batches:
        yield augment(images, np.random.default_rng(seed)), targets
        seed[-1] += 1
