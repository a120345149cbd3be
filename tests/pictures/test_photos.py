"""Picture files of other things than handwriting."""

import numpy as np
import pytest
from PIL import Image

from mnist_cnn.datasets.card import DataCard, number_names
from mnist_cnn.pictures.photos import load_photo, read_images
from mnist_cnn.system.errors import MnistCnnError

COLOUR = DataCard("cifar10", (3, 32, 32), number_names(10))


def save(path, pixels, **kwargs):
    Image.fromarray(np.asarray(pixels, np.uint8), **kwargs).save(str(path))
    return path


def test_a_picture_of_the_right_size_is_left_as_it_is(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (32, 32, 3))
    image = load_photo(save(tmp_path / "a.png", pixels), (3, 32, 32))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, pixels.transpose(2, 0, 1) / np.float32(256))


@pytest.mark.parametrize("size", [(320, 480), (480, 320), (64, 33)])
def test_the_middle_is_cut_out(tmp_path, size):
    """Red left, green right, blue below; what lies outside the middle square is white."""
    rows, columns = size
    side = min(size)
    pixels = np.full((rows, columns, 3), 255)
    top, left = (rows - side) // 2, (columns - side) // 2
    pixels[top : top + side, left : left + side] = (255, 0, 0)
    pixels[top : top + side, left + side // 2 : left + side] = (0, 255, 0)
    image = load_photo(save(tmp_path / "a.png", pixels), (3, 32, 32))
    assert image.shape == (3, 32, 32) and 0 <= image.min() and image.max() <= 255 / 256
    inner = image[:, 8:-8]
    assert inner[0, :, 2:12].min() > 0.8 and inner[1, :, 20:-2].min() > 0.8
    assert inner[2, :, 3:-3].max() < 0.2


def test_other_shapes_than_squares(tmp_path):
    pixels = np.tile(np.arange(0, 250, 5)[:, None, None], (1, 200, 3))
    image = load_photo(save(tmp_path / "a.png", pixels), (3, 20, 40))
    assert image.shape == (3, 20, 40)
    # 50 rows of 200 columns: the middle 100 columns, all rows, from dark to bright
    assert (np.diff(image[0, :, 7]) > 0).all() and np.ptp(image, axis=2).max() < 0.01


@pytest.mark.parametrize("ground", [255, 230, 0, 20])
def test_an_article_in_grey(tmp_path, ground):
    """Dark on white as in a shop, or bright on black: bright on black, whole, in the middle."""
    pixels = np.full((120, 60), ground)
    pixels[20:100, 10:50] = 255 - ground
    image = load_photo(save(tmp_path / "a.png", pixels), (1, 28, 28))
    assert image.shape == (1, 28, 28)
    bright = image[0] > 0.5
    assert bright[5:23, 10:18].all() and not bright[:, :8].any() and not bright[:, -8:].any()
    assert not bright[:3].any() and not bright[-3:].any()
    assert image[0, 0, 0] == min(ground, 255 - ground) / 256


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28)])
def test_pictures_of_all_kinds(tmp_path, mode, shape):
    grey = Image.fromarray(np.uint8(np.arange(2000).reshape(40, 50) % 256))
    path = tmp_path / ("a.tiff" if mode in ("CMYK", "F") else "a.png")
    if mode == "I;16":
        Image.fromarray(np.asarray(grey, np.uint16) * 257).save(str(path))
    else:
        grey.convert(mode).save(str(path))
    image = load_photo(path, shape)
    assert image.shape == shape and 0 <= image.min() < image.max() <= 255 / 256
    np.testing.assert_array_equal(image * 256, np.rint(image * 256))


def test_nothing_behind_is_white(tmp_path):
    pixels = np.zeros((32, 32, 4))
    assert (load_photo(save(tmp_path / "a.png", pixels), (3, 32, 32)) == 255 / 256).all()


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff\xd8\xff\xe0" + bytes(100)]
)
def test_no_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MnistCnnError, match="cannot read .*a.png") as caught:
        load_photo(tmp_path / "a.png", (3, 32, 32))
    assert "\n" not in str(caught.value)


def test_four_channels(tmp_path):
    with pytest.raises(MnistCnnError, match="have 4 channels"):
        load_photo(save(tmp_path / "a.png", np.zeros((9, 9, 3))), (4, 32, 32))


def test_which_way_a_file_goes(tmp_path):
    two = np.zeros((40, 80))
    two[5:35, 15:22] = two[5:35, 55:62] = 255
    path = save(tmp_path / "two.png", two)
    assert read_images(path, DataCard()).images.shape == (2, 1, 28, 28)  # two digits
    assert read_images(path, DataCard("mnist"), single=True).images.shape == (1, 1, 28, 28)
    assert read_images(path, DataCard("fashion-mnist")).images.shape == (1, 1, 28, 28)
    assert read_images(path, COLOUR).images.shape == (1, 3, 32, 32)
