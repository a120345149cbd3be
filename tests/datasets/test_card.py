"""What a model file says of its data."""

import json
import zipfile

import lasagne
import numpy as np
import pytest

from mnist_cnn import data, model
from mnist_cnn.datasets.card import DataCard, Dataset, describe, fingerprint, require_same_data
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.weights import fitting

COLOUR = DataCard("cifar10", (3, 32, 32), tuple("abcdefghij"), "0" * 64)


@pytest.fixture(scope="module")
def weights():
    return lasagne.layers.get_all_param_values(model.build_cnn(shape=(3, 32, 32)))


def test_round_trip(tmp_path, weights):
    path = tmp_path / "model.npz"
    model.save_weights(path, weights, COLOUR)
    network, card = model.load_model(path)
    assert card == COLOUR == fitting.read_card(path)
    for saved, param in zip(weights, lasagne.layers.get_all_params(network)):
        np.testing.assert_array_equal(param.get_value(), saved)
    content = path.read_bytes()
    model.save_weights(path, weights, COLOUR)
    assert path.read_bytes() == content


def test_the_tutorials_snippet_reads_it(tmp_path, weights):
    model.save_weights(tmp_path / "model.npz", weights, COLOUR)
    with np.load(str(tmp_path / "model.npz")) as f:
        read = [f["arr_%d" % i] for i in range(len(f.files))]
    assert len(read) == 8
    for a, b in zip(read, weights):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape, classes", [((1, 28, 28), 10), ((3, 32, 32), 10), ((1, 28, 28), 47), ((2, 40, 40), 3)])
def test_a_plain_file_is_told_by_its_weights(tmp_path, shape, classes):
    plain = lasagne.layers.get_all_param_values(model.build_cnn(shape=shape, num_classes=classes))
    np.savez(str(tmp_path / "model.npz"), *plain)
    _, card = model.load_model(tmp_path / "model.npz")
    assert card == DataCard(None, shape, tuple(map(str, range(classes))), None)


def test_another_network_is_no_model(tmp_path):
    np.savez(str(tmp_path / "model.npz"), np.zeros(3), np.zeros((2, 2)))
    assert fitting.read_card(tmp_path / "model.npz") == DataCard()
    with pytest.raises(MnistCnnError, match="holds 2 arrays, not 8"):
        model.load_model(tmp_path / "model.npz")


def fields(**changes):
    return json.dumps(dict(json.loads(COLOUR.to_json().decode()), **changes)).encode()


@pytest.mark.parametrize(
    "comment",
    [
        b"x",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"null",
        b"[" * 60000,
        b'{"mnist_cnn": 1}',
        fields(mnist_cnn=2),
        fields(more=1),
        fields(shape=[3, 32]),
        fields(shape=[3, 32, 10**6]),
        fields(shape=[0, 32, 32]),
        fields(shape=[3, 8, 8]),
        fields(shape=[3, 32.0, 32]),
        fields(shape="332"),
        fields(shape=[True, 32, 32]),
        fields(shape=[3, 32, float("nan")]),
        fields(classes=["a"]),
        fields(classes=["a", "a"]),
        fields(classes=["a", 5]),
        fields(classes=["a", ""]),
        fields(classes=["a", "b" * 61]),
        fields(classes=["a", "\x1b[2J"]),
        fields(classes=["a", "b\n"]),
        fields(classes={"a": 1, "b": 2}),
        fields(classes=[[], []]),
        fields(classes=list(map(str, range(1001)))),
        fields(dataset=5),
        fields(dataset="a\nb"),
        fields(dataset=[]),
        fields(digest="0"),
        fields(digest="g" * 64),
        fields(digest=7),
    ],
)
def test_a_hostile_comment_is_refused_in_one_line(tmp_path, weights, comment):
    path = tmp_path / "model.npz"
    model.save_weights(path, weights)
    with zipfile.ZipFile(str(path), "a") as archive:
        archive.comment = comment
    with pytest.raises(MnistCnnError, match="its data card is invalid") as caught:
        fitting.read_card(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("changes", [dict(shape=[1, 28, 28]), dict(shape=[3, 256, 256]), dict(classes=["a", "b"])])
def test_a_comment_that_does_not_fit_the_weights(tmp_path, weights, changes):
    path = tmp_path / "model.npz"
    model.save_weights(path, weights)
    with zipfile.ZipFile(str(path), "a") as archive:
        archive.comment = fields(**changes)
    with pytest.raises(MnistCnnError, match="has shape"):
        model.load_model(path)


def test_what_arrays_are():
    X, y = np.zeros((20, 1, 28, 28), np.float32), np.arange(20, dtype=np.uint8) % 10
    arrays = (X, y, X, y, X, y)
    card = describe(arrays)
    assert card == describe(Dataset(arrays)) == Dataset(arrays).card
    assert card.shape == (1, 28, 28) and card.classes == tuple("0123456789")
    assert describe(Dataset(arrays, "kmnist", list("abcdefghij"))).classes == tuple("abcdefghij")
    other = X.copy()
    other[10, 0, 5, 5] = 1
    for changed in ((X, y, X, y, other, y), (X, y, X, y[::-1], X, y), (X[:10], y[:10], X, y, X, y)):
        assert describe(changed).digest != card.digest


@pytest.mark.parametrize("number, place", [(0, (40_000, 0, 14, 14)), (5, 9_999)])
def test_the_fingerprint_sees_one_training_pixel_and_one_test_label(mnist, number, place):
    arrays = list(mnist)
    arrays[number] = arrays[number].copy()
    arrays[number][place] = 1 - arrays[number][place]
    assert fingerprint(mnist) == mnist.card.digest != fingerprint(arrays)


def test_one_data_set_for_another(mnist):
    card = mnist.card
    assert card.dataset == "mnist"
    require_same_data("m.npz", card, card)
    require_same_data("m.npz", DataCard(), card)  # a file that says nothing takes all of its shape
    with pytest.raises(MnistCnnError, match="^m.npz was trained on cifar10 .3 x 32 x 32, 10 classes., not on mnist"):
        require_same_data("m.npz", COLOUR, card)
    fashion = DataCard("fashion-mnist", digest="1" * 64)
    with pytest.raises(MnistCnnError, match="^m.npz was trained on fashion-mnist, not on mnist$"):
        require_same_data("m.npz", fashion, card)
    with pytest.raises(MnistCnnError, match="though both are mnist"):
        require_same_data("m.npz", DataCard("mnist", digest="1" * 64), card)


def test_the_data_of_a_model(mnist):
    loaded = data.load_dataset_of("m.npz", mnist.card)
    assert loaded.card == mnist.card
    assert data.load_dataset_of("m.npz", DataCard()).card == mnist.card
    with pytest.raises(MnistCnnError, match="m.npz was trained on mnist, not on kmnist"):
        data.load_dataset_of("m.npz", mnist.card, dataset="kmnist")
    with pytest.raises(MnistCnnError, match="name the folder of its files .--data-dir"):
        data.load_dataset_of("m.npz", DataCard(digest="1" * 64))
