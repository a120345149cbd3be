"""What the network computes on its way: positions, patches, maxima and components."""

import lasagne
import numpy as np
import pytest

from mnist_cnn.analysis.embedding import pca
from mnist_cnn.analysis.layers import compile_activations, name_layers, without_nonlinearity
from mnist_cnn.analysis.patches import receptive_field, top_patches
from mnist_cnn.analysis.units import compile_units, maximize_activation


def test_layers_by_name(cnn, mnist):
    """Each named activation is the layer's own; pooling is checked in NumPy."""
    network, input_var, _ = cnn
    images = mnist[4][:7]
    found = compile_activations(network)(images, batch_size=3)
    assert list(found) == ["input", "conv 1", "pool 1", "conv 2", "pool 2", "dense", "output"]
    np.testing.assert_array_equal(found["input"], images)
    for conv, pool in (("conv 1", "pool 1"), ("conv 2", "pool 2")):
        n, k, rows, columns = found[conv].shape
        np.testing.assert_array_equal(
            found[pool], found[conv].reshape(n, k, rows // 2, 2, columns // 2, 2).max(axis=(3, 5))
        )
    np.testing.assert_allclose(found["output"].sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="conv 3"):
        compile_activations(network)(images, ["conv 3"])


@pytest.mark.parametrize("name, side", [("conv 1", 5), ("pool 1", 6), ("conv 2", 14), ("pool 2", 16)])
def test_receptive_field_is_what_changes_the_unit(cnn, mnist, name, side):
    """Change each pixel in turn: the unit of a linear copy of the network moves for those inside.

    With pooling by maximum a pixel within the field may happen not to matter; so what matters must
    lie within the field, and noise on all of the field's edges must matter.
    """
    network, _, _ = cnn
    compute = compile_activations(network)
    row = column = 2
    layer = name_layers(network)[name]
    rows, columns = receptive_field(layer, row, column)
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
    layer = name_layers(network)["conv 2"]
    maps = compile_activations(network)(images, ["conv 2"])["conv 2"]
    patches, values, indices = top_patches(layer, maps, images, count=4)
    assert patches.shape == (32, 4, 1, 14, 14)
    for unit in range(32):
        best = sorted((m.max() for m in maps[:, unit]), reverse=True)[:4]
        np.testing.assert_array_equal(values[unit], best)
        row, column = np.argwhere(maps[indices[unit, 0], unit] == values[unit, 0])[0]
        np.testing.assert_array_equal(
            patches[unit, 0, 0], images[indices[unit, 0], 0, 2 * row : 2 * row + 14, 2 * column : 2 * column + 14]
        )


@pytest.mark.parametrize(
    "pad, row, column, expected",
    [
        ("same", 0, 0, (slice(0, 2), slice(0, 2))),
        ("same", 4, 8, (slice(3, 6), slice(7, 9))),
        ("full", 0, 1, (slice(0, 1), slice(0, 2))),
        ((1, 0), 0, 0, (slice(0, 2), slice(0, 3))),
    ],
)
def test_receptive_field_is_clipped_where_a_layer_pads(pad, row, column, expected):
    layer = lasagne.layers.Conv2DLayer(lasagne.layers.InputLayer((None, 1, 9, 9)), 1, 3, pad=pad)
    assert receptive_field(layer, row, column) == expected


def test_units_are_the_layers_own(cnn, mnist):
    """A filter on a patch gives what the whole network gives where the patch was."""
    layers = name_layers(cnn[0])
    unit_fn, shape = compile_units(layers["conv 2"])
    assert shape == (1, 14, 14)
    images = mnist[4][:4]
    maps = compile_activations(cnn[0])(images, ["conv 2"])["conv 2"]
    for row, column in ((0, 0), (3, 4), (7, 7)):
        field = receptive_field(layers["conv 2"], row, column)
        patches = images[(slice(None), slice(None)) + field]
        for unit in (3, 17):
            values, _ = unit_fn(patches, np.full(4, unit, np.int32))
            np.testing.assert_allclose(np.maximum(values, 0), maps[:, unit, row, column], atol=1e-5)


@pytest.mark.slow
def test_units_gradient_and_ascent(cnn, mnist):
    layer = name_layers(cnn[0])["conv 2"]
    unit_fn, shape = compile_units(layer)
    units = np.array([3, 17], np.int32)
    rng = np.random.RandomState(1)
    images = rng.rand(2, *shape).astype(np.float32)
    _, gradients = unit_fn(images, units)
    direction = rng.randn(*images.shape).astype(np.float32)
    step = 1e-3  # small, since a maximum or a rectifier may turn within it
    up, down = (unit_fn(images + s * step * direction, units)[0] for s in (1, -1))
    np.testing.assert_allclose(
        (up - down) / (2 * step), (gradients * direction).sum(axis=(1, 2, 3)), rtol=0.05, atol=0.02
    )

    units = np.arange(32)
    climbed, values = maximize_activation(unit_fn, units, shape)
    assert climbed.min() >= 0 and climbed.max() <= 1
    np.testing.assert_allclose(values, unit_fn(climbed, units.astype(np.int32))[0], rtol=1e-5)
    maps = compile_activations(cnn[0])(mnist[4][:500], ["conv 2"])["conv 2"]
    # even with its prior the climb goes beyond what any of 500 digits reaches
    assert np.mean(values > maps.max(axis=(0, 2, 3))) > 0.9
    again, _ = maximize_activation(unit_fn, units, shape)
    np.testing.assert_array_equal(again, climbed)


def test_classes_count_from_their_mean_and_are_climbed_to(cnn, mnist):
    unit_fn, shape = compile_units(cnn[0])
    activations_fn = compile_activations(cnn[0])
    # a probability's logarithm is the score less something that all classes share
    logarithms = np.log(activations_fn(mnist[4][:4], ["output"])["output"])
    values, _ = unit_fn(mnist[4][:4], np.full(4, 3, np.int32))
    np.testing.assert_allclose(values, logarithms[:, 3] - logarithms.mean(axis=1), atol=1e-3)
    climbed, _ = maximize_activation(unit_fn, np.arange(10), shape)
    answers = activations_fn(climbed, ["output"])["output"].argmax(axis=1)
    np.testing.assert_array_equal(answers, np.arange(10))


def test_units_of_a_padded_layer_are_refused():
    layer = lasagne.layers.Conv2DLayer(lasagne.layers.InputLayer((None, 1, 9, 9)), 1, 3, pad="same")
    with pytest.raises(ValueError, match="padding"):
        compile_units(layer)


def test_pca_against_the_covariance():
    rng = np.random.RandomState(0)
    data = rng.randn(300, 6) @ rng.randn(6, 6) + 5
    projected, components, explained = pca(data, 3)
    variances, vectors = np.linalg.eigh(np.cov(data.T))
    order = variances.argsort()[::-1][:3]
    np.testing.assert_allclose(explained, variances[order] / variances.sum())
    np.testing.assert_allclose(abs(components @ vectors[:, order]), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(projected.var(axis=0, ddof=1), variances[order])
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-12)


def test_a_layer_without_its_nonlinearity_shares_its_weights(cnn):
    network, _, _ = cnn
    linear = without_nonlinearity(network)
    assert linear.W is network.W and network.nonlinearity is lasagne.nonlinearities.softmax
