"""Figures and numbers of data that are no digits: names, many classes, colour, other shapes."""

import re
import types

import matplotlib.pyplot as plt
import numpy as np
import pytest
from texts import assert_texts_fit

from mnist_cnn import visualize
from mnist_cnn.analysis import attribution, captions, figures, metrics, plots
from mnist_cnn.datasets import labels
from mnist_cnn.drawing import colour, layout
from mnist_cnn.system.errors import MnistCnnError

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
LETTERS = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")  # 47, EMNIST's
LONG = ["an unusually long name of class {}".format(number) for number in range(26)]
IN_GREY, IN_COLOUR = (28, 28), (32, 32, 3)


@pytest.fixture
def rng():
    return np.random.RandomState(0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


# --- names ------------------------------------------------------------------------------------


def test_a_class_is_found_by_its_name():
    assert labels.find_class(FASHION, "Sneaker") == labels.find_class(FASHION, "sneaker") == 7
    assert labels.find_class(LETTERS, "a") != labels.find_class(LETTERS, "A")
    with pytest.raises(MnistCnnError, match="no class 'shoe'; there are: T-shirt/top, Trouser"):
        labels.find_class(FASHION, "shoe")
    with pytest.raises(MnistCnnError):
        labels.find_class(["ab", "AB", "c"], "Ab")  # which of the two?


def test_digits_have_an_article_and_other_classes_have_none():
    assert labels.named([str(number) for number in range(10)], 7) == "a 7"
    assert labels.named(FASHION, 7) == "Sneaker"
    assert labels.noun(FASHION) == labels.noun([str(n) for n in range(47)]) == "image"
    assert labels.shorten("T-shirt/top", 11) == "T-shirt/top"
    assert len(labels.shorten(LONG[0], 16)) <= 16


# --- colour -----------------------------------------------------------------------------------


def test_kernels_in_colour(rng):
    kernels = rng.randn(4, 3, 5, 5)
    kernels[1] = 0
    pictures = colour.in_colour(kernels)
    for kernel, picture in zip(kernels, pictures):
        limit = abs(kernel).max() or 1
        for row in range(5):
            for column in range(5):
                np.testing.assert_allclose(picture[row, column], 0.5 + kernel[:, row, column] / limit / 2)
    assert (pictures[1] == 0.5).all()  # zero is grey, and no filter is divided by 0
    assert {0, 1} & set(np.round(pictures[0], 12).ravel())
    drawn = [ax.images[0].get_array() for ax in visualize.plot_kernels(kernels).axes]
    np.testing.assert_array_equal(drawn, pictures)
    sheets = [ax.images[0].get_array() for ax in visualize.plot_kernels(kernels, diverging=True).axes[:4]]
    np.testing.assert_array_equal(np.ma.getdata(sheets[0])[:, 6:11], kernels[0, 1])  # green


def test_images_are_laid_out_for_matplotlib(rng):
    images = rng.rand(5, 3, 4, 6)
    np.testing.assert_array_equal(colour.as_picture(images)[2, 3, 1], images[2, :, 3, 1])
    assert colour.as_picture(images[:, :1]).shape == (5, 4, 6)
    np.testing.assert_allclose(colour.as_picture(rng.rand(5, 2, 4, 6)).shape, (5, 4, 6))
    sheet = layout.mosaic(colour.as_picture(images), 2)
    assert sheet.shape == (14, 13, 3) and (sheet[4] == 1).all() and np.isfinite(sheet).all()


@pytest.fixture
def linear(rng):
    """A score that is linear in a colour image, and its gradient, as `compile_scores` has them."""
    weights = rng.randn(3, 3, 6, 7)

    def score_fn(images):
        return np.einsum("ncij,kcij->nk", images, weights)

    def gradient_fn(images, numbers):
        return weights[numbers]

    return weights, score_fn, gradient_fn


def test_saliency_in_colour_is_the_largest_of_the_channels(linear, rng):
    weights, _, gradient_fn = linear
    maps = attribution.saliency(gradient_fn, rng.rand(3, 6, 7), [2, 0, (2, 0)])
    np.testing.assert_array_equal(maps[0], abs(weights[2]).max(axis=0))
    np.testing.assert_array_equal(maps[1], abs(weights[0]).max(axis=0))
    np.testing.assert_array_equal(maps[2], abs(weights[2] - weights[0]).max(axis=0))


def test_integrated_gradients_in_colour_are_complete(linear, rng):
    _, score_fn, gradient_fn = linear
    image, grey = rng.rand(3, 6, 7), np.full((3, 1, 1), 0.4)
    maps = attribution.integrated_gradients(gradient_fn, image, [0, 1, 2], grey, steps=4)
    assert maps.shape == (3, 6, 7)
    scores = score_fn(np.stack([image, np.broadcast_to(grey, image.shape)]))
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), scores[0] - scores[1])


def test_occlusion_hides_all_channels_behind_a_colour(linear, rng):
    _, score_fn, _ = linear
    image, colour = rng.rand(3, 6, 7), np.array([0.1, 0.5, 0.9])
    drops = attribution.occlusion(score_fn, image, 3, colour[:, None, None])
    for row, column in ((0, 0), (2, 3), (5, 6)):
        hidden = image.copy()
        for y in range(max(0, row - 1), min(6, row + 2)):
            for x in range(max(0, column - 1), min(7, column + 2)):
                hidden[:, y, x] = colour
        np.testing.assert_allclose(drops[:, row, column], (score_fn(image[None]) - score_fn(hidden[None]))[0])


# --- figures ----------------------------------------------------------------------------------


def draw(name, names, shape, rng):
    """A figure of random numbers."""
    count = len(names)
    image = rng.rand(*shape)
    images = rng.rand(60, *shape)
    labels = rng.randint(count, size=60)
    probabilities = rng.dirichlet(np.full(count, 0.3), size=60)
    shown = "test image 9999 ({})".format(names[1])
    maps = rng.randn(count, *shape[:2])
    if name == "activations":
        layers = {
            "conv 1": rng.rand(32, 28, 28),
            "pool 1": rng.rand(32, 14, 14),
            "conv 2": rng.rand(32, 10, 10),
            "pool 2": rng.rand(32, 5, 5),
            "dense": rng.rand(256),
            "output": probabilities[0],
        }
        return plots.plot_activations(image, layers, shown[:40], names)
    if name == "attribution":
        methods = {
            "saliency\n(largest gradient) [nats/brightness]": abs(maps[:3]),
            "integrated gradients\n[nats]": maps[:3],
            "occlusion\nby 5 x 5 pixels [nats]": maps[:3],
        }
        best = probabilities[0].argsort()
        return plots.plot_attributions(image, methods, [best[-1], best[-2]], probabilities[0], "a picture", names)
    if name == "occlusion":
        return plots.plot_occlusion(image, maps, abs(maps[0]).clip(0, 1), probabilities[0], "a picture", 5, names)
    if name == "confusion":
        return plots.plot_confusion(rng.randint(1000, size=(count, count)), names)
    if name == "accuracy":
        counts = np.r_[0, np.full(count - 1, 1000)]  # of the first class there is none
        right = rng.randint(600, 1000, size=count) * (counts > 0)
        return plots.plot_accuracy(right, counts, *metrics.wilson_interval(right, np.maximum(counts, 1)), names)
    if name == "mistakes":
        return plots.plot_mistakes(images[:24], labels[:24], probabilities[:24], np.arange(9000, 9024), names)
    if name == "embedding":
        return plots.plot_embedding(rng.randn(60, 2), labels, images, "Images", names=names)
    return plots.plot_classes(images[:count] if count <= 60 else images, probabilities[0], names)


FIGURES = ("activations", "attribution", "occlusion", "confusion", "accuracy", "mistakes", "embedding", "classes")


@pytest.mark.parametrize(
    "name, names, shape",
    [
        *((name, FASHION, IN_GREY) for name in FIGURES),
        *((name, LONG, IN_COLOUR) for name in FIGURES),
        ("confusion", LETTERS, IN_GREY),
        ("embedding", LETTERS, IN_GREY),
    ],
)
def test_names_fit_and_do_not_overlap(name, names, shape, rng, monkeypatch):
    assert_texts_fit(draw(name, names, shape, rng), monkeypatch)


def test_of_many_classes_the_likeliest_are_shown():
    probabilities = np.zeros(47)
    probabilities[[3, 20, 46]] = 0.5, 0.3, 0.2
    shown = plots.marks.likeliest(probabilities, besides=[40])
    assert len(shown) == 10 and {3, 20, 40, 46} < set(shown) and shown == sorted(shown)
    assert plots.marks.likeliest(probabilities[:10]) == list(range(10))
    assert len(set(plots.marks.class_colours(47))) == 47


def test_the_film_of_colour_kernels(rng):
    snapshots = rng.randn(3, 32, 3, 5, 5)
    frames = plots.draw_evolution(snapshots, np.arange(3))
    assert len(frames) == 3 and np.ptp(frames[0].astype(int), axis=2).max() > 100  # in colour
    plots.plot_evolution(snapshots, np.arange(3))


def test_the_film_where_figures_are_vectors(rng):
    backend = plt.get_backend()
    plt.switch_backend("svg")
    try:
        assert plots.draw_evolution(rng.randn(2, 32, 1, 5, 5), np.arange(2))[1].any()
    finally:
        plt.switch_backend(backend)


# --- captions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("names, shape", [(FASHION, (1, 28, 28)), (LONG, (3, 32, 32)), (LETTERS, (2, 32, 24))])
def test_captions_speak_of_images(names, shape):
    layer = types.SimpleNamespace(output_shape=(None, 32, 28, 28))
    materials = types.SimpleNamespace(images=np.zeros((1,) + shape), noun=labels.noun(names), layers={"conv 1": layer})
    for name in figures.FIGURES:
        heading, text = captions.caption(name, materials)
        assert "{" not in text and "digit" not in heading + text, name
    text = captions.caption("kernels", materials)[1]
    assert bool(re.search(r"\bred\b", text)) == (shape[0] == 3)
