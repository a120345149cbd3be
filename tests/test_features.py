"""What the network computes on its way: positions, patches, maxima and components."""

import numpy as np
import pytest

import lasagne

from mnist_cnn import features


def test_layers_by_name(cnn, mnist):
    """Each named activation is the layer's own; pooling is checked in NumPy."""
    network, input_var, _ = cnn
    images = mnist[4][:7]
    found = features.compile_activations(network)(images, batch_size=3)
    assert list(found) == ["input", "conv 1", "pool 1", "conv 2", "pool 2", "dense", "output"]
    np.testing.assert_array_equal(found["input"], images)
    for conv, pool in (("conv 1", "pool 1"), ("conv 2", "pool 2")):
        n, k, rows, columns = found[conv].shape
        np.testing.assert_array_equal(
            found[pool], found[conv].reshape(n, k, rows // 2, 2, columns // 2, 2).max(axis=(3, 5)))
    np.testing.assert_allclose(found["output"].sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="conv 3"):
        features.compile_activations(network)(images, ["conv 3"])


@pytest.mark.parametrize("name, side", [("conv 1", 5), ("pool 1", 6), ("conv 2", 14),
                                        ("pool 2", 16)])
def test_receptive_field_is_what_changes_the_unit(cnn, mnist, name, side):
    """Change each pixel in turn: the unit of a linear copy of the network moves for those inside.

    With pooling by maximum a pixel within the field may happen not to matter; so what matters must
    lie within the field, and noise on all of the field's edges must matter.
    """
    network, _, _ = cnn
    compute = features.compile_activations(network)
    row = column = 2
    layer = features.name_layers(network)[name]
    rows, columns = features.receptive_field(layer, row, column)
    assert rows.stop - rows.start == columns.stop - columns.start == side
    rng = np.random.RandomState(0)
    image = rng.rand(1, 28, 28).astype(np.float32)
    variants = np.repeat(image[None], 28 * 28, axis=0)
    variants.reshape(784, 784)[np.arange(784), np.arange(784)] += 2
    units = compute(np.concatenate([image[None], variants]), [name])[name][:, :, row, column]
    matters = (units[1:] != units[0]).any(axis=1).reshape(28, 28)
    inside = np.zeros((28, 28), bool)
    inside[rows, columns] = True
    assert not matters[~inside].any()
    found = np.argwhere(matters)
    assert found.min(axis=0).tolist() == [rows.start, columns.start]
    assert found.max(axis=0).tolist() == [rows.stop - 1, columns.stop - 1]


def test_top_patches_excite_most(cnn, mnist):
    network, _, _ = cnn
    images = mnist[4][:60]
    layer = features.name_layers(network)["conv 2"]
    maps = features.compile_activations(network)(images, ["conv 2"])["conv 2"]
    patches, values, indices = features.top_patches(layer, maps, images, count=4)
    assert patches.shape == (32, 4, 14, 14)
    for unit in range(32):
        best = sorted((m.max() for m in maps[:, unit]), reverse=True)[:4]
        np.testing.assert_array_equal(values[unit], best)
        row, column = np.argwhere(maps[indices[unit, 0], unit] == values[unit, 0])[0]
        np.testing.assert_array_equal(
            patches[unit, 0], images[indices[unit, 0], 0, 2 * row:2 * row + 14,
                                     2 * column:2 * column + 14])


def test_units_gradient_and_ascent(cnn):
    network, _, _ = cnn
    unit_fn = features.compile_units(features.name_layers(network)["conv 2"])
    units = np.array([3, 17], np.int32)
    rng = np.random.RandomState(1)
    images = rng.rand(2, 1, 28, 28).astype(np.float32)
    _, gradients = unit_fn(images, units)
    direction = rng.randn(*images.shape).astype(np.float32)
    step = 1e-2
    up, down = (unit_fn(images + s * step * direction, units)[0] for s in (1, -1))
    np.testing.assert_allclose((up - down) / (2 * step),
                               (gradients * direction).sum(axis=(1, 2, 3)), rtol=.05, atol=.02)
    climbed, values = features.maximize_activation(unit_fn, units, (1, 28, 28), steps=40)
    assert climbed.min() >= 0 and climbed.max() <= 1
    assert (values > unit_fn(images, units)[0]).all()  # more than noise excites them
    np.testing.assert_allclose(values, unit_fn(climbed, units)[0], rtol=1e-5)


def test_pca_against_the_covariance():
    rng = np.random.RandomState(0)
    data = rng.randn(300, 6) @ rng.randn(6, 6) + 5
    projected, components, explained = features.pca(data, 3)
    variances, vectors = np.linalg.eigh(np.cov(data.T))
    order = variances.argsort()[::-1][:3]
    np.testing.assert_allclose(explained, variances[order] / variances.sum())
    np.testing.assert_allclose(abs(components @ vectors[:, order]), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(projected.var(axis=0, ddof=1), variances[order])
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-12)


def test_a_layer_without_its_nonlinearity_shares_its_weights(cnn):
    network, _, _ = cnn
    linear = features.without_nonlinearity(network)
    assert linear.W is network.W and network.nonlinearity is lasagne.nonlinearities.softmax
