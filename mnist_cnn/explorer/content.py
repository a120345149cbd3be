"""The page's data, computed from a model and a data set."""

import os
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import lasagne
import numpy as np
import theano
from lasagne.layers import Conv2DLayer, DenseLayer

from ..analysis.embedding import pca
from ..analysis.materials import snapshots_of
from ..analysis.metrics import confident_mistakes
from ..analysis.trust import Trust, compile_features, learn_trust
from ..data import load_dataset_of
from ..datasets.card import require_same_data
from ..datasets.labels import noun
from ..model import load_model
from ..predict import run_in_batches
from ..storage.film import restore, thin_out
from ..storage.records import load_film, snapshots_path
from ..system.errors import MnistCnnError
from .embed import pack_images, pack_pixels

__all__ = ["Content", "Plane", "Frame", "choose_digits", "find_favourites", "keep_small", "collect"]

NUM_FAVOURITES = 9
PLANE_POINTS = 2000
KNOWN = 600  # training images
FILM_FRAMES = 6  # of about 130,000 characters each
MAX_SIZE = 2.05e6  # characters of test images

#: ``summary``, a line of text; ``names`` of the classes, list of str; ``models``, pairs of a name and
#: weights (list of arrays); test ``images``, uint8 (n, channels, rows, columns), and their ``labels``,
#: (n,); ``nothing``, the colour of an empty pixel, uint8 (channels,); ``gallery``, as `choose_digits`
#: returns it; ``favourites``, as `find_favourites` does; ``trust``, a `mnist_cnn.analysis.trust.Trust`;
#: ``plane``, a `Plane`; ``known``, training images and labels; ``film``, list of `Frame`;
#: ``handwriting``, whether the page centres a drawing like MNIST's digits.
Content = namedtuple(
    "Content",
    "summary names models images labels nothing gallery favourites trust plane known film handwriting",
    defaults=(True,),
)

#: The plane of the first two principal components of the test images' features: ``mean`` (features,),
#: ``components`` (2, features) and ``points`` (n, 2) of the first images.
Plane = namedtuple("Plane", "mean components points")

#: An epoch of the training: ``codes`` and ``scales`` of all weights, as `mnist_cnn.storage.film.quantize`
#: returns them, and ``accuracy`` of these weights on the test set, in [0, 1].
Frame = namedtuple("Frame", "epoch codes scales accuracy")


def choose_digits(
    probabilities: np.ndarray, labels: np.ndarray, num_mistakes: int = 12
) -> list[dict[str, int | float]]:
    """Choose test images to show: one of each class, and the worst mistakes.

    Parameters
    ----------
    probabilities : array
        (n, classes).
    labels : array
        The true classes, (n,).
    num_mistakes : int
        The maximum number of mistakes.

    Returns
    -------
    list of dict
        ``index``, the network's ``answer`` and its ``confidence``, and ``mistake`` (bool): for each
        class the first image with a right answer, then the mistakes, the most confident first.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.explorer.content import choose_digits
    >>> probabilities = np.array([[.9, .1], [.2, .8], [.6, .4]])
    >>> for digit in choose_digits(probabilities, np.array([0, 1, 1])):
    ...     print(digit)
    {'index': 0, 'answer': 0, 'confidence': 0.9, 'mistake': False}
    {'index': 1, 'answer': 1, 'confidence': 0.8, 'mistake': False}
    {'index': 2, 'answer': 0, 'confidence': 0.6, 'mistake': True}
    """
    answers = probabilities.argmax(axis=1)
    right = answers == labels
    examples = [np.flatnonzero(right & (labels == digit))[0] for digit in np.unique(labels[right])]
    mistakes = confident_mistakes(probabilities, labels, num_mistakes)
    return [
        {
            "index": int(i),
            "answer": int(answers[i]),
            "confidence": round(float(probabilities[i].max()), 4),
            "mistake": bool(not right[i]),
        }
        for i in [*examples, *mistakes]
    ]


def find_favourites(
    network: lasagne.layers.Layer, images: np.ndarray, count: int = NUM_FAVOURITES, batch_size: int = 500
) -> np.ndarray:
    """Find the images that excite each map, dense unit and class most.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.
    images : array
        (n, channels, rows, columns), n at least `count`.
    count : int
        The number of images for each.
    batch_size : int

    Returns
    -------
    int array
        (maps and units of all layers with weights, `count`): indices of images, the most exciting
        first. The value of a map is its maximum, that of a class its logit.
    """
    layers = [layer for layer in lasagne.layers.get_all_layers(network) if isinstance(layer, (Conv2DLayer, DenseLayer))]
    outputs = lasagne.layers.get_output(layers[:-1], deterministic=True)
    scores = outputs[-1].dot(layers[-1].W) + layers[-1].b
    values = [maps.flatten(3).max(axis=2) if maps.ndim == 4 else maps for maps in outputs]
    inputs = lasagne.layers.get_all_layers(network)[0].input_var
    function = theano.function([inputs], theano.tensor.concatenate(values + [scores], axis=1))
    excitement = run_in_batches(function, images.astype(inputs.dtype), batch_size)
    return np.argsort(-excitement, axis=0, kind="stable")[:count].T


def keep_small(images: np.ndarray) -> np.ndarray:
    """Take as many of the first images as keep the page small.

    All of MNIST's 10,000 test digits fit, and fewer images that compress worse.

    Parameters
    ----------
    images : uint8 array
        (n, channels, rows, columns).

    Returns
    -------
    uint8 array
        The first images, at least NUM_FAVOURITES.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.explorer.content import keep_small
    >>> noise = np.random.RandomState(1).randint(256, size=(5000, 1, 28, 28)).astype(np.uint8)
    >>> len(keep_small(noise)), len(keep_small(0 * noise))
    (2085, 5000)
    """
    probe = images[:500]
    texts = pack_images(probe) if images.shape[1] == 1 else (pack_pixels(probe),)
    size = sum(map(len, texts)) / len(probe)
    return images[: max(NUM_FAVOURITES, int(MAX_SIZE / size))]


def _round_trust(trust):
    """Quantize the centres to bytes, as fractions of the largest value."""
    return Trust(
        np.rint(trust.centres.clip(0) * (255 / trust.centres.max())).astype(np.uint8), trust.max_distance, trust.max_ink
    )


def collect(
    model: Path | str,
    compare: Path | str | None = None,
    data_dir: Path | str | None = None,
    dataset: str | None = None,
    names: Sequence[str] | None = None,
) -> Content:
    """Compute the page's data.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    compare, data_dir, dataset
        As for `mnist_cnn.explorer.main`.
    names : list of str, optional
        The classes' names; by default those of the data card.

    Returns
    -------
    Content

    Raises
    ------
    MnistCnnError
        When a model or the data cannot be used.
    """
    network, card = load_model(model)
    weights = lasagne.layers.get_all_param_values(network)
    models = [(Path(model).name, weights)]
    if compare is not None:
        second, card_second = load_model(compare)
        models.append((Path(compare).name, lasagne.layers.get_all_param_values(second)))
    loaded = load_dataset_of(model, card, data_dir, dataset)
    if compare is not None:
        require_same_data(compare, card_second, loaded.card)
    X_train, y_train, X_val, y_val, X_test, y_test = loaded
    shape = X_test.shape[1:]
    if shape[1] != shape[2]:
        raise MnistCnnError(
            "the page needs square images, and those of this data set have {} x {} pixels".format(*shape[1:])
        )
    if len(X_test) < NUM_FAVOURITES:
        raise MnistCnnError(
            "the page needs at least {} test images, and the data set has {}".format(NUM_FAVOURITES, len(X_test))
        )
    if names is None:
        names = list(loaded.card.classes)
    print("Looking for the network's worst mistakes among {} test {}s...".format(len(y_test), noun(names)))
    features_of = compile_features(network)
    probabilities, features = features_of(X_test)
    summary = ("Your own network, {}: {:,} learned numbers, and {:.2f} % of {:,} test {}s right.").format(
        models[0][0],
        sum(array.size for array in weights),
        100 * np.mean(probabilities.argmax(axis=1) == y_test),
        len(y_test),
        noun(names),
    )
    images = keep_small(_as_bytes(X_test))
    shown = slice(len(images))
    nothing = np.zeros(1) if shape[0] == 1 else np.rint(256 * X_test.mean(axis=(0, 2, 3)))
    return Content(
        summary,
        names,
        models,
        images,
        y_test[shown],
        np.uint8(nothing.clip(0, 255)),
        choose_digits(probabilities[shown], y_test[shown]),
        find_favourites(network, X_test[shown]),
        _round_trust(learn_trust(features_of, X_val, y_val)),
        _plane(features[shown][:PLANE_POINTS]),
        (_as_bytes(X_train[:KNOWN]), y_train[:KNOWN]),
        _film(model, network, features_of, X_test, y_test),
        card.is_handwriting,
    )


def _as_bytes(images):
    return np.uint8(np.rint(images * 256).clip(0, 255))


def _plane(features):
    points, components, _ = pca(features)
    return Plane(features.mean(axis=0), components, points)


def _film(model, network, features_of, images, labels):
    """The frames of the training with their test accuracies; empty without snapshots."""
    if not os.path.exists(snapshots_path(model)):
        return []
    weights = lasagne.layers.get_all_param_values(network)
    snapshots_of(model, weights[0])
    saved = thin_out(load_film(model, len(weights), sum(array.size for array in weights)), FILM_FRAMES)
    frames = []
    for epoch, (codes, scales) in sorted(saved.items()):
        lasagne.layers.set_all_param_values(
            network,
            [
                array.astype(like.dtype)
                for array, like in zip(restore(codes, scales, [array.shape for array in weights]), weights)
            ],
        )
        probabilities, _ = features_of(images)
        frames.append(Frame(epoch, codes, scales, float(np.mean(probabilities.argmax(axis=1) == labels))))
    lasagne.layers.set_all_param_values(network, weights)
    return frames
