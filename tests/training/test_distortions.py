"""Distortions, against SciPy's and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from mnist_cnn.training import distortions


def smooth_images(n, height=28, width=28, seed=0):
    noise = np.random.RandomState(seed).rand(n, 1, height, width)
    return np.float32(ndimage.gaussian_filter(noise, (0, 0, 1, 1)))


class Chosen:
    """Stands for a generator: the same uniform numbers for every image, and no elastic field."""

    def __init__(self, *uniform):
        self.numbers = uniform

    def standard_normal(self, out, dtype):
        out[:] = 0

    def uniform(self, low, high, shape):
        assert (low, high) == (-1, 1)
        return np.tile(np.array(self.numbers, float), (shape[0], 1))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), st.floats(0, 20), st.integers(0, 99))
def test_warp_is_scipys(n, height, width, size, seed):
    rng = np.random.RandomState(seed)
    images = rng.rand(n, 1, height, width).astype(np.float32)
    rows, columns = rng.normal(0, size, (2, n, height * width)).astype(np.float32)
    y, x = np.indices((height, width)).reshape(2, -1)
    expected = [
        ndimage.map_coordinates(image[0].astype(float), [y + r, x + c], order=1, mode="grid-constant")
        for image, r, c in zip(images, rows, columns)
    ]
    result = distortions.warp(images, rows, columns)
    assert result.dtype == np.float32 and result.shape == images.shape
    np.testing.assert_allclose(result.reshape(n, -1), expected, atol=1e-5)


@pytest.mark.parametrize(
    "uniform",
    [
        (0, 0, 0, 0, 0, 0),
        (1, 0, 0, 0, 0, 0),
        (0, 1, -1, 0, 0, 0),
        (0, 0, 0, 1, 0, 0),
        (0, 0, 0, 0, 1, -0.5),
        (0.7, -0.3, 0.9, -1, 0.2, 0.4),
    ],
)
def test_affine_part_is_scipys(uniform):
    """What is read where: centre + R(angle) (stretched and slanted (p - centre)) + shift."""
    images = smooth_images(3)
    turn, tall, wide, slant, down, right = uniform * np.array([np.pi / 6, 0.2, 0.2, 0.3, 2, 2])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ [[1 + tall, slant], [0, 1 + wide]]
    centre = np.array([13.5, 13.5])
    expected = [
        ndimage.affine_transform(
            image[0].astype(float), matrix, centre - matrix @ centre + [down, right], order=1, mode="grid-constant"
        )
        for image in images
    ]
    function = distortions.distortions(rotation=30, scale=0.2, shear=0.3, shift=2)
    np.testing.assert_allclose(function(images, Chosen(*uniform))[:, 0], expected, atol=1e-5)


def test_no_distortion_returns_the_images():
    images = smooth_images(4)
    np.testing.assert_array_equal(distortions.distortions()(images, np.random.default_rng(0)), images)


@pytest.mark.parametrize("smoothness", [2, 4, 8])
def test_elastic_modes_have_the_covariance_of_smoothed_noise(smoothness):
    modes = distortions.elastic_modes(28, smoothness)
    y, x = np.indices((28, 28)).reshape(2, -1)
    squares = np.subtract.outer(y, y) ** 2 + np.subtract.outer(x, x) ** 2
    covariance = modes.T @ modes
    np.testing.assert_allclose(covariance.diagonal(), 1)
    np.testing.assert_allclose(covariance, np.exp(-squares / (4 * smoothness**2)), atol=0.06)


def test_simards_field():
    """His recipe done his way: the size that the documentation gives, and our fields' spread."""
    noise = np.random.RandomState(0).uniform(-1, 1, (600, 600))
    assert 34 * ndimage.gaussian_filter(noise, 4).std() == pytest.approx(1.38, rel=0.03)
    ramp = np.tile(np.arange(28, dtype=np.float32), (400, 1, 28, 1))  # its value is its column
    moved = distortions.distortions(elastic=1.38)(ramp, np.random.default_rng(0))
    inside = (moved - ramp)[:, 0, 8:20, 8:20]
    assert inside.std() == pytest.approx(1.38, rel=0.05) and abs(inside.mean()) < 0.1


def test_a_generator_decides():
    images, function = smooth_images(5), distortions.distortions(6, 0.06, 0.06, 1, 0.5)
    before = images.copy()
    first, again, other = (function(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2, 3)).all()  # every image anew
    np.testing.assert_array_equal(images, before)
    same = function(np.repeat(images[:1], 5, axis=0), np.random.default_rng(1))
    assert len(np.unique(same.reshape(5, -1), axis=0)) == 5  # each in its own way


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.floats(0, 180), st.floats(0, 0.9), st.floats(0, 30), st.floats(0, 30))
def test_values_stay_between_black_and_the_brightest(seed, rotation, scale, shift, elastic):
    images = smooth_images(3)
    result = distortions.distortions(rotation, scale, scale, shift, elastic)(images, np.random.default_rng(seed))
    assert result.shape == images.shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= images.max() * (1 + 1e-6)


def test_a_share_of_the_batch():
    """Half of a batch is what it was; the other half is as distorted as it would be alone."""
    images = smooth_images(7)
    some = distortions.distortions(rotation=20, elastic=1, share=0.5)
    result = some(images, np.random.default_rng(3))
    np.testing.assert_array_equal(result[4:], images[4:])
    alone = distortions.distortions(rotation=20, elastic=1)(images[:4], np.random.default_rng(3))
    np.testing.assert_array_equal(result[:4], alone)
    assert (abs(alone - images[:4]).reshape(4, -1).max(axis=1) > 0.01).all()


def test_the_channels_of_an_image_go_the_same_way():
    images = smooth_images(6, 20, 32)
    colour = np.concatenate([images, 2 * images, 1 - images], axis=1)
    function = distortions.distortions(size=(20, 32), share=0.5, **distortions.DISTORTIONS)
    grey = function(images, np.random.default_rng(3))
    moved = function(colour, np.random.default_rng(3))
    assert moved.shape == colour.shape and not np.allclose(grey[:3], images[:3], atol=0.01)
    np.testing.assert_allclose(moved[:, :1], grey, atol=1e-6)
    np.testing.assert_allclose(moved[:, 1:2], 2 * grey, atol=1e-6)
    np.testing.assert_array_equal(moved[3:], colour[3:])
