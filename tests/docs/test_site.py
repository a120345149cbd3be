"""The documentation site: built with warnings as errors, its links followed, looked at."""

import importlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from browsers import start_chromium

from conftest import ROOT

PAGES = (
    "index.html",
    "training.html",
    "speed.html",
    "lesson.html",
    "tries.html",
    "api/analysis.html",
    "api/training.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built as `make docs` builds it."""
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("docs")
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "-d",
            str(folder / "doctrees"),
            str(ROOT / "docs"),
            str(folder / "html"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 0, process.stdout
    return folder / "html"


class Page(HTMLParser):
    """The links of a page, what it loads, and the places in it that can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.places = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.places.update(filter(None, (attrs.get("id"), attrs.get("name"))))
        if tag == "a" and attrs.get("href"):
            self.links.add(attrs["href"])
        elif tag == "link" and attrs.get("rel") in ("stylesheet", "icon"):
            self.loaded.add(attrs["href"])
        elif tag in ("img", "script", "source", "iframe") and attrs.get("src"):
            self.loaded.add(attrs["src"])


def test_links_lead_somewhere(site):
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 25
    for path, page in pages.items():
        for link in page.links | page.loaded:
            address = urlsplit(link)
            if address.scheme in ("http", "https", "mailto", "data"):
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            assert target.is_file(), "{}: {}".format(path.name, link)
            if address.fragment and target in pages:
                assert unquote(address.fragment) in pages[target].places | {"top"}, "{}: {}".format(path.name, link)


def test_nothing_comes_from_a_server(site):
    for path in site.rglob("*.html"):
        assert not [address for address in Page(path).loaded if "//" in address], path.name
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_the_reference_is_whole(site):
    """Every function and class of every module that offers some has its place on the site."""
    from test_docstrings import MODULES, public

    places = set().union(*(Page(path).places for path in (site / "api").glob("*.html")))
    for module in map(importlib.import_module, MODULES):
        for name, _ in public(module):
            *parents, short = name.split(".")  # a package may show it as its own
            if short not in getattr(module, "__all__", ()):
                continue
            assert any(".".join(parents[:end] + [short]) in places for end in range(len(parents), 0, -1)), name


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "//" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = start_chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.mark.browser
@pytest.mark.parametrize("width", (1280, 390))
def test_pages_fit_and_are_whole(site, browser, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    for page in PAGES:
        browser.get((site / page).as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page
        assert browser.execute_script(
            "return [...document.images].every(image => image.complete && image.naturalWidth)"
        ), page
    assert browser.execute_script(  # the last page's formulas: drawn, not printed as LaTeX
        "return [...document.querySelectorAll('math mfrac')].every(f => f.clientHeight > 15)"
    )
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.browser
def test_search_from_the_disk(site, browser):
    browser.get((site / "index.html").as_uri())
    box = browser.find_element("css selector", ".sidebar-search")
    box.send_keys("integrated gradients")
    box.submit()
    browser.implicitly_wait(20)
    found = browser.find_element("partial link text", "Analysis")
    found.click()
    assert "api/analysis.html" in browser.current_url
    assert browser.find_element("tag name", "h1").text.startswith("Analysis")


@pytest.mark.browser
def test_navigation(site, browser):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.get((site / "index.html").as_uri())
    for text, page in (
        ("Speed up your own network", "speed.html"),
        ("Train on a GPU", "gpu.html"),
        ("Look a function up", "api/index.html"),
    ):
        browser.find_element("link text", text).click()
        assert page in browser.current_url
