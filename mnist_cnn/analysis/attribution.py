"""Attribution of an answer to pixels: saliency, integrated gradients and occlusion, as arrays.

They explain a class's *score* (its logit). The probability itself is flat where the network is sure:
hardly any pixel changes it.
"""

from collections.abc import Callable, Sequence

import lasagne
import numpy as np
import theano
import theano.tensor as T

from .layers import without_nonlinearity

__all__ = ["compile_scores", "saliency", "integrated_gradients", "occlusion"]


#: From images and a class for each to the gradients of these classes' scores.
GradientFn = Callable[[np.ndarray, np.ndarray], np.ndarray]


def compile_scores(network: lasagne.layers.Layer) -> tuple[Callable[[np.ndarray], np.ndarray], GradientFn]:
    """Compile the scores of the classes and their gradients.

    Parameters
    ----------
    network : lasagne Layer
        The output layer, with softmax.

    Returns
    -------
    score_fn : callable
        From images (n, channels, rows, columns) to logits (n, classes), in nats up to a constant for
        each image.
    gradient_fn : callable
        From images and a class for each (int32) to the gradients of these classes' scores with
        respect to the images, of the images' shape, in nats per brightness.
    """
    images = lasagne.layers.get_all_layers(network)[0].input_var
    classes = T.ivector("classes")
    scores = lasagne.layers.get_output(without_nonlinearity(network), deterministic=True)
    chosen = scores[T.arange(classes.shape[0]), classes]
    return (theano.function([images], scores), theano.function([images, classes], T.grad(chosen.sum(), images)))


def saliency(
    gradient_fn: GradientFn, image: np.ndarray, classes: Sequence[int] | Sequence[tuple[int, int]]
) -> np.ndarray:
    """The gradient of a class's score with respect to each pixel [1]_.

    For images in several channels it is the largest magnitude of a pixel's derivatives, as in the
    paper. In a signed sum, derivatives of a pixel that should become redder and less green would
    cancel out.

    Parameters
    ----------
    gradient_fn : callable
        As `compile_scores` returns it.
    image : array
        (channels, rows, columns).
    classes : sequence of int, or of pairs of int
        The classes to explain; a pair stands for the first class's score minus the second's.

    Returns
    -------
    array
        (classes, rows, columns), in nats per brightness. With one channel it is positive where more
        ink speaks for the class (the paper draws the absolute value). With several it is at least 0.

    References
    ----------
    .. [1] K. Simonyan, A. Vedaldi, A. Zisserman: Deep inside convolutional networks: visualising
       image classification models and saliency maps. 2013. https://arxiv.org/abs/1312.6034

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.attribution import saliency
    >>> gradient_fn = lambda images, classes: 2 * images  # of the score sum(images ** 2)
    >>> saliency(gradient_fn, np.float64([[[1, 0], [0, 3]]]), classes=[0])
    array([[[2., 0.],
            [0., 6.]]])
    """
    terms = [pair if isinstance(pair, tuple) else (pair,) for pair in classes]
    asked = sorted({number for term in terms for number in term})
    gradients = dict(zip(asked, gradient_fn(np.stack([image] * len(asked)), np.asarray(asked, np.int32))))
    maps = np.stack(
        [gradients[term[0]] - gradients[term[1]] if len(term) == 2 else gradients[term[0]] for term in terms]
    )
    return maps[:, 0] if maps.shape[1] == 1 else np.abs(maps).max(axis=1)


def integrated_gradients(
    gradient_fn: GradientFn,
    image: np.ndarray,
    classes: Sequence[int],
    baseline: np.ndarray | None = None,
    steps: int = 128,
    batch_size: int = 500,
) -> np.ndarray:
    r"""Share a class's score out among the pixels [1]_.

    The gradient is averaged along the straight line from a baseline to the image:

    .. math:: a_i = (x_i - b_i) \int_0^1 \frac{\partial F(b + t (x - b))}{\partial x_i} dt

    A pixel's attribution is the sum over its channels. All attributions sum to :math:`F(x) - F(b)`, up
    to the error of the midpoint rule (below 0.01 nats for 128 steps on MNIST).

    Parameters
    ----------
    gradient_fn : callable
        As `compile_scores` returns it.
    image : array
        (channels, rows, columns).
    classes : sequence of int
        The classes to explain.
    baseline : array, optional
        An empty image, of the image's shape, or its colour, (channels, 1, 1); by default black.
    steps : int
        Points of the midpoint rule, at least 1.
    batch_size : int

    Returns
    -------
    array
        (classes, rows, columns), in nats. A pixel that equals the baseline gets 0.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan: Axiomatic attribution for deep networks. ICML 2017.
       https://arxiv.org/abs/1703.01365

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.attribution import integrated_gradients
    >>> gradient_fn = lambda images, classes: 2 * images  # of the score sum(images ** 2)
    >>> integrated_gradients(gradient_fn, np.float64([[[1, 0], [0, 3]]]), classes=[0])
    array([[[1., 0.],
            [0., 9.]]])
    """
    if steps < 1:
        raise ValueError("steps is {}; it must be positive".format(steps))
    if baseline is None:
        baseline = np.zeros_like(image)
    baseline = np.broadcast_to(baseline, image.shape).astype(image.dtype)
    points = ((np.arange(steps) + 0.5) / steps).astype(image.dtype)
    line = baseline + points[:, None, None, None] * (image - baseline)
    attributions = []
    for number in classes:
        total = np.zeros(image.shape)
        for start in range(0, steps, batch_size):
            batch = line[start : start + batch_size]
            total += gradient_fn(batch, np.full(len(batch), number, np.int32)).sum(axis=0)
        attributions.append(((image - baseline) * total / steps).sum(axis=0))
    return np.stack(attributions)


def occlusion(
    score_fn: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    size: int = 5,
    fill: float | np.ndarray = 0,
    batch_size: int = 500,
) -> np.ndarray:
    """The drop of each class's score when a square of the image is hidden [1]_.

    Parameters
    ----------
    score_fn : callable
        From images (n, channels, rows, columns) to scores or probabilities, (n, classes).
    image : array
        (channels, rows, columns).
    size : int
        Side of the square, odd.
    fill : float or array
        Brightness of the square; 0, the background, removes ink. For a colour image (channels, 1, 1),
        e.g. grey, as in the paper.
    batch_size : int

    Returns
    -------
    array
        (classes, rows, columns): the score of the image minus the score with the square centred at
        each pixel. Positive where the hidden part speaks for the class.

    References
    ----------
    .. [1] M. D. Zeiler, R. Fergus: Visualizing and understanding convolutional networks. ECCV
       2014. https://arxiv.org/abs/1311.2901

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.attribution import occlusion
    >>> score_fn = lambda images: images.sum(axis=(1, 2, 3))[:, np.newaxis]  # one class: the ink
    >>> occlusion(score_fn, np.float64([[[1, 0, 0], [0, 0, 0], [0, 0, 2]]]), size=3)
    array([[[1., 1., 0.],
            [1., 3., 2.],
            [0., 2., 2.]]])
    """
    if size < 1 or size % 2 == 0:
        raise ValueError("size is {}; it must be odd and positive".format(size))
    _, num_rows, num_columns = image.shape
    near_row, near_column = (np.abs(np.arange(n)[:, None] - np.arange(n)) <= size // 2 for n in (num_rows, num_columns))
    # hidden[r, c] is the mask of the square centred there
    hidden = near_row[:, None, :, None] & near_column[None, :, None, :]
    occluded = np.where(hidden.reshape(-1, 1, num_rows, num_columns), np.asarray(fill, image.dtype), image)
    scores = np.concatenate(
        [score_fn(occluded[start : start + batch_size]) for start in range(0, len(occluded), batch_size)]
    )
    drops = score_fn(image[None]) - scores
    return drops.T.reshape(-1, num_rows, num_columns)
