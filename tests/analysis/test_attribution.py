"""Why this answer, and how good the answers are: the numbers behind the figures."""

import lasagne
import numpy as np
import pytest

from mnist_cnn.analysis import attribution, metrics


@pytest.fixture(scope="module")
def scores(cnn):
    return attribution.compile_scores(cnn[0])


def test_scores_are_softmaxs(cnn, scores, mnist):
    network, input_var, _ = cnn
    images = mnist[4][:5]
    exps = np.exp(scores[0](images).astype(float))
    probabilities = lasagne.layers.get_output(network, deterministic=True).eval({input_var: images})
    np.testing.assert_allclose(exps / exps.sum(axis=1, keepdims=True), probabilities, rtol=1e-4, atol=1e-7)


def test_saliency_against_finite_differences(scores, mnist):
    """Along random directions, since float32 leaves single pixels in the noise.

    On the average of many, since a step may cross a bend of a rectifier or a maximum.
    """
    score_fn, gradient_fn = scores
    rng = np.random.RandomState(0)
    image = (mnist[4][0] + rng.rand(1, 28, 28) * 0.2).astype(np.float32)
    maps = attribution.saliency(gradient_fn, image, [7, 2])
    assert maps.shape == (2, 28, 28)
    directions = rng.randn(40, 1, 28, 28).astype(np.float32)
    step = 5e-4
    up, down = (score_fn(image + s * step * directions)[:, [7, 2]] for s in (1, -1))
    slopes = (up - down) / (2 * step)
    errors = np.tensordot(directions[:, 0], maps, ([1, 2], [1, 2])) - slopes
    assert np.abs(errors).mean() < 0.05 * np.abs(slopes).mean()


def test_integrated_gradients_are_complete(scores, mnist):
    """They sum to what the image's score is above black's; background gets nothing."""
    score_fn, gradient_fn = scores
    for index in (0, 1, 2):
        image = mnist[4][index]
        maps = attribution.integrated_gradients(gradient_fn, image, range(10))
        gain = score_fn(image[None])[0] - score_fn(np.zeros_like(image)[None])[0]
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), gain, atol=0.05)
        assert (maps[:, image[0] == 0] == 0).all()
    with pytest.raises(ValueError):
        attribution.integrated_gradients(gradient_fn, image, [0], steps=0)


@pytest.mark.parametrize("size, fill", [(1, 0), (5, 0), (7, 0.5)])
def test_occlusion_against_a_plain_loop(scores, mnist, size, fill):
    score_fn = scores[0]
    image = mnist[4][3]
    drops = attribution.occlusion(score_fn, image, size, fill)
    whole = score_fn(image[None])[0]
    half = size // 2
    for row, column in ((0, 0), (3, 27), (14, 14), (27, 5), (10, 12)):
        hidden = image.copy()
        for r in range(max(0, row - half), min(28, row + half + 1)):
            for c in range(max(0, column - half), min(28, column + half + 1)):
                hidden[0, r, c] = fill
        np.testing.assert_allclose(drops[:, row, column], whole - score_fn(hidden[None])[0], atol=1e-4)
    with pytest.raises(ValueError):
        attribution.occlusion(score_fn, image, 4)


def test_confusion_matrix():
    matrix = metrics.confusion_matrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0], 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_wilson_interval_as_published():
    """Values of the closed form in Brown, Cai and DasGupta 2001, and the ends."""
    np.testing.assert_allclose(metrics.wilson_interval(15, 20), (0.5313, 0.8881), atol=1e-4)
    np.testing.assert_allclose(metrics.wilson_interval(0, 10), (0, 0.2775), atol=1e-4)
    np.testing.assert_allclose(metrics.wilson_interval(10, 10), (0.7225, 1), atol=1e-4)


def test_calibration_by_hand():
    """Two bins: (0.6, 0.8) half right, (0.95, 0.85) all right, with a boundary in its lower bin."""
    confidences, correct = np.array([0.6, 0.8, 0.95, 0.85]), np.array([True, False, True, True])
    counts, right, means = metrics.calibration_bins(confidences, correct, 5)
    assert counts.tolist() == [0, 0, 1, 1, 2] and right.tolist() == [0, 0, 1, 0, 2]
    np.testing.assert_allclose(means[2:], [0.6, 0.8, 0.9])
    assert metrics.expected_calibration_error(confidences, correct, 5) == pytest.approx(
        (abs(1 - 0.6) + abs(0 - 0.8) + 2 * abs(1 - 0.9)) / 4
    )


def test_confident_mistakes():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    assert metrics.confident_mistakes(probabilities, np.array([1, 1, 1, 0]), 2).tolist() == [0, 3]
