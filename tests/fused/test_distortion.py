"""The distortions in C++, against the NumPy ones."""

import numpy as np
import pytest
import theano.tensor as T
from hypothesis import given, settings, strategies as st

from mnist_cnn.fused.ops.distortion import DistortImages, compile_move_pixels
from mnist_cnn.training import distortions
from mnist_cnn.training.engine import Engine


@pytest.fixture(scope="module")
def move():
    return compile_move_pixels()


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 30),
    st.floats(0, 30),
    st.integers(0, 99),
)
def test_any_images_and_fields(move, distorted, others, rows, columns, count, size, seed):
    rng = np.random.RandomState(seed)
    images = rng.rand(distorted + others, 1, rows, columns).astype(np.float32)
    factors = rng.normal(size=(2, distorted, count)).astype(np.float32)
    fields = rng.normal(0, size, (count, rows * columns)).astype(np.float32)
    before = images.copy()
    result = move(images, factors, fields)
    assert result.dtype == np.float32
    # a displacement of hundreds of pixels is known to 1e-4 of one
    np.testing.assert_allclose(
        result, distortions.move_pixels(images, factors, fields), atol=1e-5 + 1e-6 * size * count
    )
    np.testing.assert_array_equal(result[distorted:], images[distorted:])
    np.testing.assert_array_equal(images, before)


def test_the_recipes_distortions(mnist):
    """The engine's are NumPy's up to rounding, the same from the same key, and new arrays."""
    images = mnist[0][:101]
    fast, plain = (Engine(name).distortions(0.5) for name in ("fused", "plain"))
    first, again = (fast(images, np.random.default_rng([1, 2])) for _ in range(2))
    expected = plain(images, np.random.default_rng([1, 2]))
    np.testing.assert_allclose(first, expected, atol=2e-6)
    assert abs(first - images).reshape(101, -1).max(axis=1).astype(bool).sum() == 50
    np.testing.assert_array_equal(first, again)
    assert not np.shares_memory(first, again) and not np.shares_memory(first, images)


def test_what_is_no_number_stays_in_the_frame(move):
    """Displacements that are NaN or infinite read inside the image or its frame, nowhere else."""
    images = np.ones((3, 1, 6, 7), np.float32)
    factors = np.array([np.nan, np.inf, -1e30], np.float32).reshape(1, 3, 1).repeat(2, axis=0)
    result = move(images, factors, np.ones((1, 42), np.float32))
    assert np.isfinite(result).all() and result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize(
    "shapes, named",
    [
        (((3, 2, 6, 7), (2, 3, 1), (1, 42)), "images"),
        (((3, 1, 6, 7), (2, 4, 1), (1, 42)), "factors"),
        (((3, 1, 6, 7), (1, 3, 1), (1, 42)), "factors"),
        (((3, 1, 6, 7), (2, 3, 2), (1, 42)), "factors"),
        (((3, 1, 6, 7), (2, 3, 1), (1, 41)), "fields"),
    ],
)
def test_wrong_shapes_are_named(move, shapes, named):
    with pytest.raises(ValueError, match=named):
        move(*(np.zeros(shape, np.float32) for shape in shapes))


def test_arrays_in_another_order(move):
    images = np.zeros((3, 1, 6, 7), np.float32)
    with pytest.raises(ValueError, match="C-contiguous"):
        move(images[:, :, :, ::-1], np.zeros((2, 3, 1), np.float32), np.zeros((1, 42), np.float32))


def test_wrong_types():
    with pytest.raises(TypeError, match="images: wanted dtype float32"):
        DistortImages()(T.dtensor4(), T.ftensor3(), T.fmatrix())
