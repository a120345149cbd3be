"""What the page does, in Chromium and in Firefox: play, motion, honesty, and who can use it."""

import base64
import importlib.util
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import lasagne
import numpy as np
import pytest
import theano
from browsers import browser, either, firefox, written  # noqa: F401  fixtures
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw

from mnist_cnn.analysis import trust
from mnist_cnn.analysis.figures import FIGURES
from mnist_cnn.drawing import layout
from mnist_cnn.pictures import reading
from mnist_cnn.storage.film import restore
from mnist_cnn.storage.records import load_film

pytestmark = pytest.mark.browser

WIDE = (1400, 900)
SIZES = [(1024, 768), (1280, 620), (1366, 625), (1400, 857), (1920, 1080)]
TABS = ["sum", "looks", "curves", "fool", "where", "compare", "film"]


class View:
    """The page in one of the browsers."""

    def __init__(self, browser, url):
        self.browser = browser
        self.url = url

    def open(self, size=WIDE, scheme="light", calm=False):
        self.browser.open(self.url, size, scheme, calm)
        self.until("'ready' in document.documentElement.dataset")
        self.settle()

    def js(self, expression, *args):
        return self.browser.js("return " + expression, *args)

    def until(self, expression, *args):
        """Wait until an expression is true; 10 seconds at most."""
        true = self.browser.wait(
            """
            const [...args] = arguments;
            const done = args.pop();
            const end = performance.now() + 10000;
            const test = function () {{ return {}; }};
            const look = () => test(...args) ? done(true)
              : performance.now() > end ? done(false) : setTimeout(look, 15);
            look();""".format(expression),
            *args,
        )
        assert true, "never true: " + expression

    def settle(self):
        """Wait until what was asked for is drawn."""
        self.browser.wait("const done = arguments[0];requestAnimationFrame(() => requestAnimationFrame(() => done()))")

    def click(self, selector, index=0):
        x, y = self.js(
            """(() => {
            const node = document.querySelectorAll(arguments[0])[arguments[1]];
            node.scrollIntoView({block: "nearest"});
            const {left, top, width, height} = node.getBoundingClientRect();
            return [Math.round(left + width / 2), Math.round(top + height / 2)];
          }).apply(null, arguments)""",
            selector,
            index,
        )
        self.pointer([(x, y)])

    def pointer(self, points):
        """Press the mouse at the first point, drag it through the others, and let go."""
        moves = [
            {"type": "pointerMove", "duration": 15, "x": int(x), "y": int(y), "origin": "viewport"} for x, y in points
        ]
        self.browser.act(
            [
                {
                    "type": "pointer",
                    "id": "mouse",
                    "parameters": {"pointerType": "mouse"},
                    "actions": [
                        moves[0],
                        {"type": "pointerDown", "button": 0},
                        *moves[1:],
                        {"type": "pointerUp", "button": 0},
                    ],
                }
            ]
        )
        self.settle()

    def draw(self, *points):
        """Draw a stroke on the pad; points from (0, 0) to (1, 1)."""
        left, top, side = self.js("""(() => {
            const box = document.getElementById("ink").getBoundingClientRect();
            return [box.left, box.top, box.width];
          })()""")
        self.pointer([(left + x * side, top + y * side) for x, y in points])

    def keys(self, *keys):
        self.browser.act(
            [
                {
                    "type": "key",
                    "id": "keyboard",
                    "actions": [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")],
                }
            ]
        )
        self.settle()

    def set_value(self, selector, value):
        """Give a slider or a field a value, as a user's hand would."""
        self.browser.js(
            """
            const node = document.querySelector(arguments[0]);
            node.value = arguments[1];
            for (const type of ["input", "change"]) {
              node.dispatchEvent(new Event(type, {bubbles: true}));
            }
            """,
            selector,
            value,
        )
        self.settle()

    def text(self, selector):
        return self.js("document.querySelector(arguments[0]).textContent", selector)

    def tab(self, name):
        self.click("#tab-" + name)

    def numbers(self, expression):
        return np.array(self.js("Array.from({})".format(expression)))

    @property
    def pixels(self):
        return self.numbers("explorer.state.input.pixels").reshape(28, 28)

    @property
    def probabilities(self):
        return self.numbers("explorer.network.values.output")

    def pick(self, number):
        self.set_value("#number", number)


@pytest.fixture
def view(either, written):
    view = View(either, written[1].as_uri())
    view.open()
    return view


# --- what is seen together --------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_picture_maps_and_sum_are_seen_together(view, size):
    view.open(size)
    assert view.js("[innerWidth, innerHeight]") == list(size)
    for layer in ("conv1", "pool1", "conv2", "pool2", "output"):
        view.click("[data-layer={}] .maps button".format(layer), 5)
        view.browser.js("scrollTo(0, 0)")
        lowest = view.js("""["#pad", "#equation", ".grid", ".list", "#here",
             ...document.querySelectorAll(".maps")]
            .map((node) => typeof node === "string" ? document.querySelector(node) : node)
            .filter((node) => node)
            .map((node) => node.getBoundingClientRect().bottom)
            .reduce((a, b) => Math.max(a, b))""")
        assert lowest <= size[1], layer
        assert view.js("document.documentElement.scrollWidth <= innerWidth")


# --- digits and pictures ----------------------------------------------------------------------


def test_any_test_digit_by_its_number(view, mnist, cnn):
    for number in (3, 77, 999):
        view.pick(number)
        assert np.array_equal(view.pixels, np.rint(mnist[4][number, 0] * 256))
        assert view.text("#verdict-digit") == str(view.probabilities.argmax())
    view.pick(1000)  # the data set of the tests has 1,000
    assert "0 to 999" in view.text("#notice")
    assert np.array_equal(view.pixels, np.rint(mnist[4][999, 0] * 256))
    seen = set()
    for _ in range(5):
        view.click("#random")
        number = int(view.js("document.getElementById('number').value"))
        assert np.array_equal(view.pixels, np.rint(mnist[4][number, 0] * 256))
        seen.add(number)
    assert len(seen) > 1


def make_pictures(mnist):
    """Picture files as users have them: a photograph, a screenshot, ink on nothing."""
    rng = np.random.RandomState(0)
    digit = Image.fromarray(np.uint8(mnist[4][0, 0] * 256)).resize((300, 300), Image.BILINEAR)
    ink = np.zeros((420, 560))
    ink[60:360, 150:450] = np.asarray(digit) / 255.0
    rows, columns = np.mgrid[-1:1:420j, -1:1:560j]
    paper = 0.75 + 0.15 * columns - 0.08 * rows + rng.normal(0, 0.02, ink.shape)
    photo = Image.fromarray(np.uint8(255 * (paper * (1 - 0.7 * ink)).clip(0, 1)))
    screen = Image.fromarray(np.uint8(30 + 200 * ink))
    alpha = np.zeros(ink.shape + (4,), np.uint8)
    alpha[..., 3] = 255 * ink
    small = Image.new("L", (90, 60), 255)
    ImageDraw.Draw(small).line([(40, 10), (44, 50)], fill=0, width=5)
    return [(photo, "JPEG"), (screen.convert("RGB"), "PNG"), (Image.fromarray(alpha), "PNG"), (small, "PNG")]


@pytest.mark.parametrize("way", ["file", "paste"])
def test_pictures_are_prepared_as_python_does(view, mnist, tmp_path, way):
    for i, (picture, kind) in enumerate(make_pictures(mnist)):
        stream = io.BytesIO()
        picture.save(stream, kind)
        path = tmp_path / "picture"
        path.write_bytes(stream.getvalue())
        wanted = reading.load_picture(path)[0] * 256
        view.browser.js(
            """
            const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], arguments[1], {type: arguments[2]}));
            if (arguments[3] === "file") {
              const input = document.getElementById("file");
              input.files = transfer.files;
              input.dispatchEvent(new Event("change"));
            } else {
              // Firefox lets no script fill a ClipboardEvent
              const event = new Event("paste");
              Object.defineProperty(event, "clipboardData", {value: transfer});
              dispatchEvent(event);
            }""",
            base64.b64encode(stream.getvalue()).decode(),
            "picture{}".format(i),
            "image/" + kind.lower(),
            way,
        )
        view.until(
            "explorer.pad.state.digit && explorer.pad.state.digit.name && "
            "(explorer.pad.state.digit.name.endsWith(arguments[0]) || arguments[1])",
            str(i),
            way == "paste",
        )
        if way == "paste":
            view.browser.wait("setTimeout(arguments[0], 400)")
        view.settle()
        got = view.pixels
        assert got.max() == 255
        assert np.corrcoef(got.ravel(), wanted.ravel())[0, 1] > 0.97, (way, i)


def test_a_file_that_is_no_picture(view):
    view.browser.js("""
        const transfer = new DataTransfer();
        transfer.items.add(new File(["hello"], "letter.txt", {type: "text/plain"}));
        const input = document.getElementById("file");
        input.files = transfer.files;
        input.dispatchEvent(new Event("change"));""")
    view.until("document.getElementById('notice').textContent !== ''")
    assert view.text("#notice") == "Cannot use letter.txt: it is no picture."


# --- honesty ----------------------------------------------------------------------------------


def test_nothing_is_certain(view):
    for number in (0, 1, 2):
        view.pick(number)
        for layer in ("output", "dense"):
            view.click("[data-layer={}] :is(.answer-bar, .unit-grid canvas)".format(layer))
            shown = view.js("document.body.innerText")
            assert not re.search(r"(?<![\d.<> ])(100|0)(\.0)? %(?! *50)", shown)
    assert view.text(".answer-bar.best .percent") == "> 99.9 %"
    assert "< 0.1 %" in view.js("document.body.innerText")


def test_unsure_answers_are_pythons(view, cnn, mnist):
    features_of = trust.compile_features(cnn[0])
    limits = trust.learn_trust(features_of, mnist[2], mnist[3])
    rng = np.random.RandomState(0)
    images = list(mnist[4][:150])
    for _ in range(50):
        picture = Image.new("L", (280, 280))
        points = [tuple(point) for point in rng.randint(30, 250, (15, 2)).tolist()]
        ImageDraw.Draw(picture).line(points, fill=255, width=20)
        images.append(reading.fit_to_field(np.asarray(picture) / 255)[None])
    images = np.stack(images)
    wanted = trust.is_unsure(limits, images, *features_of(images))
    got = np.array(
        view.js(
            """((text) => {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        return Array.from({length: bytes.length / 784}, (_, i) => {
          const image = bytes.subarray(784 * i, 784 * (i + 1));
          explorer.network.forward(Float32Array.from(image, (byte) => byte / 256));
          return explorer.state.trust.doubt(explorer.network, explorer.state.names) !== "";
        });
      })(arguments[0])""",
            base64.b64encode(np.uint8(np.rint(images * 256)).tobytes()).decode(),
        )
    )
    assert 10 < wanted.sum() < 190
    assert (got == wanted).mean() > 0.985  # the page has the centres in steps of 1/255


def test_a_dot_is_unsure(view):
    view.click("#clear")
    view.draw((0.5, 0.5))
    assert not view.js("document.getElementById('unsure').hidden")
    assert view.text("#doubt") != ""
    view.pick(0)
    assert view.js("document.getElementById('unsure').hidden")
    assert view.text("#doubt") == ""


def test_screen_readers_hear_the_answer_in_time(view):
    view.click("#clear")
    view.until("document.getElementById('spoken').textContent === 'The pad is empty'")
    view.browser.js("""
        window.heard = null;
        const changes = {childList: true, characterData: true, subtree: true};
        new MutationObserver(() => window.heard = performance.now())
          .observe(document.getElementById("spoken"), changes);
        addEventListener("pointerup", () => window.lifted = performance.now(), true);""")
    view.draw((0.5, 0.15), (0.48, 0.5), (0.5, 0.85))
    view.until("window.heard !== null")
    assert view.text("#spoken").startswith("The network sees a ")
    view.until("window.heard > window.lifted || performance.now() > window.lifted + 400")
    assert view.js("window.heard - window.lifted") < 400


def test_frame_times_are_measured(view):
    """Browsers round their clocks; the mean of many frames is right, and never 0."""
    for _ in range(60):
        view.browser.js("document.getElementById('random').click()")
        view.settle()
    forward, frame = view.js("[explorer.timing.forward.mean, explorer.timing.frame.mean]")
    print("forward pass: {:.2f} ms; whole frame: {:.2f} ms".format(forward, frame))
    exact = view.js("""(() => {
        const start = performance.now();
        for (let i = 0; i < 100; i++) explorer.network.forward(explorer.network.values.input);
        return (performance.now() - start) / 100;
      })()""")
    assert 0.3 < forward / exact < 3
    assert forward < frame < 20 * forward


# --- motion -----------------------------------------------------------------------------------


def shown_pixels(view, selector):
    """How many pixels of a canvas are painted."""
    return view.js(
        """(() => {
        const canvas = document.querySelector(arguments[0]);
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, i) => i % 4 === 3 && value > 0).length;
      }).apply(null, arguments)""",
        selector,
    )


@pytest.mark.parametrize("layer, size", [("conv1", 24), ("pool1", 12), ("conv2", 8), ("pool2", 4)])
def test_a_map_grows_step_by_step(view, layer, size):
    view.click("[data-layer={}] .map".format(layer), 3)
    small = "[data-layer={}] .map:nth-child(4) canvas".format(layer)
    assert shown_pixels(view, "#here") == size * size
    for steps in (1, 2, 3):
        view.click("#step")
        assert shown_pixels(view, "#here") == shown_pixels(view, small) == steps
        assert view.text("#step-count") == "{} / {}".format(steps, size * size)
    assert "row 0, column 2" in view.text("#inspected")
    view.click("#step-back")
    assert shown_pixels(view, "#here") == 2
    view.click("#finish")
    assert shown_pixels(view, "#here") == shown_pixels(view, small) == size * size


def test_play_and_pause(view):
    view.click("[data-layer=conv1] .map", 3)
    view.set_value("#pace", 90)
    view.click("#play")
    assert view.js("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    view.until("explorer.state.motion.step > 10")
    view.click("#play")
    steps = view.js("explorer.state.motion.step")
    view.browser.wait("setTimeout(arguments[0], 200)")
    assert view.js("explorer.state.motion.step") == steps
    view.set_value("#pace", 100)
    view.click("#play")
    view.until("explorer.state.motion && !explorer.state.motion.playing")
    assert view.js("explorer.state.motion.step") == 575


def test_motion_by_keyboard(view):
    view.click("[data-layer=pool1] .map", 3)
    view.browser.js("document.getElementById('here').focus()")
    view.keys(".", ".", ",")
    assert view.js("explorer.state.motion.step") == 0
    view.keys(" ")
    view.until("explorer.state.motion.step > 3")
    view.keys(" ")
    assert not view.js("explorer.state.motion.playing")
    view.keys("\ue014")  # the right arrow: on to another pixel, and the end of the motion
    assert view.js("explorer.state.motion") is None


def test_who_asked_for_little_motion_gets_little(view):
    view.open(calm=True)
    view.click("[data-layer=conv1] .map", 3)
    view.set_value("#pace", 100)
    view.click("#play")
    view.browser.wait("setTimeout(arguments[0], 1200)")
    assert 1 <= view.js("explorer.state.motion.step") <= 3
    assert view.js("getComputedStyle(document.querySelector('.answer-bar .bar')).transitionDuration") == "0s"


def test_a_unit_adds_up_map_after_map(view):
    view.click("[data-layer=dense] canvas")
    sums = view.numbers("explorer.network.terms('dense', explorer.state.kept.map, 0, 0, 0).sums")
    for _ in range(5):
        view.click("#step")
    terms = view.js("[...document.querySelectorAll('#equation b')].map((node) => node.textContent)")
    before, own, total = [float(text.replace("\u2212", "-")) for text in terms]
    np.testing.assert_allclose([before, own, total], [sums[:4].sum(), sums[4], sums[:5].sum()], atol=0.00051)
    assert "maps 0 to 4" in view.text("#equation")


def test_softmax_fills_its_table(view):
    view.click("[data-layer=output] button", 2)

    def filled():
        return view.js("[...document.querySelectorAll('.softmax tbody td')].filter((cell) => cell.textContent).length")

    whole = filled()
    for steps in range(1, 13):
        view.click("#step")
        assert filled() == whole - 21 + steps
    view.click("#finish")
    assert filled() == whole


# --- changes by hand --------------------------------------------------------------------------


def test_silence_and_reset(view):
    view.pick(0)
    start = view.probabilities
    maps = view.numbers("explorer.network.values.conv1").reshape(32, -1)
    strongest = int(maps.sum(axis=1).argmax())
    view.click("[data-layer=conv1] .map", strongest)
    view.click("#edits .switch span")
    assert view.numbers("explorer.network.values.conv1").reshape(32, -1)[strongest].max() == 0
    assert np.abs(view.probabilities - start).max() > 0
    assert "silenced" in view.text("#equation")
    view.click("[data-layer=dense] canvas")
    view.click("#edits .switch span")
    assert view.text("#reset-all") == "Reset all (2)"
    view.click("#reset")
    assert view.text("#reset-all") == "Reset all (1)"
    view.click("#reset-all")
    assert np.array_equal(view.probabilities, start)
    assert not view.js("document.body.classList.contains('changed')")


@pytest.mark.parametrize("layer", ["conv1", "conv2", "dense", "output"])
def test_weights_are_scaled(view, layer):
    view.pick(0)
    view.click("[data-layer={}] :is(.map, .answer-bar, .unit-grid canvas)".format(layer), 0)

    def terms():
        """The sums over the maps below, the bias, and the raw sum of all."""
        return [
            np.array(part)
            for part in view.js(
                """(({map, row, column}) => {
            const {sums, bias, raw} = explorer.network.terms(arguments[0], map, row, column, 0);
            return [Array.from(sums), bias, raw];
          })(explorer.state.kept)""",
                layer,
            )
        ]

    sums, bias, raw = terms()
    view.set_value("#factor", -1.5)
    scaled_sums, same_bias, scaled_raw = terms()
    np.testing.assert_allclose(scaled_sums, -1.5 * sums, rtol=1e-5, atol=1e-6)
    assert same_bias == bias and abs(scaled_raw - scaled_sums.sum() - bias) < 1e-3
    view.click("#reset")
    assert terms()[2] == raw


def test_a_kernel_of_ones_own(view):
    view.pick(0)
    view.click("[data-layer=conv1] .map", 6)
    start = view.numbers("explorer.network.values.conv1")
    view.click("#kernel-brushes span", 3)  # 0
    cells = view.js("""[...document.querySelectorAll(".grid-kernel td")].slice(0, 5).map((cell) => {
        const {left, top, width, height} = cell.getBoundingClientRect();
        return [left + width / 2, top + height / 2];
      })""")
    view.pointer(cells)
    kernel = view.numbers("explorer.network.terms('conv1', 6, 0, 0, 0).kernel").reshape(5, 5)
    assert (kernel[0] == 0).all()
    assert (kernel[1:] != 0).any()
    assert not np.array_equal(view.numbers("explorer.network.values.conv1"), start)
    assert np.array_equal(view.numbers("explorer.network.values.conv1").reshape(32, -1)[7], start.reshape(32, -1)[7])
    view.browser.js("document.querySelector('.grid-kernel td').focus()")
    view.keys("+", "+")
    assert view.numbers("explorer.network.terms('conv1', 6, 0, 0, 0).kernel")[0] > 0
    view.click("#reset")
    assert np.array_equal(view.numbers("explorer.network.values.conv1"), start)


# --- the other tabs ---------------------------------------------------------------------------


def test_what_a_class_looks_for(view, mnist):
    view.click("[data-layer=output] button", 3)
    view.tab("looks")
    view.until("document.querySelector('.grown figcaption').textContent.endsWith('the class 3')")
    view.browser.wait("setTimeout(arguments[0], 3500)")
    answer = view.js("""(() => {
        const canvas = document.querySelector(".grown canvas");
        const {data} = canvas.getContext("2d").getImageData(0, 0, 28, 28);
        const twin = explorer.network.twin();
        const ink = Float32Array.from({length: 784}, (_, i) => (255 - data[4 * i]) / 256);
        return Array.from(twin.forward(ink));
      })()""")
    assert np.argmax(answer) == 3
    labels = [
        int(mnist[5][int(number)])
        for number in view.js(
            "[...document.querySelectorAll('.favourites span')].map((node) => node.textContent.slice(2))"
        )
    ]
    assert labels.count(3) >= 8
    view.click(".favourites .thumb")
    assert view.js("explorer.pad.state.digit.label") == labels[0]


def test_shift_turn_thicken_noise(view):
    view.pick(0)
    start = view.pixels
    view.tab("curves")
    view.set_value("[aria-label='Shift right']", 3)
    assert np.array_equal(view.pixels[:, 3:], start[:, :-3])
    view.set_value("[aria-label='Shift right']", 0)
    view.set_value("[aria-label='Turn']", 90)
    turned = np.roll(np.rot90(start, -1), 1, axis=1)  # about (14, 14), and not about (13.5, 13.5)
    assert np.abs(view.pixels - turned).max() <= 1
    view.until("document.querySelector('.curve').getAttribute('d').split('L').length === 49")
    curves = view.js("[...document.querySelectorAll('.curve')].map((line) => line.getAttribute('d'))")
    heights = np.array([[float(point.split()[1]) for point in line[1:].split("L")] for line in curves])
    np.testing.assert_allclose((1 - heights / 170).sum(axis=0), 1, atol=0.01)
    at = int(round((90 + 180) / 360 * 48))
    np.testing.assert_allclose(1 - heights[:, at] / 170, view.probabilities, atol=0.01)
    view.set_value("[aria-label='Turn']", 0)
    view.set_value("[aria-label='Thicken']", 1)
    assert view.pixels.sum() > 1.2 * start.sum()
    view.set_value("[aria-label='Thicken']", -1)
    assert view.pixels.sum() < 0.8 * start.sum()
    view.set_value("[aria-label='Thicken']", 0)
    view.set_value("[aria-label='Noise']", 0.5)
    assert np.abs(view.pixels - start).mean() > 10
    view.click(".changes button")
    assert np.array_equal(view.pixels, start)

    left, top, width = view.js("""(() => {
        const box = document.querySelector(".dragged canvas").getBoundingClientRect();
        return [box.left, box.top, box.width];
      })()""")
    x, y = left + width / 2, top + width / 2
    view.pointer([(x, y), (x + width / 14, y + width / 28)])
    assert np.array_equal(view.pixels[1:, 2:], start[:-1, :-2])


def test_side_by_side(view):
    view.pick(0)
    view.click("[data-layer=conv1] .map", 2)
    view.tab("compare")
    assert view.text(".side-B figcaption b") != view.text(".compare figcaption b")  # two digits

    def differs():
        return (
            view.js("""(() => {
            const canvas = document.querySelector(".difference canvas");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
          })()""")
            > 3
        )

    assert differs()
    view.click("#panel-compare .compare-tools button")
    assert not differs()
    view.pick(1)
    assert differs()
    assert view.text(".compare figcaption b") == "A: {}".format(view.probabilities.argmax())
    view.click("#panel-compare .compare-tools button", 1)
    assert not differs()
    view.tab("sum")
    view.click("#edits .switch span")
    view.tab("compare")
    view.set_value("#panel-compare .compare-tools select", 1)  # as learned
    assert differs()


def test_the_training_film(view, training, cnn, mnist):
    """All layers as they were answer for what is on the pad; checked against Theano."""
    network, input_var, _ = cnn
    weights = lasagne.layers.get_all_param_values(network)
    film = load_film(training[1], len(weights), sum(array.size for array in weights))
    ask = theano.function([input_var], lasagne.layers.get_output(network, deterministic=True))
    view.pick(0)
    view.tab("film")
    view.until("document.querySelector('.film-answer b').textContent !== ''")
    shown = view.js("""[...document.querySelectorAll(".film-answer")].map((node) =>
        [node.querySelector("b").textContent, node.children[3].textContent])""")
    assert len(shown) == len(film)
    try:
        for (_, frame), (answer, share) in zip(sorted(film.items()), shown):
            lasagne.layers.set_all_param_values(
                network,
                [array.astype(theano.config.floatX) for array in restore(*frame, [array.shape for array in weights])],
            )
            wanted = ask(mnist[4][:1])[0]
            assert answer == str(wanted.argmax())
            if share[0] not in "<>":
                assert abs(float(share.split()[0]) - 100 * wanted.max()) < 0.06
    finally:
        lasagne.layers.set_all_param_values(network, weights)
    assert view.text(".film-tools b") == "after epoch {}".format(max(film))
    view.set_value(".film-tools input", 0)
    assert view.text(".film-tools b") == "before training"
    view.click(".film-tools button")
    view.until(
        "document.querySelector('.film-tools b').textContent === arguments[0]", "after epoch {}".format(max(film))
    )


def test_the_least_change_fools_the_true_network(view, cnn, mnist):
    """Theano's network takes the page's changed pictures for what the page says, and each of the
    changed pixels is needed."""
    network, input_var, _ = cnn
    ask = theano.function([input_var], lasagne.layers.get_output(network, deterministic=True))
    for index, target in ((0, 2), (3, 6)):
        before = np.rint(256 * mnist[4][index, 0])
        result = view.js(
            """((pixels, target) => {
            const found = explorer.leastChange(explorer.network.twin(), Uint8Array.from(pixels), target);
            return found && {...found, pixels: Array.from(found.pixels)};
          })(...arguments)""",
            before.ravel().tolist(),
            target,
        )
        after = np.array(result["pixels"]).reshape(28, 28)
        answer = lambda picture: ask(np.float32(picture[None, None] / 256))[0].argmax()
        assert answer(before) != target and answer(after) == target
        change = (after - before) / 255
        assert abs(change.clip(0).sum() - result["added"]) < 1e-3
        assert abs((-change).clip(0).sum() - result["erased"]) < 1e-3
        places = np.argwhere(change)
        undone = [np.where(np.indices((28, 28)).transpose(1, 2, 0) == place, 0, 1).any(axis=2) for place in places]
        needed = [answer(np.where(rest, after, before)) != target for rest in undone]
        assert 0 < len(places) <= 60 and np.mean(needed) > 0.8


def test_where_it_lives(view):
    view.pick(0)
    view.tab("where")
    view.until("document.querySelectorAll('.where-side .thumb span')[4].textContent !== ''")
    distances = [
        float(text.split(", ")[1])
        for text in view.js("[...document.querySelectorAll('.where-side .thumb span')].map((node) => node.textContent)")
    ]
    assert distances == sorted(distances)
    # a test digit's mark lies on its own dot: it was projected by Python
    off = view.js("""(() => {
        const {left, top} = document.querySelector(".where-mark").style;
        const dot = explorer.placeOf(0);
        return [parseFloat(left) - 100 * dot.x / 520, parseFloat(top) - 100 * dot.y / 360];
      })()""")
    assert np.abs(off).max() < 0.5


def test_a_kernel_is_the_same_picture_in_figures_and_page(view, training):
    """The page's table is what the figures draw: both as the kernel is laid on, in the same colours."""
    with np.load(str(training[1])) as weights:
        figure = FIGURES["signed_kernels"](SimpleNamespace(weights=[weights["arr_0"]]))
    drawn = figure.axes[6].images[0].get_array()
    shown = view.numbers("explorer.network.terms('conv1', 6, 0, 0, 0).kernel").reshape(5, 5)
    np.testing.assert_allclose(shown, drawn, atol=1e-6)
    words = np.uint32(view.numbers("explorer.state.palette.signed"))
    colours = words[:, None] >> np.uint32([0, 8, 16]) & 255
    cmap = figure.axes[6].images[0].get_cmap()
    assert np.abs(colours - 255 * cmap(np.linspace(0, 1, len(words)))[:, :3]).max() < 1
    ink = view.js("getComputedStyle(document.body).color")
    assert ink == "rgb({})".format(", ".join(str(round(255 * part)) for part in to_rgb(layout.DARK)))


def test_tabs_by_keyboard(view):
    view.browser.js("document.getElementById('tab-sum').focus()")
    view.keys("\ue014", "\ue014")
    assert view.js("document.activeElement.id") == "tab-curves"
    assert not view.js("document.getElementById('panel-curves').hidden")
    assert view.js("document.querySelectorAll('[role=tabpanel]:not([hidden])').length") == 1
    view.keys("\ue010")  # End
    assert view.js("document.activeElement.id") == "tab-film"


# --- everybody --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checked_page(written, tmp_path_factory):
    """The page with axe-core, Deque's accessibility checker, put into it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None:
        pytest.skip("no axe-core here: pip install --no-deps axe-playwright-python==0.1.8")
    axe = (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("axe") / "page.html"
    page = written[1].read_text(encoding="utf-8")
    path.write_text(
        page.replace("</body>", "<script>" + axe.replace("</script", "<\\/script") + "</script></body>"),
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("scheme, size", [("light", (1280, 620)), ("dark", (500, 844))])
def test_axe_finds_nothing(either, checked_page, scheme, size):
    view = View(either, checked_page.as_uri())
    view.open(size, scheme)
    view.click("#saliency ~ span")
    # axe cannot tell the background of what lies under the lines between the layers
    view.browser.js("document.getElementById('wedges').style.display = 'none'")
    found = {}
    for name in TABS:
        view.tab(name)
        for layer in ("conv2", "output") if name == "sum" else ("conv2",):
            view.browser.js("document.querySelectorAll('[data-layer=' + arguments[0] + '] button')[3].click()", layer)
            view.settle()
            result = json.loads(
                view.browser.wait("""
                const done = arguments[0];
                axe.run(document).then(({violations, passes}) => done(JSON.stringify([
                  violations.map(({id, nodes}) => [id, nodes.map(({html, any}) =>
                    html.slice(0, 120) + (any[0] ? any[0].message : ""))]),
                  passes.map(({id, nodes}) => [id, nodes.length])])),
                  (error) => done(JSON.stringify([[["failed", [String(error)]]], []])));""")
            )
            violations, passes = result
            assert dict(passes)["color-contrast"] > 60  # it has looked
            if violations:
                found[name, layer] = violations
    assert not found, found
