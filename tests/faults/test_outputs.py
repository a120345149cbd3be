"""Nobody reads what a command prints: it goes on, and all its files are there."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from mnist_cnn.training import callbacks

#: Each script's shortest run that prints and saves.
COMMANDS = {
    "train.py": ["--epochs", "2", "--batch-size", "5000", "--seed", "1", "--data-dir", "{data}", "--snapshots"],
    "evaluate.py": ["{model}", "--data-dir", "{data}"],
    "predict.py": ["{model}", "{picture}", "--data-dir", "{data}"],
    "explore.py": ["{model}", "--data-dir", "{data}"],
    "export.py": ["{model}", "--output", "model.onnx"],
    "visualize.py": ["{model}", "--index", "0", "--data-dir", "{data}"],
    "sweep.py": ["plain", "--epochs", "1", "--seeds", "1", "--workers", "1", "--data-dir", "{data}"],
    "benchmark.py": ["--batch-sizes", "50", "--repeats", "1", "--seconds", ".01"],
    "check_device.py": ["--device", "none"],
}
FILES = {
    "train.py": {"model.npz", "model.csv", "model.checkpoint", "model.snapshots.npz"},
    "explore.py": {"explore.html"},
    "export.py": {"model.onnx"},
    "visualize.py": {
        "pictures/" + name
        for name in ("kernels.png", "signed_kernels.png", "digit.png", "feature_maps.png", "history.png", "index.html")
    },
}


def test_all_scripts_are_here():
    """A new one is to be added above."""
    assert set(COMMANDS) == {path.name for path in (ROOT / "scripts").glob("[!_]*.py")}


def start(script, folder, training, data, stdout, **kwargs):
    folder.mkdir(exist_ok=True)
    picture = folder.parent / "digit.png"
    Image.fromarray(np.uint8(255 * np.pad(np.zeros((60, 15)), 60, constant_values=1))).save(str(picture))
    places = dict(model=training[1], data=data, picture=picture)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / script), *[arg.format(**places) for arg in COMMANDS[script]]],
        stdout=stdout,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        cwd=str(folder),
        **kwargs,
    )


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(COMMANDS))
def test_the_reader_goes_away(script, training, small_mnist, tmp_path):
    """As ``| head -1``: after the first line there is no reader any more."""
    read_end, write_end = os.pipe()
    process = start(script, tmp_path / "run", training, small_mnist, write_end)
    os.close(write_end)
    with os.fdopen(read_end) as reader:
        reader.readline()
    _, err = process.communicate(timeout=300)
    if script == "check_device.py":
        assert process.returncode == 2 and err.count("\n") == 1
    else:
        assert (process.returncode, err) == (0, "")
    found = files(tmp_path / "run")
    if script == "sweep.py":
        assert {os.path.splitext(name)[1] for name in found} == {".md", ".png", ".json", ".npz"}
    else:
        assert found == FILES.get(script, set())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_a_full_disk_takes_what_is_printed(script, training, small_mnist, tmp_path):
    """All is saved, and a line says that the report is lost."""
    with open("/dev/full", "w") as full:
        process = start(script, tmp_path / "run", training, small_mnist, full)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (2, "error: cannot write the output: No space left on device\n")
    assert files(tmp_path / "run") == FILES.get(script, set())


@pytest.mark.parametrize("closed", [(0, 1), (2,), (0, 1, 2)])
def test_closed_from_the_start(closed, training, small_mnist, tmp_path):
    """As ``>&-`` in a shell: no file that is opened later may stand in its place."""

    def close():
        for number in closed:
            os.close(number)

    process = start("train.py", tmp_path / "run", training, small_mnist, subprocess.PIPE, preexec_fn=close)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and err == ""
    assert ("Final results" in out) == (1 not in closed)
    assert files(tmp_path / "run") == FILES["train.py"]


def test_names_that_stdout_cannot_show(training, small_mnist, tmp_path):
    """Bytes that are no text in a file's name, and a stdout that knows ASCII alone."""
    name = tmp_path / os.fsdecode(b"\xff\xc3\xa4\x1b[2J\xe2\x80\xae.npz")
    name.write_bytes(training[1].read_bytes())
    for encoding in ("utf-8", "ascii"):
        process = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "evaluate.py"), str(name), "--data-dir", str(small_mnist)],
            capture_output=True,
            env=dict(os.environ, PYTHONIOENCODING=encoding + ":strict"),
        )
        assert process.returncode == 0 and process.stderr == b""
        assert b"\\udcff" in process.stdout and b"mistakes in 1000" in process.stdout
        # nor is what a terminal would obey sent there: it would clear the screen, and turn the text
        assert b"\\x1b[2J\\u202e.npz" in process.stdout and b"\x1b" not in process.stdout


def test_a_report_from_python_goes_on(monkeypatch):
    """Where the reader went away `print` fails; the run is told nothing of it."""

    class Broken:
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    callbacks.Report().on_result(None, 0.5, 0.5)
