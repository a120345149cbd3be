"""Each block of code in README.md and docs/*.md runs in a new process, and prints what the page shows.

A block says what it is: ``sh`` holds commands, ``console`` commands after a "$" with what they print, ``python``
a program. A block without a word is the output of the one before it. What cannot run is in NOT_RUN, with the reason.
"""

import ast
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from mnist_cnn.datasets.cache import SYSTEM_FOLDERS

pytestmark = pytest.mark.slow

PAGES = ["README.md"] + sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md") if "```{" not in path.read_text("utf-8")
)
WITH_FASHION = ("docs/figures.md", "docs/other-data.md")

#: How a command or a program begins, and why it does not run here.
NOT_RUN = {
    "make ": ".ci/run makes train and test",
    "pip install -e .": ".ci/run installs the package",
    "pip install 'mnist_cnn[exchange]'": "the tests' environment has it",
    "pip install --no-deps https://github.com/Lasagne": "a download",
    "python -m mnist_cnn.compat PROGRAM.py": "a form; tests/compat/test_old_programs.py runs programs",
    "python scripts/sweep.py docs/ablation.toml": "hundreds of trainings",
    "python scripts/evaluate.py ablation": "wants those trainings",
    "conda ": "conda, and a GPU",
    "python scripts/check_device.py": "a GPU",
    "tar -xf mnist_cnn_gpu": "a GPU",
    "mnist_cnn_gpu/": "a GPU",
    "class Net(nn.Module)": "PyTorch",
    "X_train, y_train, X_val, y_val, X_test, y_test = load_dataset(": "lines of a program; a download",
    "openssl ": "tests/sweeps/test_cluster.py runs a scheduler and workers with certificates",
    "TLS=": "the same",
    "export DASK": "the same",
    "dask scheduler": "the same",
    "OMP_NUM_THREADS=4 dask worker": "the same",
    "python scripts/sweep.py --scheduler": "the same",
    "python3 -m venv": "a download",
    "python scripts/benchmark.py --peers": "wants the environments that were downloaded",
    "from dask.distributed import SSHCluster": "other machines",
    "from dask_jobqueue": "other machines",
    "from dask_kubernetes": "other machines",
}
#: Outputs of programs that are not ours, on docs/old-code.md.
OUTPUT_OF_OTHERS = "docs/old-code.md"

#: Commands whose output no page shows, and the TOML file, do less work: words are added or replaced.
SHORTER = [
    (r"scripts/train\.py.*", r"\g<0> --epochs 1"),
    (r"scripts/sweep\.py.*", r"\g<0> --seeds 1 --epochs 1 --data-dir digit-recognizer"),
    (r"scripts/evaluate\.py results", r"\g<0> --data-dir digit-recognizer"),
    (r"dropout=\.2,\.5 learning-rate=\.01,\.03", "dropout=.2"),
    (r"dropout = \[0\.2, 0\.5\]", "dropout = [0.2]"),
    (r'recipes = \["plain", "best"\]', 'recipes = ["plain"]'),
    (r"(scripts/visualize\.py.*)--all", r"\1--figures kernels mistakes"),
]


def blocks(text):
    """The blocks of a page: the word after the fence, and the lines."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


def shorter(text):
    """A command or a file that does less work."""
    for pattern, words in SHORTER:
        text = re.sub(pattern, words, text)
    return text


def with_checks(program):
    """A program in which an expression with its value behind it, ``1 + 1  # 2``, is an assertion."""
    lines = []
    for line in program.splitlines():
        code, _, comment = line.partition("  # ")
        try:
            ast.parse(code, mode="eval"), ast.literal_eval(comment)
        except (SyntaxError, ValueError):
            lines.append(line)
        else:
            lines.append("assert ({}) == ({})".format(code, comment))
    return "\n".join(lines)


def same_line(shown, printed):
    """Whether two lines agree: in seconds not at all, in losses roughly, in percentages within one point."""
    number = r"(\d+\.\d+)"
    shown, printed = re.split(number, shown), re.split(number, printed)
    if shown[::2] != printed[::2]:
        return False
    for one, other, unit in zip(shown[1::2], printed[1::2], shown[2::2]):
        limit = float("inf") if re.match(r"s\b", unit) else 1.0 if unit.startswith(" %") else 0.6 * float(one)
        if abs(float(one) - float(other)) > limit:
            return False
    return True


def is_printed(shown, printed):
    """Whether the lines that a page shows are a part of those that were printed."""
    shown, printed = shown.splitlines(), printed.splitlines()
    starts = range(len(printed) - len(shown) + 1)
    return any(all(map(same_line, shown, printed[start : start + len(shown)])) for start in starts)


def test_another_word_and_another_accuracy_are_seen():
    assert is_printed("b 0.5\nc took 3.0s", "a\nb 0.4\nc took 99.0s\nd")
    assert not is_printed("b 0.5\nc", "b 0.5\nd\nc")
    assert not is_printed("b 0.5", "b 0.1")
    assert is_printed("accuracy: 99.02 %", "accuracy: 98.90 %") and not is_printed("a: 99.02 %", "a: 97.90 %")
    assert with_checks("f(1)  # 2\nx = 3  # 4\ng  # it") == "assert (f(1)) == (2)\nx = 3  # 4\ng  # it"


class Reader:
    """Somebody who types what the pages say, in one folder; what was typed already is not typed again."""

    def __init__(self, folder):
        self.folder, self.printed = folder, {}
        for name in ("scripts", "docs"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "bin").mkdir()
        python = folder / "bin" / "python"
        python.write_text('#!/bin/sh\nexec "{}" "$@"\n'.format(sys.executable))
        python.chmod(0o755)

    def run(self, *command, errors=subprocess.STDOUT):
        """Run a process; return its output, with its errors unless they are piped, and its exit code."""
        nowhere = "http://127.0.0.1:9"
        process = subprocess.run(
            command,
            cwd=str(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=dict(
                os.environ,
                PATH=os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]]),
                PYTHONPATH=str(ROOT),
                PYTHONUNBUFFERED="1",
                XDG_CACHE_HOME=str(self.folder / ".cache"),
                **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
            ),
        )
        first_start = r"^  \(Theano compiles C\+\+ .*\n"
        assert not re.sub(first_start, "", process.stderr or "", flags=re.M), process.stderr
        text = process.stdout.replace(str(self.folder), "/home/me")
        return re.sub(first_start, "", text, flags=re.M), process.returncode

    def type(self, code, command, **kwargs):
        """Run what has not run yet, and what has no reason not to; return its output."""
        if any(map(code.startswith, NOT_RUN)):
            return None
        key = re.sub(r"\n+", "\n", code).strip()
        if key not in self.printed:
            self.printed[key], status = self.run(*command, **kwargs)
            assert status == 0, (code, self.printed[key])
            assert "plain Theano" not in self.printed[key]
        return self.printed[key]

    def commands(self, text, shown):
        """Run the lines of a block; return their output, None where nothing has run."""
        outputs = []
        for line in filter(None, text.splitlines()):
            line = re.sub(r"\s+#.*", "", line)
            # By chance one training in seven begins more than a point from the page's.
            line = re.sub(r"train\.py --epochs 5 --batch-size 50$", r"\g<0> --seed 2", line) if shown else shorter(line)
            outputs.append(self.type(line, ("bash", "-c", line)))
        return "".join(filter(None, outputs)) or None

    def read(self, page):
        """Go through a page."""
        found = blocks((ROOT / page).read_text("utf-8"))
        for word, text in found:
            if word == "toml":  # named before it is shown
                (self.folder / "sweep.toml").write_text(shorter(text))
        output = None
        for (word, text), (following, _) in zip(found, [*found[1:], ("end", "")]):
            if word == "sh":
                output = self.commands(text, shown=following == "")
            elif word == "python":
                program = with_checks(text) + "\nfrom mnist_cnn import fused\nassert fused.why_not() is None\n"
                output = self.type(text, (sys.executable, "-c", program), errors=subprocess.PIPE)
            elif word == "console":
                command, shown = text.split("\n", 1)
                assert is_printed(shown, self.run("bash", "-c", command[2:])[0]), text
            elif word != "toml" and page != OUTPUT_OF_OTHERS:
                assert word == "" and output is not None and is_printed(text, output), (text, output)


@pytest.fixture(scope="module")
def reader(tmp_path_factory, mnist):
    folder = tmp_path_factory.mktemp("reader")
    pixels = np.uint8(mnist[4][:300, 0] * 256)
    Image.fromarray(pixels[0]).save(str(folder / "shoe.jpg"))
    kaggle = folder / "digit-recognizer"
    kaggle.mkdir()
    names = ["pixel{}".format(i) for i in range(784)]
    for name, header, table in (
        ("train.csv", ["label"] + names, np.c_[mnist[5][:300], pixels.reshape(300, 784)]),
        ("test.csv", names, pixels[:5].reshape(5, 784)),
    ):
        np.savetxt(str(kaggle / name), table, fmt="%d", delimiter=",", header=",".join(header), comments="")
    return Reader(folder)


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_say(page, reader):
    if page in WITH_FASHION and not os.path.isdir(SYSTEM_FOLDERS["fashion-mnist"][0]):
        pytest.skip("dataset-fashion-mnist is not installed")
    reader.read(page)
    if page == "README.md":
        with np.load(reader.folder / "model.npz") as weights:
            assert weights["arr_0"].dtype == np.float32


def test_each_reason_is_needed():
    code = [
        line for page in PAGES for _, text in blocks((ROOT / page).read_text("utf-8")) for line in text.splitlines()
    ]
    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in code)] == []
