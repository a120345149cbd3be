"""Picture files, read by the page in a real browser and by Python: the same digits by both roads."""

import base64

import numpy as np
import pytest
from browsers import Chromium, browser, either, firefox, written  # noqa: F401  fixtures
from PIL import Image

from mnist_cnn.benchmarks.photos import draw_photo
from mnist_cnn.pictures.reading import read_digits
from mnist_cnn.system.errors import MnistCnnError

pytestmark = pytest.mark.browser

SIDES = (9, 28, 60, 131, 280, 419, 560, 561, 700, 1121, 1900)


def draw_picture(path, number, images):
    """Test digits on a ground of any size, tone, mode and format."""
    rng = np.random.RandomState(number)
    width, height = rng.choice(SIDES, 2)
    ground, ink = rng.permutation([int(rng.randint(0, 70)), int(rng.randint(170, 256))])
    mode = ["L", "RGB", "RGBA", "P", "LA"][number % 5]
    picture = Image.new("L", (width, height), int(ground))
    for _ in range(1 + number % 3):
        side = max(4, int(min(width, height) * rng.uniform(0.2, 0.9)))
        digit = Image.fromarray(np.uint8(256 * images[rng.randint(len(images)), 0])).resize(
            (side, side), Image.BILINEAR
        )
        place = tuple(int(rng.randint(0, span - side + 1)) for span in (width, height))
        picture.paste(int(ink), place, digit)
    if number % 4 == 0:
        noise = rng.normal(0, 3, (height, width))
        picture = Image.fromarray(np.uint8((np.asarray(picture) + noise).clip(0, 255)))
    picture.convert("RGB").convert(mode).save(str(path))


def read_by_page(page, path):
    """The page's digits, uint8 (n, 28, 28), and its doubt or error."""
    text = base64.b64encode(path.read_bytes()).decode("ascii")
    digits, doubt = page.wait(
        """
        const [text, done] = arguments;
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        explorer.readDigits(new Blob([bytes])).then(
          ({digits, doubt}) => done([digits.map((pixels) => Array.from(pixels)), doubt]),
          (error) => done([[], error.message]));""",
        text,
    )
    return np.uint8(digits).reshape(-1, 28, 28), doubt


def read_by_python(path):
    try:
        reading = read_digits(path)
    except MnistCnnError as error:
        return np.zeros((0, 28, 28), np.uint8), str(error).split(": ", 1)[1]
    return np.uint8(256 * reading.images[:, 0]), reading.doubt


def open_page(browser, written):
    browser.open(written[1].as_uri(), (1280, 900))
    browser.wait("""const done = arguments[0];
        const look = () => "ready" in document.documentElement.dataset ? done() : setTimeout(look, 20);
        look();""")


def compare(page, paths):
    """How many of the files show digits; the page and Python agree on all of them."""
    shown = 0
    for path in paths:
        (wanted, why), (found, doubt) = read_by_python(path), read_by_page(page, path)
        assert doubt == why and len(found) == len(wanted), (path.name, doubt, why)
        if len(wanted):
            assert np.abs(found.astype(int) - wanted).max() <= 1, path.name
            shown += 1
    return shown


def test_the_same_digits_by_both_roads(browser, written, mnist, tmp_path):
    page = Chromium(browser)
    open_page(page, written)
    paths = [
        tmp_path / "{}.{}".format(number, ["png", "webp", "gif"][number % 3 if number % 5 < 2 else 0])
        for number in range(COUNT)
    ]
    for number, path in enumerate(paths):
        draw_picture(path, number, mnist[4])
    assert compare(page, paths) > COUNT // 2


COUNT = 30


def test_photographs_and_large_pictures_in_both_browsers(either, written, mnist, tmp_path):
    open_page(either, written)
    paths = []
    for kind in ("a finger", "squared paper", "two lines of digits"):
        paths.append(tmp_path / "{}.jpg".format(kind))
        photo = draw_photo(kind, 0, mnist[4][:200], mnist[5][:200])
        Image.fromarray(photo.pixels).save(str(paths[-1]), quality=photo.quality)
    # a thin 3 in a large picture; a strip; a long one
    for name, size, box in (
        ("large", (5000, 3000), (900, 900)),
        ("strip", (5000, 40), (34, 34)),
        ("long", (45, 4000), (40, 40)),
    ):
        paths.append(tmp_path / "{}.png".format(name))
        digit = Image.fromarray(np.uint8(256 * mnist[4][mnist[5] == 3][0, 0])).resize(box)
        picture = Image.new("L", size, 235)
        picture.paste(30, (2, 3), digit)
        picture.save(str(paths[-1]), compress_level=1)
    assert compare(either, paths) >= 4
