"""The source archive and the wheel that is built from it: whole, and at home anywhere."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from conftest import ROOT
from mnist_cnn import __version__

BUILD_SDIST = "import sys; sys.path.insert(0, 'build_backend'); import backend; backend.build_sdist(sys.argv[1])"


@pytest.fixture(scope="module")
def tracked():
    """The paths of the project's files."""
    return subprocess.run(
        ["git", "ls-files", "--cached"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory, tracked):
    """A source archive of a copy of the project's files: building leaves a folder in them."""
    folder = tmp_path_factory.mktemp("sdist")
    for name in tracked:
        target = folder / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-c", BUILD_SDIST, str(folder)], cwd=folder / "clone", check=True)
    return folder / "mnist_cnn-{}.tar.gz".format(__version__)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, sdist):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(sdist)], check=True)
    (path,) = folder.iterdir()
    return path


def test_the_source_archive_has_all_files(sdist, tracked):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    # files for those who work on a clone
    visible = {name for name in tracked if not name.startswith((".", "package", "eslint"))}
    assert visible - names == set()


@pytest.mark.slow
def test_the_wheel_has_the_whole_package(wheel, tracked):
    assert wheel.name == "mnist_cnn-{}-py3-none-any.whl".format(__version__)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        texts = [archive.read(name).decode() for name in names if ".dist-info/" in name or ".egg-info/" in name]
    assert {name for name in tracked if name.startswith("mnist_cnn/")} - names == set()
    assert "theano/version.py" in names
    assert not [text for text in texts if str(ROOT) in text or "file://" in text]


@pytest.mark.slow
def test_the_wheel_works_elsewhere(wheel, tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    site = tmp_path / "site-packages"  # by this name an installed library is known
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True)
    env = dict(os.environ, PYTHONPATH=str(site))
    where = "import mnist_cnn, theano, lasagne; print(mnist_cnn.__file__, theano.__file__)"
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", where], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert process.stdout.count(str(site)) == 2, process.stderr
    for command in ([str(site / "bin" / "mnist-cnn")], [sys.executable, "-m", "mnist_cnn"]):
        process = subprocess.run([*command, "train", "--help"], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert process.stdout.startswith("usage: mnist-cnn train"), process.stderr
    (tmp_path / "old.py").write_text("import numpy as np, lasagne; print(np.row_stack(map(np.float, '12')).tolist())")
    command = [sys.executable, "-m", "mnist_cnn.compat", "old.py"]
    process = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert process.stdout == "[[1.0], [2.0]]\n", process.stderr
