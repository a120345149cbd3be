"""The explorer page of other data than digits, in a real Chromium: colour, many classes, words."""

import base64
import importlib.util
from pathlib import Path

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from browsers import browser  # noqa: F401  a fixture
from PIL import Image

from mnist_cnn import explorer, model
from mnist_cnn.analysis.trust import Trust
from mnist_cnn.explorer.content import Content, Frame, Plane
from mnist_cnn.explorer.embed import pack_pixels
from mnist_cnn.pictures.photos import load_photo
from mnist_cnn.storage.film import quantize

pytestmark = pytest.mark.browser

SHAPE, COUNT = (3, 32, 32), 47
TURNED = Image.Exif()
TURNED[0x0112] = 6  # by the camera, a quarter
NAMES = ["class {} of so many".format(number) for number in range(COUNT)]
LAYERS = ("input", "conv1", "pool1", "conv2", "pool2", "dense", "output")


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(1).randint(256, size=(20,) + SHAPE).astype(np.uint8)


@pytest.fixture(scope="module")
def network():
    before = lasagne.random.get_rng()
    lasagne.random.set_rng(np.random.RandomState(1))
    built = model.build_cnn(T.tensor4("inputs"), shape=SHAPE, num_classes=COUNT)
    lasagne.random.set_rng(before)
    return built


def content_of(weights, images, names, **changes):
    """What a page is filled with: a network, and images without meaning."""
    count = len(names)
    gallery = [{"index": i, "answer": i, "confidence": 0.5, "mistake": i > 11} for i in range(20)]
    features = weights[4].shape[0] + 256
    return Content(
        **{
            **dict(
                summary="A network.",
                names=names,
                models=[("model.npz", weights)],
                images=images,
                labels=np.arange(20),
                nothing=np.uint8([120] * images.shape[1]),
                gallery=gallery,
                favourites=np.arange(9 * (320 + count)).reshape(-1, 9) % 20,
                trust=Trust(np.full((count, 1, features), 9, np.uint8), 1.0, 1e9),
                plane=Plane(np.zeros(features), np.eye(2, features), np.random.RandomState(1).rand(9, 2)),
                known=(images[:7], np.arange(7)),
                handwriting=False,
                film=[Frame(epoch, *quantize([epoch * array for array in weights]), 0.5) for epoch in (0, 1)],
            ),
            **changes,
        }
    )


@pytest.fixture(scope="module")
def page_path(network, images, tmp_path_factory):
    path = tmp_path_factory.mktemp("colour") / "explore.html"
    weights = lasagne.layers.get_all_param_values(network)
    text = explorer.build_page(content_of(weights, images, NAMES))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(browser, page_path):
    show(browser, page_path)
    return browser


def show(driver, path, width=1280, height=900):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    driver.get(path.as_uri())
    until(driver, "'ready' in document.documentElement.dataset")


def until(driver, expression):
    assert driver.execute_async_script(
        """
        const done = arguments[0], end = performance.now() + 20000;
        const look = () => {} ? done(true) : performance.now() > end ? done(false)
                         : setTimeout(look, 20);
        look();""".format(expression)
    ), "never true: " + expression


def settle(driver):
    driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")


def test_every_layer_and_the_saliency_agree_with_theano(page, network, images):
    layers = [
        layer for layer in lasagne.layers.get_all_layers(network) if not isinstance(layer, lasagne.layers.DropoutLayer)
    ]
    outputs = lasagne.layers.get_output(layers, deterministic=True)
    score = T.log(outputs[-1])[:, 11] - T.log(outputs[-1])[:, 30]  # what all share falls away
    gradient = T.grad(score.sum(), layers[0].input_var)
    wanted = theano.function([layers[0].input_var], outputs + [gradient])(np.float32(images[:4]) / 256)
    for i in range(4):
        got = page.execute_script(
            """
            const {pixels} = explorer.state.digitOf(arguments[0]);
            explorer.network.forward(Float32Array.from(pixels, (byte) => byte / 256));
            const values = arguments[1].map((name) => Array.from(explorer.network.values[name]));
            const [one, other] = [11, 30].map((c) => explorer.network.gradient("output", c));
            return [...values, Array.from(one.map((value, j) => value - other[j]))];""",
            i,
            list(LAYERS),
        )
        for name, ours, theirs in zip(LAYERS + ("gradient",), got, wanted):
            np.testing.assert_allclose(ours, theirs[i].ravel(), rtol=1e-4, atol=2e-6, err_msg=name)


def test_kernels_are_shown_in_colour(page, network):
    kernel = network_kernels(network)[5]
    page.execute_script("document.querySelectorAll('[data-layer=conv1] .map')[5].click()")
    settle(page)
    shown = page.execute_script("""
        const canvas = document.querySelector(".in-colour");
        return Array.from(canvas.getContext("2d").getImageData(0, 0, 5, 5).data);""")
    shown = np.reshape(shown, (5, 5, 4))[..., :3]
    turned = kernel[:, ::-1, ::-1].transpose(1, 2, 0)  # as it is laid on the picture
    np.testing.assert_allclose(shown, 127.5 + 127.5 * turned / abs(kernel).max(), atol=1)
    sums = page.execute_script("return [...document.querySelectorAll('.channels button')].map((b) => b.textContent)")
    assert [text.split(" ")[0] for text in sums] == ["red", "green", "blue"]


def network_kernels(network):
    return lasagne.layers.get_all_param_values(network)[0]


def test_nothing_is_drawn_on_a_colour_picture(page):
    before = page.execute_script("return Array.from(explorer.state.input.pixels)")
    from selenium.webdriver import ActionChains

    pad = page.find_element("id", "ink")
    ActionChains(page, duration=10).move_to_element(pad).click_and_hold().move_by_offset(30, 30).release().perform()
    settle(page)
    assert page.execute_script("return Array.from(explorer.state.input.pixels)") == before
    assert not page.find_element("id", "clear").is_displayed()


@pytest.mark.parametrize("width, height", [(1280, 900), (390, 844)])
def test_no_tab_is_too_wide_and_axe_finds_nothing(page, width, height):
    if importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("axe-core is not here: pip install --no-deps axe-playwright-python")
    found = importlib.util.find_spec("axe_playwright_python").submodule_search_locations[0]
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    page.execute_script((Path(found) / "axe.min.js").read_text(encoding="utf-8"))
    page.execute_script("document.querySelectorAll('[data-layer=output] button')[3].click()")
    # axe cannot tell the background of what lies under the lines between the layers
    page.execute_script("document.getElementById('wedges').style.display = 'none'")
    for tab in ("sum", "looks", "curves", "fool", "where", "compare", "film"):
        page.execute_script("document.getElementById('tab-' + arguments[0]).click()", tab)
        settle(page)
        assert page.execute_script("return document.documentElement.scrollWidth") <= width, tab
        violations = page.execute_async_script("""
            const done = arguments[0];
            axe.run().then(({violations}) => done(violations.map(({id, nodes}) =>
              id + ": " + nodes.map(({html}) => html).join(" "))));""")
        assert violations == [], tab
    page.execute_script("document.getElementById('tab-sum').click()")
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_softmax_of_many_classes_shows_the_likeliest(page):
    page.execute_script("document.querySelectorAll('[data-layer=output] button')[3].click()")
    settle(page)
    rows = page.execute_script("""return [...document.querySelectorAll(".softmax tbody tr")].map(
        (row) => [...row.children].map((cell) => cell.textContent))""")
    assert len(rows) == 13 and rows[-2][0] == "36 others" and rows[-1][1] == "sum"
    probabilities = np.array(page.execute_script("return Array.from(explorer.network.values.output)"))
    assert NAMES[3] in [row[0] for row in rows]
    assert NAMES[probabilities.argmax()] in [row[0] for row in rows]


def test_pixels_come_back_from_text(images):
    import zlib

    text = pack_pixels(images)
    planes = zlib.decompress(base64.b85decode(text.replace(",", "<")))
    differences = np.frombuffer(planes, np.uint8).reshape(images.shape)
    np.testing.assert_array_equal(np.cumsum(differences, axis=3, dtype=np.uint8), images)


# --- one channel, and words ---------------------------------------------------------------------

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


@pytest.fixture(scope="module")
def fashion_path(fixed_weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("fashion") / "explore.html"
    images = np.random.RandomState(2).randint(256, size=(20, 1, 28, 28)).astype(np.uint8)
    content = content_of(fixed_weights, images, FASHION, labels=np.arange(20) % 10, film=[])
    path.write_text(explorer.build_page(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def fashion(browser, fashion_path):
    show(browser, fashion_path, 390, 844)
    return browser


@pytest.fixture(scope="module")
def fixed_weights():
    """Of MNIST's network, without building it."""
    rng = np.random.RandomState(3)
    shapes = [(32, 1, 5, 5), (32,), (32, 32, 5, 5), (32,), (512, 256), (256,), (256, 10), (10,)]
    return [np.float32(rng.randn(*shape) / 20) for shape in shapes]


def test_a_drawing_that_is_no_handwriting_stays_where_it_is(fashion):
    from selenium.webdriver import ActionChains

    fashion.find_element("id", "clear").click()
    ink = fashion.find_element("id", "ink")
    side = ink.size["width"]
    ActionChains(fashion, duration=10).move_to_element_with_offset(
        ink, int(-0.4 * side), int(-0.4 * side)
    ).click_and_hold().move_by_offset(0, int(0.3 * side)).release().perform()
    settle(fashion)
    pixels = np.reshape(fashion.execute_script("return Array.from(explorer.state.input.pixels)"), (28, 28))
    rows, columns = np.nonzero(pixels)
    assert columns.max() < 7 and 1 <= rows.min() and rows.max() < 14 and pixels.max() > 200
    # centred as handwriting, it would have stood in the middle
    assert fashion.title == "Draw a picture, watch the network think"


def test_words_fit_on_a_phone(fashion):
    assert fashion.execute_script("return document.documentElement.scrollWidth") <= 390
    names = fashion.execute_script(
        'return [...document.querySelectorAll("#glance span, .answer-bar b")].map((node) => node.textContent)'
    )
    assert names == FASHION * 2
    spoken = "The network sees {}".format(
        FASHION[int(np.argmax(fashion.execute_script("return Array.from(explorer.network.values.output)")))]
    )
    until(fashion, "document.getElementById('spoken').textContent.startsWith('{}')".format(spoken))


# --- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, shape", [("page", SHAPE), ("fashion", (1, 28, 28))])
def test_pictures_are_prepared_as_python_does(kind, shape, browser, request, tmp_path):
    show(browser, request.getfixturevalue(kind + "_path"))
    page = browser
    rng = np.random.RandomState(0)
    rough = rng.randint(256, size=(9, 14, 3)).astype(np.uint8)
    # made smaller, and larger; many times smaller, turned by the camera, wider than a canvas
    for name, size in (
        ("a.png", (140, 90)),
        ("b.png", (20, 33)),
        ("c.png", (2401, 1100)),
        ("d.jpg", (1307, 3999)),
        ("e.png", (5001, 700)),
        ("f.webp", (1700, 1100)),
    ):
        picture = Image.fromarray(rough).resize(size, Image.BILINEAR)
        path = tmp_path / name
        if name == "f.webp":
            picture.putalpha(Image.linear_gradient("L").resize(size))
        picture.save(str(path), exif=TURNED if name == "d.jpg" else b"", lossless=True)
        wanted = np.rint(load_photo(path, shape) * 256)
        page.execute_script("document.getElementById('file').hidden = false")
        page.find_element("id", "file").send_keys(str(path))
        page.execute_script("document.getElementById('file').hidden = true")
        until(page, "explorer.pad.state.digit.name === '{}'".format(path.name))
        settle(page)
        got = np.array(page.execute_script("return Array.from(explorer.state.input.pixels)"))
        assert abs(got - wanted.ravel()).max() <= 1, name
        # of what is transparent the mean is rounded once more
        assert (got == wanted.ravel()).mean() > (0.6 if name == "f.webp" else 0.95), name
