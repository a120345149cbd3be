"""Hostile picture files in the explorer page's upload, in a real Chromium."""

import base64
import os
import shutil
from pathlib import Path

from explorer.browsers import start_chromium

from mnist_cnn import explorer
from mnist_cnn.explorer.bundle import bundle_scripts
from mnist_cnn.system.errors import MnistCnnError

from .pictures import Pictures

#: What views/picker.js does with a file, and what comes of it.
ENTRY = """import {readDigits} from "./pictures/read.js";

window.upload = async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  try {
    const {digits} = await readDigits(new File([bytes], "picture"));
    return {digits: digits.map((pixels) => [...pixels])};
  } catch (error) {
    return error instanceof DOMException ? {reason: "it is no picture"} : {reason: error.message};
  }
};
"""
REASONS = {
    "it is no picture",
    "no digit stands out from an even background",
    "it is no single digit on an even background",
    "what stands out runs out of the picture: there is no digit with a margin around it",
}


class Page(Pictures):
    """`readDigits`: digits as MNIST's are, or a known reason."""

    def __init__(self, path):
        super().__init__(path)
        folder = Path(os.path.dirname(path))
        scripts = folder / "scripts"
        shutil.copytree(str(Path(explorer.__file__).parent / "scripts"), str(scripts))
        (scripts / "upload.js").write_text(ENTRY)
        page = folder / "page.html"
        page.write_text(
            "<!doctype html><meta charset=utf-8><script>{}</script>".format(bundle_scripts(scripts, "upload.js"))
        )
        self.driver = start_chromium(folder / "chromium")
        self.driver.get(page.as_uri())

    def read(self, content):
        found = self.driver.execute_async_script(
            "upload(arguments[0]).then(arguments[1])", base64.b64encode(content).decode()
        )
        if "reason" in found:
            assert found["reason"] in REASONS, found["reason"]
            raise MnistCnnError(found["reason"])
        assert found["digits"]
        for pixels in found["digits"]:
            assert len(pixels) == 784 and min(pixels) == 0 and max(pixels) == 255

    def close(self):
        self.driver.quit()
