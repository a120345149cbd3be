"""What Python writes: the page, whole and safe."""

import base64
import zlib

import lasagne
import numpy as np
import pytest
from browsers import written  # noqa: F401  a fixture

from conftest import run_script
from mnist_cnn import explorer
from mnist_cnn.analysis.trust import Trust
from mnist_cnn.explorer.content import Content, Plane, choose_digits, find_favourites, keep_small
from mnist_cnn.explorer.embed import pack, pack_images


@pytest.mark.slow
def test_page_is_one_small_file(written):
    process, path = written
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    page = path.read_text(encoding="utf-8")
    assert len(page.encode("utf-8")) < 4e6
    assert "default-src 'none'" in page


def test_page_needs_a_model(tmp_path):
    model = tmp_path / "model.npz"
    model.write_text("no model")
    process = run_script("explore.py", model, "--output", tmp_path / "explore.html")
    assert process.returncode == 2
    assert process.stderr.startswith("error: ")
    assert process.stderr.count("\n") == 1
    assert not (tmp_path / "explore.html").exists()


def test_page_needs_a_folder(training, tmp_path):
    process = run_script("explore.py", training[1], "--output", tmp_path / "no" / "explore.html")
    assert process.returncode == 2
    assert "there is no folder" in process.stderr
    assert process.stderr.count("\n") == 1


def test_worst_mistakes_come_first():
    probabilities = np.full((6, 10), 0.01)
    answers = [(3, 0.9), (4, 0.6), (5, 0.99), (3, 0.7), (1, 0.5), (7, 0.8)]
    for i, (answer, confidence) in enumerate(answers):
        probabilities[i, answer] = confidence
    labels = np.array([3, 9, 2, 3, 8, 7])
    digits = choose_digits(probabilities, labels, num_mistakes=2)
    assert [digit["index"] for digit in digits] == [0, 5, 2, 1]
    assert [digit["mistake"] for digit in digits] == [False, False, True, True]
    assert digits[2] == {"index": 2, "answer": 5, "confidence": 0.99, "mistake": True}


def test_a_network_without_mistakes_has_none_to_show():
    digits = choose_digits(np.eye(10), np.arange(10))
    assert [digit["index"] for digit in digits] == list(range(10))
    assert not any(digit["mistake"] for digit in digits)


def test_texts_are_texts_and_not_markup(training, cnn):
    weights = lasagne.layers.get_all_param_values(cnn[0])
    page = explorer.build_page(
        Content(
            "<b>{{packed}}</b>",
            ["<b>"] * 10,
            [("</script><b>.npz", weights)],
            np.zeros((9, 1, 28, 28), np.uint8),
            np.zeros(9),
            np.zeros(1, np.uint8),
            [],
            np.zeros((330, 9)),
            Trust(np.zeros((10, 1, 768), np.uint8), 1.0, 1.0),
            Plane(np.zeros(768), np.zeros((2, 768)), np.zeros((9, 2))),
            (np.zeros((0, 1, 28, 28), np.uint8), np.zeros(0)),
            [],
        )
    )
    assert "<b>" not in page
    assert "&lt;b&gt;{{packed}}&lt;/b&gt;" in page


@pytest.mark.slow
def test_a_second_model(training, small_mnist, tmp_path):
    explorer.main(training[1], tmp_path / "explore.html", compare=training[1], data_dir=small_mnist)
    page = (tmp_path / "explore.html").read_text(encoding="utf-8")
    assert '"models": ["model.npz", "model.npz"]' in page
    assert 'id="packed-weights1"' in page


def unpack(text, dtype):
    planes = np.frombuffer(zlib.decompress(base64.b85decode(text.replace(",", "<"))), np.uint8)
    return planes.reshape(np.dtype(dtype).itemsize, -1).T.copy().view(dtype).ravel()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_come_back_from_text(dtype):
    array = (np.random.RandomState(0).rand(3, 50, 7) * 200).astype(dtype)
    text = pack(array)
    assert "<" not in text and text.isascii()
    np.testing.assert_array_equal(unpack(text, dtype), array.ravel())


def test_images_come_back_from_text(mnist):
    images = np.uint8(mnist[4][:50, 0] * 256)
    places, levels = [unpack(text, "uint8") for text in pack_images(images)]
    found = np.unpackbits(places).reshape(images.shape)
    np.testing.assert_array_equal(found, images > 0)
    np.testing.assert_array_equal(levels, images[images > 0])


def test_all_of_mnist_fits_into_the_page(mnist):
    images = np.uint8(mnist[4] * 256)
    assert len(keep_small(images)) == 10000
    noise = np.random.RandomState(0).randint(1, 256, (4000, 1, 28, 28)).astype(np.uint8)
    kept = keep_small(noise)
    assert 9 <= len(kept) < 4000
    assert sum(map(len, pack_images(kept))) < 2.3e6


def test_favourites_are_those_that_excite_most(cnn, mnist):
    network, images = cnn[0], mnist[4][:300]
    found = find_favourites(network, images, count=4)
    assert found.shape == (32 + 32 + 256 + 10, 4)
    layers = [layer for layer in lasagne.layers.get_all_layers(network) if isinstance(layer, lasagne.layers.DenseLayer)]
    images = images.astype(lasagne.layers.get_all_layers(network)[0].input_var.dtype)
    units, probabilities = lasagne.layers.get_output(layers, images, deterministic=True)
    units = units.eval()
    for unit in (0, 100, 255):
        best = units[:, unit].max()
        assert units[found[64 + unit, 0], unit] >= best * (1 - 1e-5)
        assert (np.diff(units[found[64 + unit], unit]) <= 1e-5).all()
    scores = np.log(probabilities.eval())
    assert (scores[found[320:, 0]].argmax(axis=1) == np.arange(10)).all()
