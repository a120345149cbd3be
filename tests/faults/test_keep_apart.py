"""No command writes over what it reads, by any spelling of the path; nor over one file twice."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from conftest import run_script
from mnist_cnn import explorer, sweeps
from mnist_cnn.analysis import gallery
from mnist_cnn.storage import atomic, npz, records
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import trainer


@pytest.fixture
def folder(tmp_path):
    """A file that is read, and other ways to it."""
    (tmp_path / "a.npz").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("a.npz")
    (tmp_path / "folder").symlink_to(".", target_is_directory=True)
    os.link(str(tmp_path / "a.npz"), str(tmp_path / "hard"))
    return tmp_path


@pytest.mark.parametrize(
    "spelling", ["a.npz", "link", "hard", "folder/a.npz", "folder/./a.npz", "./folder/folder/link"]
)
def test_every_spelling_of_an_input(folder, spelling, monkeypatch):
    monkeypatch.chdir(folder)
    for output in (spelling, folder / spelling):
        with pytest.raises(MnistCnnError, match="would be written over a.npz, which is read"):
            atomic.keep_apart([None, "missing", "a.npz"], ["other", output])
    atomic.keep_apart(["a.npz", "missing"], ["b.npz", "missing.npz", "folder/b"])


@pytest.mark.parametrize(
    "one, other", [("b", "folder/b"), ("link", "a.npz"), ("b", "B"), ("\u00e4", "a\u0308"), ("no/b", "no/../no/b")]
)
def test_outputs_on_each_other(folder, one, other):
    with pytest.raises(MnistCnnError, match="would be written over each other"):
        atomic.keep_apart([], [folder / one, folder / "c", folder / other])


@pytest.fixture
def trained(tmp_path, training, small_mnist):
    """A copy of all that a training leaves, of its data, and of a picture."""
    for path in records.files_beside(training[1]):
        shutil.copy(str(path), str(tmp_path))
    shutil.copytree(str(small_mnist), str(tmp_path / "data"))
    (tmp_path / "pictures").mkdir()
    for name in ("pictures/digit.png", "pictures/ones.png"):
        Image.fromarray(np.uint8(255 * np.pad(np.zeros((60, 15)), 60, constant_values=1))).save(str(tmp_path / name))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.md").write_text('recipes = ["plain"]\n')
    return tmp_path


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LABELS = "data/t10k-labels-idx1-ubyte.gz"


@pytest.mark.parametrize(
    "call",
    [
        lambda: explorer.main("model.npz", output="model.npz"),
        lambda: explorer.main("model.npz", output="./model.csv"),
        lambda: explorer.main("model.npz", output="model.snapshots.npz"),
        lambda: explorer.main("model.npz", output="model.checkpoint"),
        lambda: explorer.main("model.npz", compare="pictures/../model.npz", output="model.npz"),
        lambda: explorer.main("model.npz", output=LABELS, data_dir="data"),
        lambda: gallery.main("model.npz", image="pictures/digit.png"),
        lambda: sweeps.main(["results/table.md"], data_dir="data"),
        lambda: trainer.main(output=LABELS, data_dir="data"),
        lambda: trainer.main(checkpoint=LABELS, data_dir="data"),
        lambda: trainer.main(checkpoint="model.npz", data_dir="data"),
        lambda: trainer.main(checkpoint="model.csv", data_dir="data"),
        lambda: trainer.main(checkpoint="model.snapshots.npz", snapshots=True, data_dir="data"),
    ],
)
def test_functions_refuse(call, trained, monkeypatch):
    monkeypatch.chdir(trained)
    before = contents(trained)
    with pytest.raises(MnistCnnError, match="would be written over"):
        call()
    assert contents(trained) == before


@pytest.mark.parametrize(
    "output, message",
    [
        ("model.csv", "model.csv has the name of a training's history; .* such as model.npz"),
        ("model.checkpoint", "has the name of a training's checkpoint"),
        ("other.snapshots.npz", "has the name of a training's kernels"),
        ("model", "model and model.npz would share model.csv; name another output"),
    ],
)
def test_outputs_whose_names_are_anothers(output, message, trained, monkeypatch):
    """Of a second run in one folder: it is refused where it would meet the first one's files."""
    monkeypatch.chdir(trained)
    before = contents(trained)
    with pytest.raises(MnistCnnError, match=message):
        trainer.main(output=output, data_dir="data")
    assert contents(trained) == before


def test_no_two_outputs_share_a_file(tmp_path):
    """Dots are part of a name: lr0.01 and lr0.05 once shared lr0.csv and lr0.checkpoint."""
    names = ["lr0.01", "lr0.05", "lr0", "lr0.01.npz.npz", "a.b.c.npz", "a.b.npz", "a.npz", ".npz.x"]
    paths = [path for name in names for path in records.files_beside(tmp_path / name)]
    assert len(set(paths)) == len(paths)


def test_the_shell_too(trained):
    before = contents(trained)
    process = run_script("explore.py", "model.npz", "--output", "data/../model.npz", cwd=str(trained))
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr == (
        "error: data/../model.npz would be written over model.npz, which is read; name another output\n"
    )
    assert contents(trained) == before


@pytest.mark.parametrize(
    "path, message",
    [
        ("/dev/null", "it is a device or a pipe"),
        ("fifo", "it is a device or a pipe"),
        ("x" * 300, "name too long"),
        ("/proc/x.html", "cannot write /proc/x.html: (?!fewer)"),
        ("", "it is a folder"),
        ("file/x", "Not a directory"),
    ],
)
def test_what_no_file_can_replace(path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    (tmp_path / "file").touch()
    for function in (atomic.check_writable, lambda path: npz.write_npz(path, {"a": np.ones(1)})):
        with pytest.raises(MnistCnnError, match="(?i)" + message):
            function(path)
    assert sorted(os.listdir()) == ["fifo", "file"]


@pytest.mark.parametrize("path", ["/dev/zero", "fifo"])
def test_what_never_ends_is_not_read(path, tmp_path, monkeypatch):
    from mnist_cnn.pictures.reading import read_picture
    from mnist_cnn.sweeps.settings import read_spec

    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    for read in (read_picture, read_spec, lambda path: npz.read_npz(path, {})):
        with pytest.raises(MnistCnnError, match="it is a device or a pipe"):
            read(path)
