"""The explorer page in depth, in a real Chromium: its numbers, its parts, its sizes."""

import base64
import json
import time

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from browsers import browser, written  # noqa: F401  fixtures
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageDraw

from mnist_cnn.pictures.digits import fit_to_field

pytestmark = pytest.mark.browser

LAYERS = ("input", "conv1", "pool1", "conv2", "pool2", "dense", "output")
SIZES = {"wide": (1280, 900), "narrow": (400, 800)}


# --- the page in the browser --------------------------------------------------------------------


class Page:
    """The page in the browser, and a user's hands."""

    def __init__(self, driver, path):
        from selenium.webdriver import ActionChains

        self.driver = driver
        self.path = path
        self.actions = lambda: ActionChains(driver, duration=10)

    def open(self, size="wide", scheme="light", anew=True):
        width, height = SIZES.get(size, size)
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        if anew:  # a reload brings the last drawing back
            self.driver.get("about:blank")
        self.driver.get(self.path.as_uri())
        self.driver.execute_async_script("""
            const done = arguments[0];
            const look = () => "ready" in document.documentElement.dataset ? done() : setTimeout(look, 20);
            look();""")
        self.settle()

    def settle(self):
        """Wait until what was asked for is drawn."""
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def js(self, script, *args):
        return self.driver.execute_script("return " + script, *args)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def click(self, selector):
        self.one(selector).click()
        self.settle()

    def point_at(self, node, x=0, y=0):
        """Move the pointer to a place of a node, in pixels from its middle."""
        self.actions().move_to_element_with_offset(node, x, y).perform()
        self.settle()

    def press(self, *keys):
        """Press keys, one after another, wherever the focus is."""
        chain = self.actions()
        for key in keys:
            chain.send_keys(key)
        chain.perform()
        self.settle()

    def stroke(self, *points):
        """Draw on the pad with the mouse; points from (0, 0) to (1, 1)."""
        pad = self.one("#ink")
        width, height = pad.size["width"], pad.size["height"]
        moves = [(int((x - 0.5) * width), int((y - 0.5) * height)) for x, y in points]
        chain = self.actions().move_to_element_with_offset(pad, *moves[0]).click_and_hold()
        for move in moves[1:]:
            chain.move_to_element_with_offset(pad, *move)
        chain.release().perform()
        self.settle()

    def tab_to(self, selector):
        """Press Tab until the node is in focus."""
        from selenium.webdriver.common.keys import Keys

        for _ in range(60):
            self.press(Keys.TAB)
            if self.js("document.activeElement.matches(arguments[0])", selector):
                return
        pytest.fail("Tab does not reach {}".format(selector))

    @property
    def input(self):
        return np.array(self.js("Array.from(explorer.network.values.input)")).reshape(28, 28)

    @property
    def probabilities(self):
        return np.array(self.js("Array.from(explorer.network.values.output)"))

    @property
    def verdict(self):
        return self.one("#verdict-digit").text

    def value(self, layer, map, row=0, column=0, raw=False):
        """What the page's network computed for one pixel of a map."""
        return self.js(
            "explorer.network[arguments[4]][arguments[0]]["
            "(arguments[1] * explorer.LAYERS[arguments[0]].size + arguments[2])"
            " * explorer.LAYERS[arguments[0]].size + arguments[3]]",
            layer,
            map,
            row,
            column,
            "raw" if raw else "values",
        )

    def terms(self):
        """The chips of the inspector's equation: names and texts."""
        return [
            (node.find_element("css selector", "small").text, node.find_element("css selector", "b").text)
            for node in self.all("#equation .term")
        ]

    def grid(self, name):
        return [read(cell.text) for cell in self.all(".grid-{} td".format(name))]


def read(text):
    """A number as the page writes it."""
    return float(text.replace("\u2212", "-"))


@pytest.fixture
def page(browser, written):
    page = Page(browser, written[1])
    browser.get_log("browser")
    page.open()
    yield page
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def encode(images):
    """Images in [0, 255/256] as the base64 of their bytes."""
    return base64.b64encode(np.uint8(images * 256).tobytes()).decode("ascii")


# --- the numbers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theano_layers(cnn):
    """A function from images to every layer, and one from images and a digit to the saliency."""
    network, input_var, _ = cnn
    layers = [
        layer for layer in lasagne.layers.get_all_layers(network) if not isinstance(layer, lasagne.layers.DropoutLayer)
    ]
    values, raw = dict(zip(LAYERS, lasagne.layers.get_output(layers, deterministic=True))), {}
    for name, below, layer in zip(LAYERS[1:], LAYERS, layers[1:]):
        if isinstance(layer, lasagne.layers.MaxPool2DLayer):
            continue
        nonlinearity, layer.nonlinearity = layer.nonlinearity, lambda x: x
        raw[name] = layer.get_output_for(values[below])
        layer.nonlinearity = nonlinearity
    digits = T.ivector("digits")
    score = raw["output"][T.arange(digits.shape[0]), digits].sum()
    names = [("values", name) for name in values] + [("raw", name) for name in raw]
    forward = theano.function([input_var], list(values.values()) + list(raw.values()))
    saliency = theano.function([input_var, digits], T.grad(score, input_var))
    return lambda images: dict(zip(names, forward(images))), saliency


def test_every_layer_agrees_with_theano(page, theano_layers, mnist):
    images = mnist[4][:200]
    wanted = theano_layers[0](images)
    got = []
    for start in range(0, 200, 50):
        text = page.js(
            """((images, names) => {
            const bytes = Uint8Array.from(atob(images), (letter) => letter.charCodeAt(0));
            const layers = names.map(([kind, layer]) => explorer.network[kind][layer]);
            const parts = [];
            for (let i = 0; i < bytes.length; i += 784) {
              explorer.network.forward(Float32Array.from(bytes.subarray(i, i + 784), (b) => b / 256));
              for (const layer of layers) {
                parts.push(String.fromCharCode(...new Uint8Array(layer.slice().buffer)));
              }
            }
            return btoa(parts.join(""));
          })(...arguments)""",
            encode(images[start : start + 50]),
            list(wanted),
        )
        got.append(np.frombuffer(base64.b64decode(text), "<f4").reshape(50, -1))
    got = np.concatenate(got)
    differences = {}
    for name, theirs in wanted.items():
        ours, got = np.split(got, [theirs[0].size], axis=1)
        differences[name] = float(np.abs(ours - theirs.reshape(200, -1)).max())
    print("largest differences from Theano:", differences)
    assert len(differences) == 11 and got.size == 0
    assert max(differences.values()) < 1e-4, differences


def has_steady_gradient(layers):
    """Whether each image's gradient is settled, and not by how a sum was rounded.

    Where two pixels of a pool's four have the same value but for rounding, the gradient takes
    the one or the other's way, unless they are sums of equal patches, as where an image is blank;
    a sum that is 0 but for rounding passes or does not pass ReLU.
    """
    steady = np.ones(len(layers["values", "input"]), bool)
    for name, below in (("conv1", "input"), ("conv2", "pool1")):
        fours = in_fours(layers["values", name])  # (images, windows, 4, maps)
        patches = sliding_window_view(layers["values", below], (5, 5), axis=(2, 3))
        n, _, size, *_ = patches.shape
        patches = in_fours(patches.transpose(0, 1, 4, 5, 2, 3).reshape(n, -1, size, size))
        order = np.argsort(fours, axis=2)
        sorted_fours = np.take_along_axis(fours, order, axis=2)
        gap = sorted_fours[:, :, 3] - sorted_fours[:, :, 2]
        steady &= ~((gap > 0) & (gap < 1e-5)).any(axis=(1, 2))
        image, window, map_ = np.nonzero((gap == 0) & (sorted_fours[:, :, 3] > 0))
        one, other = (patches[image, window, order[image, window, place, map_]] for place in (2, 3))
        steady[image[(one != other).any(axis=1)]] = False
    for name in ("conv1", "conv2", "dense"):
        steady &= ~(np.abs(layers["raw", name]).reshape(len(steady), -1) < 1e-6).any(axis=1)
    return steady


def in_fours(maps):
    """Maps, (n, channels, size, size), as (n, windows, 4, channels), by the pool's windows."""
    n, channels, size, _ = maps.shape
    fours = maps.reshape(n, channels, size // 2, 2, size // 2, 2).transpose(0, 2, 4, 3, 5, 1)
    return fours.reshape(n, -1, 4, channels)


def test_saliency_agrees_with_theano(page, theano_layers, mnist):
    images, digits = mnist[4][:100], np.int32(np.arange(100) % 10)
    got = np.array(
        page.js(
            """((images, digits) => {
        const bytes = Uint8Array.from(atob(images), (letter) => letter.charCodeAt(0));
        return digits.map((digit, i) => {
          const pixels = Float32Array.from(bytes.subarray(i * 784, (i + 1) * 784), (b) => b / 256);
          explorer.network.forward(pixels);
          return Array.from(explorer.network.gradient("output", digit));
        });
      })(...arguments)""",
            encode(images),
            digits.tolist(),
        )
    )
    wanted = theano_layers[1](images, digits).reshape(100, 784)
    steady = has_steady_gradient(theano_layers[0](images))
    difference = np.abs(got - wanted).max(axis=1)
    print(
        "largest difference from Theano's gradient: {:.1e} for {} steady digits of 100, {:.1e} for all".format(
            difference[steady].max(), steady.sum(), difference.max()
        )
    )
    assert steady.sum() > 50
    assert np.abs(wanted).max() > 0.1
    assert difference[steady].max() < 1e-4
    assert (difference < 1e-4).sum() > 90
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(got, wanted)) > 0.95


def averaging(length, count):
    """The matrix that averages `length` samples to `count`, each over an equal share of them."""
    edges = np.linspace(0, length, count + 1)
    samples = np.arange(length)
    overlap = np.minimum(edges[1:, None], samples + 1) - np.maximum(edges[:-1, None], samples)
    return np.maximum(overlap, 0) * count / length


def prepare(ink):
    """The preprocessing once more: 20 x 20 box, peak, centre of mass. Floats, not yet rounded."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
    height, width = (max(1, int(np.floor(20 * side / max(box.shape) + 0.5))) for side in box.shape)
    small = averaging(box.shape[0], height) @ box @ averaging(box.shape[1], width).T
    small *= 255 / small.max()
    rounded = np.floor(small + 0.5)
    result = np.zeros((28, 28))
    shifts = [
        int(
            np.clip(
                np.floor(14 - (rounded.sum(axis=1 - axis) * np.arange(side)).sum() / rounded.sum() + 0.5), 0, 28 - side
            )
        )
        for axis, side in enumerate(small.shape)
    ]
    result[shifts[0] : shifts[0] + height, shifts[1] : shifts[1] + width] = small
    return result


def prepared_by(page, ink):
    """What the page makes of ink, bytes (rows, columns)."""
    text = base64.b64encode(np.uint8(ink).tobytes()).decode("ascii")
    result = page.js(
        """((result) => result && Array.from(result.pixels))(explorer.preprocess(
        Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0)), arguments[1]))""",
        text,
        ink.shape[1],
    )
    return None if result is None else np.array(result).reshape(28, 28)


def draw_strokes(seed):
    """A drawing as a hand makes it, (280, 280): a few bent lines of one width."""
    rng = np.random.RandomState(seed)
    picture = Image.new("L", (280, 280))
    width = rng.randint(4, 40)
    for _ in range(rng.randint(1, 4)):
        points = [tuple(point) for point in rng.randint(20, 260, (rng.randint(2, 6), 2)).tolist()]
        ImageDraw.Draw(picture).line(points, fill=int(rng.randint(60, 256)), width=int(width), joint="curve")
    return np.asarray(picture)


def paste_digit(seed, images):
    """A test digit somewhere in a field of (280, 280), of any size."""
    rng = np.random.RandomState(seed)
    side = rng.randint(14, 270)
    digit = Image.fromarray(np.uint8(images[rng.randint(len(images)), 0] * 256))
    field = np.zeros((280, 280), np.uint8)
    top, left = rng.randint(0, 281 - side, 2)
    field[top : top + side, left : left + side] = digit.resize((side, side), Image.BILINEAR)
    return field


def test_the_page_prepares_pictures_as_python_does(page, mnist):
    """One rule, written twice: the same bytes for a hundred pictures."""
    pictures = [draw_strokes(seed) for seed in range(50)] + [paste_digit(seed, mnist[4]) for seed in range(50)]
    for ink in pictures:
        wanted = fit_to_field(ink / 255) * 256
        assert np.array_equal(wanted, np.rint(wanted))
        assert np.array_equal(prepared_by(page, ink), wanted)
        assert np.abs(prepare(ink) - wanted).max() < 0.5001


def test_thin_and_faint_strokes_get_full_ink(page):
    ink = np.zeros((280, 280), np.uint8)
    ink[20:260, 130] = 30
    assert prepared_by(page, ink).max() == 255 == 256 * fit_to_field(ink / 255).max()


def test_preprocessing_of_nothing(page):
    assert prepared_by(page, np.zeros((280, 280))) is None


def test_preprocessing_is_how_mnist_was_made(page, mnist):
    """A test digit magnified and put into a corner comes back as it was.

    A few of MNIST's have their peak at 254; they come back a level brighter there.
    """
    same = 0
    for image in np.uint8(mnist[4][:40, 0] * 256):
        ink = np.zeros((280, 280), np.uint8)
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].repeat(10, 0).repeat(10, 1)
        ink[: box.shape[0], -box.shape[1] :] = box
        same += np.abs(prepared_by(page, ink) - image).max() <= 1
    assert same >= 39


def test_a_frame_takes_some_forward_passes(page):
    """Measured while a hand draws: the forward pass, and all that a frame takes."""
    forward, frame = page.driver.execute_async_script("""
        const done = arguments[0];
        const pad = document.getElementById("ink");
        const box = pad.getBoundingClientRect();
        const send = (type, x, y) => pad.dispatchEvent(new PointerEvent(type, {
          bubbles: true, isPrimary: true, button: 0, buttons: 1, pointerType: "mouse",
          clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
        pad.setPointerCapture = () => {};  // these events have no pointer of the system's
        send("pointerdown", .5, .2);
        const frames = [];
        const draw = () => {
          frames.push([explorer.timing.forward.mean, explorer.timing.frame.mean]);
          const angle = frames.length / 20;
          send("pointermove", .5 + .25 * Math.sin(angle), .5 - .3 * Math.cos(angle));
          if (frames.length < 80) return requestAnimationFrame(draw);
          send("pointerup", .5, .5);
          const median = (i) => frames.map((frame) => frame[i]).sort((a, b) => a - b)[40];
          done([median(0), median(1)]);
        };
        requestAnimationFrame(draw);""")
    print("forward pass: {:.1f} ms; whole frame: {:.1f} ms".format(forward, frame))
    assert page.input.max() > 0.9
    assert 0 < forward < frame < 20 * forward  # 30 frames a second where the machine does nothing else


# --- drawing and picking ----------------------------------------------------------------------


def test_drawing_undo_and_clear(page):
    start = page.input
    page.stroke((0.3, 0.15), (0.7, 0.15), (0.5, 0.5), (0.4, 0.85))
    drawn, probabilities = page.input, page.probabilities
    assert drawn.max() > 0.9
    assert not np.array_equal(drawn, start)  # the example made way for the drawing
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) == 19
    assert abs((drawn.sum(axis=1) * np.arange(28)).sum() / drawn.sum() - 14) <= 0.5
    assert page.verdict == str(probabilities.argmax())

    page.stroke((0.3, 0.5), (0.7, 0.5))
    assert not np.allclose(page.probabilities, probabilities, atol=1e-3)
    page.click("#undo")
    assert np.array_equal(page.input, drawn)
    assert np.array_equal(page.probabilities, probabilities)

    page.click("#clear")
    assert page.input.max() == 0
    assert page.verdict == "?"
    assert not page.one("#clear").is_enabled()
    from selenium.webdriver.common.keys import Keys

    page.actions().key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    page.settle()
    assert np.array_equal(page.input, drawn)
    page.click("#undo")
    assert np.array_equal(page.input, start)
    assert not page.one("#undo").is_enabled()


def test_page_is_live_while_drawing(page):
    """The answer follows before the pointer is let go."""
    pad = page.one("#ink")
    page.actions().move_to_element_with_offset(pad, 0, -90).click_and_hold().perform()
    for x, y in ((50, -60), (-30, -20), (40, 30), (-60, 80)):
        ink, answer = page.input, page.probabilities
        page.actions().move_to_element_with_offset(pad, x, y).perform()
        deadline = time.time() + 5
        while np.array_equal(ink, page.input) and time.time() < deadline:
            page.settle()
        assert not np.array_equal(ink, page.input)
        assert not np.array_equal(answer, page.probabilities)
    page.actions().release().perform()


def test_touch_draws(page):
    def touch(kind, *points):
        page.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        )

    box = page.js("(({x, y, width}) => [x, y, width])(document.getElementById('ink').getBoundingClientRect())")
    at = lambda x, y: (box[0] + x * box[2], box[1] + y * box[2])
    touch("touchStart", at(0.5, 0.2))
    for y in (0.4, 0.6, 0.8):
        touch("touchMove", at(0.5, y))
    touch("touchEnd")
    page.settle()
    rows, columns = (np.flatnonzero(page.input.any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) == 19
    assert np.ptp(columns) < 8


def test_brush_size(page):
    page.stroke((0.5, 0.2), (0.5, 0.8))
    thin = page.input.sum()
    page.click("#undo")
    page.driver.execute_script(
        "const brush = document.getElementById('brush'); brush.value = 44;brush.dispatchEvent(new Event('input'));"
    )
    page.stroke((0.5, 0.2), (0.5, 0.8))
    assert page.input.sum() > 1.3 * thin


def test_picking_digits(page, mnist, training):
    digits = json.loads(page.js("document.getElementById('facts').textContent"))["gallery"]
    for digit in digits:
        digit["label"] = int(mnist[5][digit["index"]])
    thumbs = page.all(".gallery .thumb")
    assert len(thumbs) == len(digits) > 12
    mistakes = [digit for digit in digits if digit["mistake"]]
    assert len(mistakes) == 12
    confidences = [digit["confidence"] for digit in mistakes]
    assert confidences == sorted(confidences, reverse=True)
    for digit, thumb in zip(digits, thumbs):
        assert digit["mistake"] == (digit["answer"] != digit["label"])
        thumb.click()
        page.settle()
        assert np.array_equal(page.input, mnist[4][digit["index"], 0])
        assert page.verdict == str(digit["answer"])
        assert abs(page.probabilities.max() - digit["confidence"]) < 1e-3
        assert thumb.get_attribute("aria-pressed") == "true"
    assert "but it is a {}".format(digits[-1]["label"]) in page.one("#verdict-text").text

    picked = page.input
    page.stroke((0.1, 0.5), (0.9, 0.5))  # a stroke on a picked digit begins a drawing, and says so
    assert np.ptp(np.flatnonzero(page.input.any(axis=1))) < 6
    assert "Undo" in page.one("#notice").text
    page.click("#undo")
    assert np.array_equal(page.input, picked)
    page.open(anew=False)  # a reload brings it back
    assert np.array_equal(page.input, picked)


# --- looking into a map -----------------------------------------------------------------------


def test_hovering_over_convolution_1(page):
    node = page.all("[data-layer=conv1] .map")[9]
    page.point_at(node, 4, 4)
    assert page.one("#inspected").text.startswith("Convolution 1")
    row, column = 14, 14  # 36 pixels wide: a pixel in 1.5; 4 from the middle
    assert "map 9, pixel in row {}, column {}".format(row, column) in page.one("#inspected").text
    patch, kernel, products = map(page.grid, ("input", "kernel", "product"))
    assert np.allclose(patch, page.input[row : row + 5, column : column + 5].ravel(), atol=0.0051)
    assert np.abs(np.multiply(patch, kernel) - products).max() < 0.015
    (_, total), (_, bias), (_, raw), (name, result) = page.terms()
    assert abs(read(total) + read(bias) - read(raw)) < 0.0021
    assert abs(read(raw) - page.value("conv1", 9, row, column, raw=True)) < 0.00051
    assert abs(read(result) - page.value("conv1", 9, row, column)) < 0.00051
    assert name == "pixel ({}, {})".format(row, column)
    # the receptive field is marked on the input
    box = page.one("[data-layer=input] .map .box").get_attribute("style")
    assert "left: {:g}%; top: {:g}%".format(100 * column / 28, 100 * row / 28) in box

    page.point_at(page.one("h1"))  # away: back to what was kept
    assert "map 9" not in page.one("#inspected").text


def test_kernels_are_shown_as_they_are_laid_on(page, training):
    """Theano turns kernels by 180 degrees; the table has them turned."""
    with np.load(training[1]) as weights:
        kernel = weights["arr_0"][9, 0, ::-1, ::-1]
    page.point_at(page.all("[data-layer=conv1] .map")[9])
    assert np.allclose(page.grid("kernel"), kernel.ravel(), atol=0.0051)


def test_convolution_2_and_its_channels(page):
    node = page.all("[data-layer=conv2] .map")[5]
    page.actions().move_to_element_with_offset(node, 2, 2).click().perform()
    page.settle()
    sums = [read(button.text) for button in page.all(".channels button")]
    assert len(sums) == 32
    (_, own), (_, others), (_, bias), (_, raw), (_, result) = page.terms()
    assert abs(sum(sums) - read(own) - read(others)) < 0.005 * 32
    assert abs(read(own) + read(others) + read(bias) - read(raw)) < 0.0021
    assert abs(read(raw) - page.value("conv2", 5, 4, 4, raw=True)) < 0.00051
    chosen = page.all(".channels button.chosen")
    assert len(chosen) == 1
    assert abs(read(chosen[0].text)) == max(map(abs, sums))  # the one that counts most

    page.all(".channels button")[7].click()
    page.point_at(page.one("h1"))
    assert "map 7: 25 products" in page.terms()[0][0]
    assert abs(read(page.terms()[0][1]) - sums[7]) < 0.0055
    pool1 = np.array(page.js("Array.from(explorer.network.values.pool1)")).reshape(32, 12, 12)
    assert np.allclose(page.grid("input"), pool1[7, 4:9, 4:9].ravel(), atol=0.0051)
    assert "source" in page.all("[data-layer=pool1] .map")[7].get_attribute("class")


def test_a_kept_map_stays_and_follows_the_drawing(page):
    page.all("[data-layer=conv1] .map")[3].click()
    page.settle()
    page.point_at(page.one("#here"), 30, 30)  # another pixel, on the large map
    assert "map 3" in page.one("#inspected").text
    page.click("#clear")
    page.stroke((0.4, 0.2), (0.6, 0.8))
    assert "map 3" in page.one("#inspected").text
    row, column = [int(text) for text in page.terms()[-1][0][7:-1].split(", ")]
    assert abs(read(page.terms()[-1][1]) - page.value("conv1", 3, row, column)) < 0.00051


def test_pools_dense_and_answer(page):
    page.point_at(page.all("[data-layer=pool1] .map")[9], 1, 1)
    cells = page.grid("input")
    assert len(cells) == 4
    assert read(page.terms()[-1][1]) == max(cells)

    page.point_at(page.one("[data-layer=dense] canvas"), 4, 4)
    unit = int(page.one("#inspected span").text.split()[1])
    (_, own), (_, others), (_, bias), (_, raw), (_, result) = page.terms()
    assert abs(read(own) + read(others) + read(bias) - read(raw)) < 0.0021
    assert abs(read(result) - page.value("dense", unit)) < 0.00051

    page.point_at(page.all("[data-layer=output] button")[6])
    (_, shares), (_, bias), (_, score), (_, probability) = page.terms()
    assert abs(read(shares) + read(bias) - read(score)) < 0.0016
    assert abs(read(score) - page.value("output", 6, raw=True)) < 0.00051
    assert len(page.all(".softmax tbody tr")) == 11  # and their sum

    page.point_at(page.one("[data-layer=input] .map"), 10, 10)
    assert len(page.all(".grid-input td")) == 49
    assert page.terms()[1] == ("levels", "256")


@pytest.mark.parametrize("size, layer", [((1024, 768), "pool1"), ((800, 700), "conv2")])
def test_nothing_moves_while_one_walks_down_a_column(page, size, layer):
    """From map 9 to map 13, from 0.02 to -0.02: the tables and the big map stay where they are."""
    from selenium.webdriver.common.keys import Keys

    def places():
        return page.js("""["#here", ".below canvas", ".grid", "#equation", "#edits"].map((name) => {
            const {left, top, width} = document.querySelector(name).getBoundingClientRect();
            return [left, top + scrollY, width].map(Math.round).join();
          }).join(" ")""")

    page.open(size)
    seen = set()
    for node in page.all("[data-layer={}] .map".format(layer))[1::4]:
        page.point_at(node)
        seen.add(places())
    node.click()
    page.one("#here").send_keys(Keys.ARROW_UP)
    for key in [Keys.ARROW_RIGHT] * 3 + [Keys.ARROW_DOWN] * 3:
        page.press(key)
        seen.add(places())
    assert "map 29" in page.one("#inspected").text
    assert len(seen) == 1, seen


def picture(page, selector):
    """A canvas's pixels, (rows, columns, RGBA)."""
    width, height, data = page.js(
        """(() => {
        const canvas = document.querySelector(arguments[0]);
        const {width, height} = canvas;
        return [width, height, Array.from(canvas.getContext("2d").getImageData(0, 0, width, height).data)];
      })()""".replace("arguments[0]", json.dumps(selector))
    )
    return np.array(data).reshape(height, width, 4)


def test_raw_convolution_toggle(page):
    selector = "[data-layer=conv1] .map:nth-child({}) canvas"
    raw = np.array(page.js("Array.from(explorer.network.raw.conv1)")).reshape(32, 24, 24)
    chosen = int((raw < -0.05).sum(axis=(1, 2)).argmax())
    selector = selector.format(chosen + 1)
    relu = picture(page, selector)
    blue = lambda image: image[..., 2].astype(int) - image[..., 0] > 10
    assert not blue(relu).any()
    page.click("#stage-values label:nth-of-type(2)")
    assert blue(picture(page, selector)).sum() > 20  # sums below zero have the other colour
    assert not np.array_equal(picture(page, selector), relu)
    page.click("#stage-values label:nth-of-type(1)")
    assert np.array_equal(picture(page, selector), relu)


def test_saliency_overlay(page):
    assert picture(page, "#pad-overlay")[..., 3].max() == 0
    page.click(".switch")
    gradient = np.abs(
        page.js("Array.from(explorer.network.gradient('output', Number(arguments[0])))", page.verdict)
    ).reshape(28, 28)
    alpha = picture(page, "#pad-overlay")[..., 3]
    assert alpha.max() == 255
    assert alpha.ravel()[gradient.argmax()] == 255
    assert np.corrcoef(alpha.ravel(), gradient.ravel())[0, 1] > 0.9

    # on a drawing it lies where the ink came from: its frame is the 28 x 28's, scaled back
    page.stroke((0.05, 0.05), (0.05, 0.35))
    left, top, width, height = page.js("""(() => {
        const frame = document.getElementById("pad-overlay").getBoundingClientRect();
        const pad = document.getElementById("ink").getBoundingClientRect();
        return [(frame.left - pad.left) / pad.width, (frame.top - pad.top) / pad.height,
                frame.width / pad.width, frame.height / pad.height];
      })()""")
    rows = np.flatnonzero(page.input.any(axis=1))
    assert abs(top + height * rows[0] / 28 - (0.05 - 12 / 280)) < 0.02
    assert abs(top + height * (rows[-1] + 1) / 28 - (0.35 + 12 / 280)) < 0.02

    page.click("#clear")
    page.click(".switch")
    assert picture(page, "#pad-overlay")[..., 3].max() == 0


# --- keys, sizes, colours, no requests --------------------------------------------------------


def test_everything_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.tab_to("#ink")
    page.press(Keys.DELETE)
    assert page.verdict == "?"
    page.press(*[Keys.ARROW_UP] * 8, Keys.SPACE, *[Keys.ARROW_DOWN] * 16, Keys.SPACE)
    page.press(*[Keys.ARROW_RIGHT] * 5)  # lifted: draws nothing
    assert np.ptp(np.flatnonzero(page.input.any(axis=1))) == 19
    assert np.ptp(np.flatnonzero(page.input.any(axis=0))) < 5
    assert page.verdict != "?"

    page.tab_to("[data-layer=conv1] .map")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert "map 5" in page.one("#inspected").text
    page.press(Keys.ENTER)
    assert page.js("document.activeElement.id") == "here"
    before = page.one("#inspected").text
    page.press(Keys.ARROW_LEFT)
    assert page.one("#inspected").text != before
    assert "map 5" in page.one("#inspected").text

    page.open()
    page.tab_to("[data-layer=dense] canvas")
    before = page.one("#inspected").text
    page.press(Keys.ARROW_DOWN if int(before.split()[-1]) < 128 else Keys.ARROW_UP)
    assert abs(int(page.one("#inspected").text.split()[-1]) - int(before.split()[-1])) == 8
    page.tab_to("[data-layer=output] button")
    page.press(Keys.ARROW_DOWN)
    assert "class 1" in page.one("#inspected").text
    page.tab_to(".gallery .thumb")
    page.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert page.all(".gallery .thumb")[1].get_attribute("aria-pressed") == "true"
    page.tab_to(".channels button, #here, #saliency, body")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sizes_and_colours(page, size, scheme):
    page.open(size, scheme)
    luminance = lambda: sum(
        map(float, page.js("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(","))
    )
    assert (luminance() < 384) == (scheme == "dark")
    for layer in LAYERS:
        node = page.all("[data-layer={}] .maps :is(button, .unit-grid canvas)".format(layer))[0]
        page.js("arguments[0].scrollIntoView({block: 'center'})", node)
        node.click()
        page.settle()
        assert page.one("#bench").is_displayed()
        assert page.js("document.documentElement.scrollWidth <= innerWidth")
        if size == "narrow":  # what was tapped is at hand, and so is what it opened
            gap = (
                page.one("#bench").rect["y"]
                - page.one("[data-layer={}]".format(layer)).rect["y"]
                - page.one("[data-layer={}]".format(layer)).rect["height"]
            )
            assert 0 <= gap < 20, layer
    page.js("window.scrollTo(0, 0)")
    page.click("#theme")
    assert (luminance() < 384) == (scheme == "light")


def test_no_request_is_made(page):
    page.driver.get_log("performance")
    page.open()
    page.stroke((0.3, 0.2), (0.6, 0.8))
    page.click(".switch")
    page.click("#theme")
    page.all(".gallery .thumb")[0].click()
    page.point_at(page.all("[data-layer=conv2] .map")[0])

    def requests():
        events = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
        return {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}

    made = requests()
    assert page.path.as_uri() in made  # the log does see requests
    assert {url for url in made if not url.startswith("data:")} == {page.path.as_uri()}

    # nor could one be made: the page's own policy refuses it
    refused = page.driver.execute_async_script(
        "fetch('http://127.0.0.1:9/').then(() => arguments[0](false), () => arguments[0](true))"
    )
    assert refused
    assert "Content Security Policy" in str(page.driver.get_log("browser"))
