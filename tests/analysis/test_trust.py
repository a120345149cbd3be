"""Which answers deserve trust, measured on digits and on pictures that are none."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_cnn.analysis import trust
from mnist_cnn.pictures.digits import fit_to_field


@pytest.fixture(scope="module")
def learned(cnn, mnist):
    """The trained network's features, and what `learn_trust` makes of the validation digits."""
    features_of = trust.compile_features(cnn[0])
    return features_of, trust.learn_trust(features_of, mnist[2], mnist[3])


def share_unsure(learned, images):
    features_of, limits = learned
    return trust.is_unsure(limits, images, *features_of(images)).mean()


def draw(paint):
    picture = Image.new("L", (280, 280))
    paint(ImageDraw.Draw(picture))
    return fit_to_field(np.asarray(picture) / 255)[None]


def test_few_false_alarms(learned, mnist):
    """The limits come from other digits than these; the network has seen but two epochs."""
    features_of, limits = learned
    probabilities, features = features_of(mnist[4])
    unsure = trust.is_unsure(limits, mnist[4], probabilities, features)
    right = probabilities.argmax(axis=1) == mnist[5]
    assert 0.001 < unsure[right].mean() < 0.015
    assert unsure[~right].mean() > 10 * unsure[right].mean()


def test_scribbles_and_two_digits_are_unsure(learned, mnist):
    rng = np.random.RandomState(0)
    scribbles = np.stack(
        [
            draw(lambda pen: pen.line([tuple(p) for p in rng.randint(30, 250, (20, 2)).tolist()], fill=255, width=18))
            for _ in range(60)
        ]
    )
    assert share_unsure(learned, scribbles) > 0.4
    two = np.concatenate([mnist[4][:200, 0], mnist[4][200:400, 0]], axis=2)
    two = np.stack([fit_to_field(pair)[None] for pair in two])
    assert share_unsure(learned, two) > 0.5


def test_a_dot_is_unsure(learned):
    dot = draw(lambda pen: pen.ellipse([120, 120, 160, 160], fill=255))
    assert share_unsure(learned, dot[None]) == 1


def test_distance_is_one_minus_the_cosine():
    centres = np.zeros((2, 1, 3))
    centres[0, 0, 0] = centres[1, 0, 1] = 1
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    features = np.array([[0.6, 0.8, 0], [0.6, 0.8, 0]])
    np.testing.assert_allclose(trust.feature_distance(centres, probabilities, features), [0.4, 0.2])


def test_each_rule_alone():
    centres = np.eye(2)[:, None]
    limits = trust.Trust(centres, 0.3, 100.0)
    images = np.zeros((4, 1, 28, 28))
    images[1] = 0.5  # ink of 392
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.4], [0.9, 0.1]])
    features = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert trust.is_unsure(limits, images, probabilities, features).tolist() == [False, True, True, True]


def test_a_class_without_digits():
    """A data set may lack a class: any picture of it is strange."""
    rng = np.random.RandomState(0)

    def features_of(images):
        flat = images.reshape(len(images), -1)
        return np.repeat([[0.9, 0.1]], len(images), axis=0), flat / np.linalg.norm(flat, axis=1, keepdims=True)

    limits = trust.learn_trust(features_of, rng.rand(50, 1, 2, 2), np.zeros(50, int))
    assert limits.centres.shape == (2, trust.NUM_CENTRES, 4)
    assert (limits.centres[1] == 0).all()
    assert np.isfinite(limits.max_distance)
