"""Batches put together again."""

import numpy as np
import pytest

from mnist_cnn.predict import run_in_batches


@pytest.mark.parametrize("n", [1, 3, 4, 9])
def test_as_if_at_once(n):
    images = np.random.RandomState(0).rand(n, 1, 2, 2)
    sizes = []

    def both(batch):
        sizes.append(len(batch))
        return [batch.sum(axis=(1, 2, 3)), batch * 2]

    sums, doubles = run_in_batches(both, images, 4)
    np.testing.assert_array_equal(sums, images.sum(axis=(1, 2, 3)))
    np.testing.assert_array_equal(doubles, images * 2)
    assert max(sizes) <= 4 and sum(sizes) == n
    np.testing.assert_array_equal(run_in_batches(np.negative, images, 4), -images)
