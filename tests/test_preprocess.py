"""Picture files of digits, brought to MNIST's form, and read."""

import re

import numpy as np
import pytest
from conftest import run_script
from PIL import Image
from scipy import ndimage

from mnist_cnn import preprocess
from mnist_cnn.errors import MnistCnnError


def photograph(path, digit, scale, dark_on_light, mode="L", place=(31, 17)):
    """A digit of MNIST as a picture file: enlarged, on a larger ground, either way round."""
    large = ndimage.zoom(digit, scale, order=1).clip(0, 1)
    ground = np.zeros([side + 90 for side in large.shape])
    ground[place[0]:place[0] + large.shape[0], place[1]:place[1] + large.shape[1]] = large
    grey = .9 - .8 * ground if dark_on_light else .1 + .8 * ground
    Image.fromarray(np.uint8(255 * grey)).convert(mode).save(str(path))


@pytest.mark.parametrize("name, scale, dark_on_light, mode", [
    ("a.png", 8, False, "L"), ("a.png", 8, True, "RGB"), ("a.jpg", 5, True, "L"),
    ("a.png", 20, True, "RGBA"), ("a.bmp", 3, False, "L")])
def test_a_digit_comes_back(tmp_path, mnist, name, scale, dark_on_light, mode):
    """Whatever its size, place and polarity, nearly the picture that MNIST has of it."""
    for index in (0, 1, 2, 3, 4):
        digit = mnist[4][index, 0]
        photograph(tmp_path / name, digit, scale, dark_on_light, mode)
        found = preprocess.load_picture(tmp_path / name)
        assert found.shape == (1, 28, 28) and found.dtype == np.float32
        assert found.min() == 0 and found.max() == np.float32(255 / 256)
        mass = found[0].sum()
        centre = [(found[0].sum(axis=1 - axis) * np.arange(28)).sum() / mass for axis in (0, 1)]
        np.testing.assert_allclose(centre, 14, atol=.51)
        rows, columns = (np.flatnonzero(found[0].any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
        correlation = max(np.corrcoef(np.roll(found[0], (r, c), (0, 1)).ravel(), digit.ravel())[0, 1]
                          for r in (-1, 0, 1) for c in (-1, 0, 1))
        assert correlation > .85


@pytest.mark.parametrize("content, message", [
    (b"hello", "no picture"), (b"", "no picture"), (b"\x89PNG\r\n\x1a\n" + b"junk" * 9, "picture")])
def test_no_picture(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MnistCnnError, match=message) as caught:
        preprocess.load_picture(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("grey", [np.full((40, 40), 200), np.arange(1600).reshape(40, 40) // 8])
def test_no_digit(tmp_path, grey):
    Image.fromarray(np.uint8(grey)).save(str(tmp_path / "a.png"))
    with pytest.raises(MnistCnnError, match="digit"):
        preprocess.load_picture(tmp_path / "a.png")


def test_predict_script(tmp_path, training, mnist):
    """Enlarged test digits are read as the classes that they are."""
    paths = []
    for index in (0, 1, 2, 3):
        paths.append(tmp_path / "digit{}.png".format(index))
        photograph(paths[-1], mnist[4][index, 0], 8, True)
    process = run_script("predict.py", training[1], *paths)
    assert process.returncode == 0 and process.stderr == ""
    rows = [line.split() for line in process.stdout.splitlines()[1:]]
    assert [int(row[1]) for row in rows] == mnist[5][:4].tolist()
    for row in rows:
        probabilities = [float(p) for p in row[2:]]
        assert sum(probabilities) == pytest.approx(1, abs=1e-3)
        assert int(row[1]) == np.argmax(probabilities)


def test_predict_script_refuses(tmp_path, training):
    (tmp_path / "a.png").write_text("hello")
    process = run_script("predict.py", training[1], tmp_path / "a.png")
    assert process.returncode == 2
    assert re.fullmatch("error: cannot .*a.png.*\n", process.stderr)
