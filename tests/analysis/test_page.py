"""The page of figures in a real Chromium: its widths, its keys, what a pointer at it shows."""

import importlib.util
import re
import time
from pathlib import Path

import pytest
from browsers import browser  # noqa: F401  a fixture

from mnist_cnn.analysis import gallery
from mnist_cnn.drawing.palette import COLOURS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser, training, small_mnist, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("page")
    gallery.main(training[1], index=5, figures=["digit", "mistakes", "embedding"], output=folder, data_dir=small_mnist)
    browser.get((folder / "index.html").as_uri())
    return browser


def resize(driver, width, height=800):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    eventually(driver, "innerWidth === arguments[0]", width)


def eventually(driver, script, *args):
    deadline = time.time() + 10
    while not driver.execute_script("return " + script, *args):
        assert time.time() < deadline, script
        time.sleep(0.05)


@pytest.mark.parametrize("width", [360, 768, 1366, 1920])
def test_nothing_is_wider_than_the_window(page, width):
    resize(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1366])
def test_the_pointed_digit_is_shown_within_the_window(page, width):
    resize(page, width)
    eventually(page, "sheet.complete")
    display, text, right, ink, left = page.execute_script("""
        const picture = document.querySelector("#embedding .picture");
        picture.scrollIntoView({block: "center"});
        const frame = picture.getBoundingClientRect();
        const {points} = data.places.embedding;
        const point = ([x, y]) => picture.dispatchEvent(new PointerEvent("pointermove", {
          clientX: frame.left + x * frame.width, clientY: frame.top + y * frame.height}));
        const rightmost = points.reduce((a, b) => (b[0] > a[0] ? b : a));
        point(rightmost);
        const pixels = tip.querySelector("canvas").getContext("2d").getImageData(0, 0, 28, 28);
        const shown = [getComputedStyle(tip).display, tip.textContent,
                       tip.getBoundingClientRect().right,
                       pixels.data.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b)];
        point([0, 0]);  // a corner, where no digit is
        return [...shown, getComputedStyle(tip).display];""")
    assert display == "block" and left == "none"
    assert ": a " in text and right <= width and ink > 1000


@pytest.mark.parametrize("width", [360, 1366])
def test_a_mistake_shows_the_digit_and_its_attribution(page, width):
    resize(page, width)
    button = page.find_element("css selector", "#mistakes .picture button")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    eventually(page, "dialog.open")
    assert page.execute_script("""
        const images = Array.from(dialog.querySelectorAll("img"));
        return images.map((image) => image.naturalWidth);""") == [28, 28]
    assert page.execute_script("return dialog.scrollWidth <= dialog.clientWidth")
    page.execute_script("dialog.click()")
    eventually(page, "!dialog.open")


def test_every_figure_is_named_in_words_and_leads_back_up(page):
    links, headings, alts = page.execute_script("""
        const texts = (selector) => [...document.querySelectorAll(selector)].map((n) => n.textContent);
        return [texts("nav a"), texts("section h2"),
                [...document.querySelectorAll(".picture > img")].map((image) => image.alt)];""")
    assert links == headings == ["The digit", "Sure, and wrong", "Which digits are alike to the network?"]
    assert alts == [heading + "; enlarge" for heading in headings]
    for link, heading in zip(page.find_elements("css selector", "nav a"), headings):
        link.click()
        eventually(page, "document.querySelector(location.hash + ' h2').textContent === arguments[0]", heading)
    page.find_element("css selector", "section:last-child .hint a").click()
    eventually(page, "document.querySelector('h1').getBoundingClientRect().top > -1")


def test_keys_enlarge_a_picture(page):
    picture = page.find_element("css selector", "#digit img")
    picture.send_keys("\ue007")  # Enter
    eventually(page, "dialog.open && dialog.querySelector('img').src === arguments[0].src", picture)
    page.execute_script("dialog.close()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None:
        pytest.skip("no axe-core here: pip install --no-deps axe-playwright-python==0.1.8")
    resize(page, 1366)
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    background = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    shown = "#{:02x}{:02x}{:02x}".format(*map(int, re.findall(r"\d+", background)))
    assert shown == COLOURS["page"][scheme == "dark"]
    page.execute_script((Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    violations, passes = page.execute_async_script("""
        const done = arguments[0];
        axe.run().then(({violations, passes}) => done([
          violations.map(({id, nodes}) => [id, nodes.map(({html}) => html.slice(0, 120))]),
          passes.map(({id}) => id)]));""")
    assert violations == [] and "color-contrast" in passes


def test_the_page_makes_no_errors(page):
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
