"""Picture files of digits, brought to MNIST's form, and read."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mnist_cnn.pictures import digits as digits_of, reading
from mnist_cnn.system.errors import MnistCnnError


def photograph(path, digit, scale, dark_on_light, mode="L", place=(31, 17)):
    """A digit of MNIST as a picture file: enlarged, on a larger ground, either way round."""
    large = ndimage.zoom(digit, scale, order=1).clip(0, 1)
    ground = np.zeros([side + 90 for side in large.shape])
    ground[place[0] : place[0] + large.shape[0], place[1] : place[1] + large.shape[1]] = large
    grey = 0.9 - 0.8 * ground if dark_on_light else 0.1 + 0.8 * ground
    Image.fromarray(np.uint8(255 * grey)).convert(mode).save(str(path))


@pytest.mark.parametrize(
    "name, scale, dark_on_light, mode",
    [
        ("a.png", 8, False, "L"),
        ("a.png", 8, True, "RGB"),
        ("a.jpg", 5, True, "L"),
        ("a.png", 20, True, "RGBA"),
        ("a.bmp", 3, False, "L"),
    ],
)
def test_a_digit_comes_back(tmp_path, mnist, name, scale, dark_on_light, mode):
    """Whatever its size, place and polarity, nearly the picture that MNIST has of it."""
    for index in (0, 1, 2, 3, 4):
        digit = mnist[4][index, 0]
        photograph(tmp_path / name, digit, scale, dark_on_light, mode)
        found = reading.load_picture(tmp_path / name)
        assert found.shape == (1, 28, 28) and found.dtype == np.float32
        assert found.min() == 0 and found.max() == np.float32(255 / 256)
        mass = found[0].sum()
        centre = [(found[0].sum(axis=1 - axis) * np.arange(28)).sum() / mass for axis in (0, 1)]
        np.testing.assert_allclose(centre, 14, atol=0.51)
        rows, columns = (np.flatnonzero(found[0].any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
        correlation = max(
            np.corrcoef(np.roll(found[0], (r, c), (0, 1)).ravel(), digit.ravel())[0, 1]
            for r in (-1, 0, 1)
            for c in (-1, 0, 1)
        )
        assert correlation > 0.85


def grey_file(path, digit, scale=10):
    """A digit, enlarged without smoothing, as dark ink on white; returns its alpha."""
    ink = np.kron(digit, np.ones((scale, scale)))
    Image.fromarray(np.uint8(255 * (1 - ink))).save(str(path))
    return ink


def test_mnists_own_recipe(mnist):
    """MNIST's digits are what the recipe makes of them; a tie in the centre may fall otherwise."""
    digits = mnist[4][:200, 0]
    same = [np.abs(digits_of.fit_to_field(digit) - digit).max() < 0.01 for digit in digits]
    assert np.mean(same) > 0.97


def test_any_size_is_the_same_digit(tmp_path, mnist):
    digit = mnist[4][0, 0]
    for scale in (1, 2, 7, 10, 40):
        grey_file(tmp_path / "a.png", digit, scale)
        np.testing.assert_allclose(reading.load_picture(tmp_path / "a.png")[0], digit, atol=0.05)


@pytest.mark.parametrize(
    "kind", ["black on nothing", "white on nothing", "16 bits", "two colours", "palette", "turned by its camera"]
)
def test_kinds_of_picture(tmp_path, mnist, kind):
    path, digit = tmp_path / "a.png", mnist[4][0, 0]
    ink = grey_file(path, digit)
    tolerance = 0.05
    if kind.endswith("nothing"):
        rgba = np.full(ink.shape + (4,), 255 if kind.startswith("white") else 0, np.uint8)
        rgba[..., 3] = 255 * ink
        Image.fromarray(rgba).save(str(path))
    elif kind == "16 bits":
        Image.fromarray(np.uint16(65535 * ink)).save(str(path))
    elif kind == "two colours":
        Image.fromarray(ink < 0.5).save(str(path))
        tolerance = 1  # the greys are gone
    elif kind == "palette":
        Image.open(str(path)).convert("P").save(str(path))
    else:
        picture = Image.open(str(path)).transpose(Image.ROTATE_90)
        exif = picture.getexif()
        exif[0x0112] = 6  # to be turned clockwise
        picture.save(str(path), exif=exif)
    found = reading.load_picture(path)[0]
    np.testing.assert_allclose(found, digit, atol=tolerance)
    assert np.corrcoef(found.ravel(), digit.ravel())[0, 1] > 0.9


def test_a_photograph(tmp_path, mnist, cnn):
    """Grain, a lamp to one side, dirt, JPEG: read about as well as the digits themselves."""
    rng = np.random.RandomState(0)
    images, labels = mnist[4][:40], mnist[5][:40]
    found = []
    for digit in images[:, 0]:
        ink = np.zeros((400, 500))
        row, column = rng.randint(0, 400 - 224), rng.randint(0, 500 - 224)
        ink[row : row + 224, column : column + 224] = ndimage.zoom(digit, 8, order=1).clip(0, 1)
        rows, columns = np.mgrid[-1:1:400j, -1:1:500j]
        paper = 0.75 + 0.15 * columns - 0.08 * rows + rng.normal(0, 0.02, ink.shape)
        for _ in range(6):
            row, column = rng.randint(0, 395, 2)
            paper[row : row + 4, column : column + 4] *= 0.4
        photo = paper * (1 - 0.7 * ink)
        Image.fromarray(np.uint8(255 * photo.clip(0, 1))).save(str(tmp_path / "a.jpg"), quality=80)
        found.append(reading.load_picture(tmp_path / "a.jpg"))
    _, accuracy = cnn[2](np.stack(found), labels.astype(np.int32))
    _, original = cnn[2](images, labels.astype(np.int32))
    assert original > 0.9 and accuracy >= original - 0.051


def test_files_that_are_none(tmp_path):
    (tmp_path / "folder.png").mkdir()
    grey_file(tmp_path / "whole.png", np.eye(28))
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    # a header that claims 100,000 x 100,000 pixels
    (tmp_path / "huge.png").write_bytes(whole[:16] + b"\0\1\x86\xa0" * 2 + whole[24:])
    for name in ("none.png", "folder.png", "cut.png", "huge.png"):
        with pytest.raises(MnistCnnError, match=name) as caught:
            reading.load_picture(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_picture_as_large_as_any(tmp_path):
    """Half a megabyte that unpacks to 132 megapixels, each with transparency: in a gigabyte."""
    path = tmp_path / "a.png"
    picture = Image.new("RGBA", (11500, 11500), (255, 255, 255, 255))
    picture.paste((0, 0, 0, 255), (5000, 2000, 6000, 9000))
    picture.save(str(path), compress_level=1)
    code = (
        "import resource, sys\nfrom mnist_cnn.pictures import reading\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(reading.load_picture(sys.argv[1]).shape,\n"
        "      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, check=True, text=True)
    shape, memory = done.stdout.rsplit(None, 1)
    assert shape == "(1, 28, 28)" and int(memory) < 1100000  # kilobytes


def test_a_web_picture_as_large_as_any(tmp_path):
    """38 bytes of 104 megapixels, of each of which Pillow would hold sixteen bytes."""
    path = tmp_path / "a.webp"
    path.write_bytes(bytes.fromhex("524946461e000000574542505650384c110000002f13ec000907d0fffef7bfff8188e87f0000"))
    with pytest.raises(MnistCnnError, match="11284 x 9220 pixels, of at most 50 million"):
        reading.load_picture(path)


def test_a_picture_as_long_as_any(tmp_path):
    """A few bytes of 200,000 rows."""
    path = tmp_path / "a.png"
    Image.new("1", (3, 200000)).save(str(path))
    with pytest.raises(MnistCnnError, match="3 x 200000 pixels, of at most 131072 a side"):
        reading.load_picture(path)


def test_exif_data_that_are_damaged(tmp_path, mnist):
    """The picture is whole; it is not turned."""
    grey_file(tmp_path / "a.png", mnist[4][0, 0])
    wanted = reading.load_picture(tmp_path / "a.png")
    Image.open(str(tmp_path / "a.png")).save(str(tmp_path / "b.png"), exif=b"Exif\0\0junk")
    np.testing.assert_array_equal(reading.load_picture(tmp_path / "b.png"), wanted)


def test_a_pixel_that_is_no_number(tmp_path):
    grey = np.ones((30, 30), np.float32)
    grey[3, 4] = np.nan
    Image.fromarray(grey).save(str(tmp_path / "a.tiff"))
    with pytest.raises(MnistCnnError, match="damaged picture"):
        reading.load_picture(tmp_path / "a.tiff")


@pytest.mark.parametrize(
    "content, message",
    [(b"hello", "not a picture"), (b"", "not a picture"), (b"\x89PNG\r\n\x1a\n" + b"junk" * 9, "picture")],
)
def test_no_picture(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MnistCnnError, match=message) as caught:
        reading.load_picture(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("grey", [np.full((40, 40), 200), np.arange(1600).reshape(40, 40) // 8])
def test_no_digit(tmp_path, grey):
    Image.fromarray(np.uint8(grey)).save(str(tmp_path / "a.png"))
    with pytest.raises(MnistCnnError, match="digit"):
        reading.load_picture(tmp_path / "a.png")


def write_number(path, digits, gap=6, scale=6):
    """Test digits side by side, dark on light, as a picture file."""
    cut = []
    for digit in digits:
        columns = np.flatnonzero(digit.any(axis=0))
        cut += [digit[:, columns[0] : columns[-1] + 1], np.zeros((28, gap))]
    ink = np.kron(np.concatenate(cut[:-1], axis=1), np.ones((scale, scale)))
    Image.fromarray(np.uint8(240 - 200 * np.pad(ink, 40))).save(str(path))


def test_several_shapes_are_several_digits(tmp_path, mnist):
    digits = mnist[4][:4, 0]
    write_number(tmp_path / "a.png", digits)
    found = reading.read_digits(tmp_path / "a.png").images
    assert found.shape == (4, 1, 28, 28)
    for one, digit in zip(found[:, 0], digits):
        assert np.corrcoef(one.ravel(), digit.ravel())[0, 1] > 0.9
    whole = reading.read_digits(tmp_path / "a.png", single=True).images
    assert whole.shape == (1, 1, 28, 28)
    np.testing.assert_array_equal(whole[0], reading.load_picture(tmp_path / "a.png"))


def test_a_real_digit_is_one_digit(mnist):
    """Even where its strokes lie apart, as a 5's often do."""
    assert all(len(digits_of.split_digits(digit)) == 1 for digit in mnist[4][:2000, 0])


@pytest.mark.parametrize(
    "boxes, parts",
    [
        ([(0, 0, 9, 4), (11, 0, 20, 4)], 1),  # one close above the other
        ([(0, 0, 8, 4), (13, 0, 21, 4)], 2),  # two lines
        ([(0, 0, 20, 4), (0, 8, 20, 12)], 2),  # side by side
        ([(0, 0, 20, 4), (16, 8, 20, 12)], 1),  # the second is small: a stroke that flew off
        ([(0, 0, 20, 4), (0, 8, 20, 12), (15, 14, 20, 18)], 2),
    ],
)
def test_which_shapes_belong_together(boxes, parts):
    ink = np.zeros((24, 24))
    for top, left, bottom, right in boxes:
        ink[top:bottom, left:right] = 1
    found = digits_of.split_digits(ink)
    assert len(found) == parts
    np.testing.assert_array_equal(sum(found), ink)
    centres = [ndimage.center_of_mass(part)[1] for part in found]
    assert centres == sorted(centres)


def test_many_shapes_are_no_number():
    ink = np.kron(np.indices((3, 90)).sum(axis=0) % 2, np.ones((2, 2)))
    ink[:, ::4] = 0
    with pytest.raises(MnistCnnError, match="separate shapes; cut a single number"):
        digits_of.split_digits(ink)
