"""Real browsers for the tests: Chromium by its driver, Firefox by its own Marionette.

Both take WebDriver's commands; Firefox needs no driver between, since Marionette, which is built
into it, speaks nearly the same over a socket: a message is its length in bytes, a colon, and JSON.
"""

import base64
import json
import shutil
import socket
import subprocess
import time

import pytest

from conftest import run_script

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for a reference to a node


def start_chromium(folder):
    """A headless Chromium, as selenium's driver."""
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip("no Chromium with its driver here; on Debian: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--user-data-dir={}".format(folder),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    driver.set_script_timeout(60)
    return driver


class Chromium:
    """The few commands that the tests for both browsers need."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url, size, scheme="light", calm=False):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {
                "features": [
                    {"name": "prefers-color-scheme", "value": scheme},
                    {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
                ]
            },
        )
        self.driver.get(url)

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def wait(self, script, *args):
        return self.driver.execute_async_script(script, *args)

    def act(self, actions):
        self.driver.execute("actions", {"actions": actions})

    def screenshot(self, path):
        self.driver.save_screenshot(str(path))

    def quit(self):
        self.driver.quit()


class Firefox:
    """A headless Firefox."""

    def __init__(self, folder):
        if FIREFOX is None:
            pytest.skip("no Firefox here; on Debian: apt-get install firefox-esr")
        (folder / "user.js").write_text(
            'user_pref("marionette.port", 0);\n'  # any free one, named in a file
            'user_pref("app.update.enabled", false);\n'
            'user_pref("browser.shell.checkDefaultBrowser", false);\n'
            'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n'
            'user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);\n'
        )
        self.process = subprocess.Popen(
            [
                FIREFOX,
                "--headless",
                "--marionette",
                "--remote-allow-system-access",
                "--no-remote",
                "--profile",
                str(folder),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = folder / "MarionetteActivePort"
        deadline = time.time() + 60
        while not (port.exists() and port.read_text()):
            if time.time() > deadline or self.process.poll() is not None:
                self.process.kill()
                pytest.fail("Firefox does not start")
            time.sleep(0.1)
        self.socket = socket.create_connection(("127.0.0.1", int(port.read_text())), timeout=90)
        self.count = 0
        self._receive()  # its greeting
        self.command("WebDriver:NewSession", {})
        self.command("WebDriver:SetTimeouts", {"script": 60000})

    def _read(self, size):
        data = self.socket.recv(size)
        if not data:
            raise ConnectionError("Firefox is gone")
        return data

    def _receive(self):
        size = b""
        while not size.endswith(b":"):
            size += self._read(1)
        size, data = int(size[:-1]), b""
        while len(data) < size:
            data += self._read(size - len(data))
        return json.loads(data)

    def command(self, name, parameters):
        self.count += 1
        message = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        number = None
        while number != self.count:  # the answer to a command that was given up comes first
            _, number, error, result = self._receive()
        if error:
            raise RuntimeError("{}: {}".format(name, error["message"]))
        return result.get("value") if isinstance(result, dict) else result

    def set_preferences(self, **values):
        """Set whole numbers among Firefox's preferences; a name's dots are written as __."""
        self.command("Marionette:SetContext", {"value": "chrome"})
        for name, value in values.items():
            self.js("Services.prefs.setIntPref(arguments[0], arguments[1])", name.replace("__", "."), value)
        self.command("Marionette:SetContext", {"value": "content"})

    def open(self, url, size, scheme="light", calm=False):
        self.set_preferences(
            **{
                "layout__css__prefers-color-scheme__content-override": 0 if scheme == "dark" else 1,
                "ui__prefersReducedMotion": int(calm),
            }
        )
        for _ in range(2):  # the window's own edges are known once it is open
            outer = self.js("return [outerWidth - innerWidth, outerHeight - innerHeight]")
            self.command("WebDriver:SetWindowRect", {"width": size[0] + outer[0], "height": size[1] + outer[1]})
        self.command("WebDriver:Navigate", {"url": url})

    def js(self, script, *args):
        return self.command("WebDriver:ExecuteScript", {"script": script, "args": args})

    def wait(self, script, *args):
        return self.command("WebDriver:ExecuteAsyncScript", {"script": script, "args": args})

    def act(self, actions):
        self.command("WebDriver:PerformActions", {"actions": actions})

    def screenshot(self, path):
        data = self.command("WebDriver:TakeScreenshot", {"full": False})
        path.write_bytes(base64.b64decode(data))

    def quit(self):
        try:
            self.command("Marionette:Quit", {"flags": ["eForceQuit"]})
            self.process.wait(20)
        finally:
            self.process.kill()
            self.socket.close()


# --- fixtures, which the test files import --------------------------------------------------


@pytest.fixture(scope="session")
def written(training, small_mnist, tmp_path_factory):
    """The page of the trained model: the finished process, and the page's path."""
    path = tmp_path_factory.mktemp("explorer") / "explore.html"
    return run_script("explore.py", training[1], "--data-dir", small_mnist, "--output", path), path


@pytest.fixture(scope="module")  # a page that stays open costs a quarter of a processor
def browser(tmp_path_factory):
    """A headless Chromium, as selenium's driver."""
    driver = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """A headless Firefox."""
    browser = Firefox(tmp_path_factory.mktemp("firefox"))
    yield browser
    browser.quit()


@pytest.fixture(params=["chromium", "firefox"])
def either(request):
    """Chromium, then Firefox."""
    if request.param == "firefox":
        return request.getfixturevalue("firefox")
    return Chromium(request.getfixturevalue("browser"))
