"""Out-of-distribution detection: whether a picture is like those that the network knows.

Softmax gives probabilities for any picture, also of a letter or a shoe. But the features before and
after the last hidden layer differ: a digit's are near those of other digits of its class. An answer is
unsure

- when its probability is below one half, or
- when the picture has more ink than 999 of 1,000 digits, or
- when its features are farther from its class's nearest centre than those of 997 of 1,000 digits.

The centres (by k-means) come from one half of the validation digits, the limits from the other.
Lee et al. [1]_ use distances to Gaussians; centres and cosines did better here (see
``docs/explorer.md``).

References
----------
.. [1] K. Lee, K. Lee, H. Lee, J. Shin: A simple unified framework for detecting
   out-of-distribution samples and adversarial attacks. NeurIPS 2018.
"""

import warnings
from collections import namedtuple
from collections.abc import Callable, Sequence

import lasagne
import numpy as np
import theano
from lasagne.layers import DenseLayer
from scipy.cluster.vq import kmeans2

from ..predict import run_in_batches

__all__ = ["Trust", "compile_features", "learn_trust", "feature_distance", "why_unsure", "is_unsure"]

MIN_PROBABILITY = 0.5
INK_QUANTILE = 0.999
DISTANCE_QUANTILE = 0.997
NUM_CENTRES = 10

#: ``centres``, unit vectors (classes, n, features); ``max_distance`` in [0, 2]; ``max_ink``, a sum over
#: an image's pixels.
Trust = namedtuple("Trust", "centres max_distance max_ink")


def _unit(rows):
    """The rows of an array, (n, features), scaled to unit vectors."""
    with np.errstate(over="ignore"):  # features near the largest float give 0
        return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


#: From images to probabilities and features.
FeaturesFn = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def compile_features(network: lasagne.layers.Layer, batch_size: int = 500) -> FeaturesFn:
    """Compile a function from images to a network's probabilities and features.

    Parameters
    ----------
    network : lasagne Layer
        The output layer, with at least one dense layer below it.
    batch_size : int

    Returns
    -------
    function
        From images, (n, channels, rows, columns) with n at least 1, to probabilities, (n, classes),
        and features, (n, features): the inputs and the outputs of the last hidden layer, each scaled
        to a unit vector, side by side.
    """
    layers = lasagne.layers.get_all_layers(network)
    hidden = [layer for layer in layers if isinstance(layer, DenseLayer)][-2]
    inputs = layers[0].input_var
    function = theano.function(
        [inputs], lasagne.layers.get_output([network, hidden.input_layer, hidden], deterministic=True)
    )

    def features_of(images):
        probabilities, below, above = run_in_batches(function, images.astype(inputs.dtype), batch_size)
        below = below.reshape(len(below), -1)
        return probabilities, _unit(np.concatenate([_unit(below), _unit(above)], axis=1))

    return features_of


def learn_trust(features_of: FeaturesFn, images: np.ndarray, labels: np.ndarray) -> Trust:
    """Find the centres of known digits' features, and the limits of distance and ink.

    Parameters
    ----------
    features_of : function
        As `compile_features` returns it.
    images : array
        Digits outside the training set, (n, channels, rows, columns), n at least 2.
    labels : int array
        (n,).

    Returns
    -------
    Trust
    """
    probabilities, features = features_of(images)
    known, other = slice(None, None, 2), slice(1, None, 2)
    centres = np.stack([_centres(features[known][labels[known] == number]) for number in range(probabilities.shape[1])])
    distance = feature_distance(centres, probabilities[other], features[other])
    return Trust(
        centres, float(np.quantile(distance, DISTANCE_QUANTILE)), float(np.quantile(_ink(images), INK_QUANTILE))
    )


def _centres(features):
    """The centres of one class's features, (NUM_CENTRES, features); zeros where there are too few."""
    if len(features) < NUM_CENTRES:
        rest = np.zeros((NUM_CENTRES - len(features), features.shape[1]), features.dtype)
        return np.concatenate([features, rest])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about centres without a digit, which do no harm
        centres, _ = kmeans2(features, NUM_CENTRES, iter=10, minit="++", seed=0)
    return _unit(centres)


def _ink(images):
    return images.reshape(len(images), -1).sum(axis=1)


def feature_distance(centres: np.ndarray, probabilities: np.ndarray, features: np.ndarray) -> np.ndarray:
    """One minus the cosine to the nearest centre of the predicted class.

    Parameters
    ----------
    centres : array
        (classes, n, features).
    probabilities, features : arrays
        As the function of `compile_features` returns them.

    Returns
    -------
    array
        (n,): 0 at a centre, 1 for features orthogonal to all centres.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.trust import feature_distance
    >>> centres = np.array([[[1., 0.]], [[0., 1.]]])  # a centre a class
    >>> feature_distance(centres, np.array([[.9, .1], [.9, .1]]), np.array([[1., 0.], [.6, .8]]))
    array([0. , 0.4])
    """
    answers = probabilities.argmax(axis=1)
    distance = np.empty(len(features), features.dtype)
    for number in np.unique(answers):
        rows = answers == number
        distance[rows] = 1 - (features[rows] @ centres[number].T).max(axis=1)
    return distance


def why_unsure(
    trust: Trust, images: np.ndarray, probabilities: np.ndarray, features: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """Say why answers are unsure, in the explorer page's words.

    Parameters
    ----------
    trust : Trust
        As `learn_trust` returns it.
    images : array
        (n, channels, rows, columns).
    probabilities, features : arrays
        As the function of `compile_features` returns them.
    classes : sequence of str
        The names of the classes.

    Returns
    -------
    list of str
        For each image a few words; "" where the answer is sure.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.trust import Trust, why_unsure
    >>> trust = Trust(centres=np.array([[[1., 0.]], [[0., 1.]]]), max_distance=.2, max_ink=100.)
    >>> probabilities = np.array([[.9, .1], [.9, .1]])
    >>> why_unsure(trust, np.zeros((2, 1, 28, 28)), probabilities, np.array([[1., 0.], [.6, .8]]),
    ...            ["cat", "dog"])
    ['', 'unlike known pictures of cat']
    """
    too_much = "more ink than known pictures have" if images.shape[1] == 1 else "brighter than the known pictures"
    distance = feature_distance(trust.centres, probabilities, features)
    return [
        "no class has half of the probability"
        if row.max() < MIN_PROBABILITY
        else too_much
        if ink > trust.max_ink
        else "unlike known pictures of {}".format(classes[row.argmax()])
        if far > trust.max_distance
        else ""
        for row, ink, far in zip(probabilities, _ink(images), distance)
    ]


def is_unsure(trust: Trust, images: np.ndarray, probabilities: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Find the unsure answers.

    Parameters
    ----------
    trust, images, probabilities, features
        As for `why_unsure`.

    Returns
    -------
    bool array
        (n,).
    """
    classes = [str(number) for number in range(probabilities.shape[1])]
    return np.array([reason != "" for reason in why_unsure(trust, images, probabilities, features, classes)], bool)
