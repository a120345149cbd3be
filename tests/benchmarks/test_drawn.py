"""The pictures that benchmarks draw: digits on photographs, and pictures of no digit."""

import numpy as np
import pytest

from mnist_cnn.benchmarks import photos, unsure
from mnist_cnn.system.errors import MnistCnnError


def test_pictures_of_no_digit(mnist):
    letters = unsure.draw_letters()
    assert len(letters) % len(unsure.LETTERS) == 0
    drawn = [letters, unsure.draw_scribbles(3), unsure.draw_shapes(5), unsure.draw_dots()]
    for images in [*drawn, unsure.pair_digits(mnist[4], 3)]:
        assert images.shape[1:] == (1, 28, 28) and images.dtype == np.float32
        assert (images >= 0).all() and (images <= 1).all() and (images.sum(axis=(1, 2, 3)) > 5).all()


def test_photographs_repeat():
    images, labels = photos.clear_digits()
    assert 800 < len(images) == len(labels) < 1000
    one, again = (photos.draw_photo("a number", 3, images, labels) for _ in range(2))
    assert (one.pixels == again.pixels).all() and one.digits == again.digits and 2 <= len(one.digits) <= 4


@pytest.mark.parametrize("measure", [photos.measure, unsure.measure])
def test_no_model(measure):
    with pytest.raises(MnistCnnError, match="cannot read no-model.npz"):
        measure("no-model.npz")
