"""CIFAR-10's files in both versions, unpacked and packed, whole and not."""

import dataclasses
import gzip
import hashlib
import os
import tarfile

import numpy as np
import pytest
from formats import NAMES, batches, binary_files, python_files, tar_gz, write
from mirrors import Mirror

from conftest import run_script
from mnist_cnn import data, datasets
from mnist_cnn.datasets import archives, catalogue, cifar10, split
from mnist_cnn.system.errors import MnistCnnError

PAIRS = batches(5)
ARCHIVES = {
    "cifar-10-python.tar.gz": (python_files, "cifar-10-batches-py/"),
    "cifar-10-binary.tar.gz": (binary_files, "cifar-10-batches-bin/"),
}


@pytest.fixture(autouse=True)
def few_for_validation(monkeypatch):
    monkeypatch.setattr(split, "NUM_VALIDATION", 10)


@pytest.fixture
def published(monkeypatch):
    """Small batches in the place of those that are published, with their digests and counts."""
    python, binary = python_files(PAIRS), binary_files(PAIRS)
    digest = lambda content: hashlib.md5(content).hexdigest()
    archive = tar_gz(python)
    entry = dataclasses.replace(
        datasets.DATASETS["cifar10"],
        counts=(25, 5),
        balanced=False,
        files={name: digest(python[name]) for name in cifar10.BATCHES},
        packed={"cifar-10-python.tar.gz": digest(archive)},
    )
    monkeypatch.setitem(catalogue.DATASETS, "cifar10", entry)
    monkeypatch.setattr(cifar10, "BINARY_DIGESTS", {name: digest(binary[name]) for name in cifar10.BINARY_DIGESTS})
    return archive


def check(dataset, name="cifar10"):
    X_train, y_train, X_val, y_val, X_test, y_test = dataset
    images, labels = (np.concatenate(parts) for parts in zip(*PAIRS[:5]))
    assert X_train.shape == (15, 3, 32, 32) and X_train.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([X_train, X_val]), images / np.float32(256))
    np.testing.assert_array_equal(np.concatenate([y_train, y_val]), labels)
    np.testing.assert_array_equal(X_test, PAIRS[5][0] / np.float32(256))
    np.testing.assert_array_equal(y_test, PAIRS[5][1])
    assert y_train.dtype == np.uint8
    card = dataset.card
    assert (card.dataset, card.shape, card.classes) == (name, (3, 32, 32), NAMES)


@pytest.mark.parametrize("files", [python_files, binary_files])
@pytest.mark.parametrize("subfolder", [".", "cifar-10-batches-py", "cifar-10-batches-bin"])
@pytest.mark.parametrize("name", [None, "cifar10"])
def test_unpacked(tmp_path, published, files, subfolder, name):
    write(tmp_path / subfolder, files(PAIRS))
    if subfolder in (".", "cifar-10-batches-" + ("py" if files is python_files else "bin")):
        check(data.load_dataset(tmp_path, dataset=name))


@pytest.mark.parametrize("archive", ARCHIVES)
def test_packed_and_packed_anew(tmp_path, published, archive):
    files, prefix = ARCHIVES[archive]
    content = tar_gz(files(PAIRS), prefix)
    (tmp_path / archive).write_bytes(content)
    check(data.load_dataset(tmp_path))
    (tmp_path / archive).write_bytes(gzip.compress(gzip.decompress(content), 9))
    check(data.load_dataset(tmp_path, dataset="cifar10"))
    (tmp_path / archive).write_bytes(gzip.decompress(content))  # a tar file that is not gzipped
    check(data.load_dataset(tmp_path, dataset="cifar10"))
    assert [path.name for path in tmp_path.iterdir()] == [archive]  # nothing is unpacked


def test_other_data_in_this_format_have_no_name(tmp_path, published):
    others = batches(5, seed=1)
    write(tmp_path, binary_files(others, ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")))
    card = data.load_dataset(tmp_path).card
    assert card.dataset is None and card.classes == tuple("abcdefghij")
    (tmp_path / "batches.meta.txt").unlink()
    assert data.load_dataset(tmp_path).card.classes == tuple("0123456789")
    with pytest.raises(MnistCnnError, match="is not CIFAR-10: its digests differ"):
        data.load_dataset(tmp_path, dataset="cifar10")


def test_download_into_the_cache(tmp_path, published, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_CNN_DATA", str(tmp_path / "cache"))
    server = Mirror({"cifar-10-python.tar.gz": published})
    check(data.load_dataset(dataset="cifar10", base_urls=[server.url]))
    check(data.load_dataset(dataset="cifar10", base_urls=[server.url]))
    assert len(server.requests) == 1
    kept = (tmp_path / "cache" / "cifar10" / "cifar-10-python.tar.gz").read_bytes()
    assert hashlib.md5(kept).digest() == hashlib.md5(published).digest()
    server.shutdown()
    server.server_close()


def test_offline_it_says_what_to_put_where(tmp_path):
    process = run_script(
        "train.py",
        "--dataset",
        "cifar10",
        cwd=str(tmp_path),
        env=dict(os.environ, MNIST_CNN_DATA=str(tmp_path), HTTPS_PROXY="http://127.0.0.1:9"),
    )
    assert process.returncode == 2
    last = process.stderr.splitlines()[-1]
    assert last.startswith("error: cannot download cifar-10-python.tar.gz: tried https://www.cs.")
    assert last.endswith(
        "get that file (MD5 c58f30108f718f92721af3b95e74349a) elsewhere and put it into {}".format(tmp_path / "cifar10")
    )
    assert list((tmp_path / "cifar10").iterdir()) == []


def broken(change):
    files = change(binary_files(PAIRS)) if change.__name__.startswith("b_") else change(python_files(PAIRS))
    return files


def b_cut(files):
    return dict(files, **{"data_batch_3.bin": files["data_batch_3.bin"][:-1]})


def b_empty(files):
    return dict(files, **{"test_batch.bin": b""})


def b_label(files):
    return dict(files, **{"data_batch_1.bin": b"\x0a" + files["data_batch_1.bin"][1:]})


def b_missing(files):
    return {name: content for name, content in files.items() if name != "data_batch_4.bin"}


def b_names(files):
    return dict(files, **{"batches.meta.txt": b"cat\ncat\n"})


def p_other(files):
    return files


def p_harm(files):
    return dict(files, test_batch=b"cos\nsystem\n(S'touch harmed'\ntR.")


@pytest.mark.parametrize(
    "change, message",
    [
        (b_cut, r"data_batch_3.bin is not a batch .*15364 bytes, not a multiple of 3073"),
        (b_empty, "test_batch.bin is not a batch"),
        (b_label, "label 10; labels must be from 0 to 9"),
        (b_missing, "has no data_batch_4.bin"),
        (b_names, "no names of classes"),
        (p_other, "its digests differ from the published ones; .* binary version"),
        (p_harm, "its digests differ"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_bad_files(tmp_path, monkeypatch, change, message, packed):
    monkeypatch.chdir(tmp_path)
    files = broken(change)
    is_binary = "data_batch_1.bin" in files
    if packed:
        (tmp_path / "cifar-10-{}.tar.gz".format("binary" if is_binary else "python")).write_bytes(tar_gz(files))
        message = message.replace(".bin is", r".bin\) is")
    else:
        write(tmp_path, files)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(MnistCnnError, match=message) as caught:
        data.load_dataset(tmp_path)
    assert "\n" not in str(caught.value) and sorted(tmp_path.iterdir()) == before


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.mark.parametrize(
    "extra, message",
    [
        ((tarfile.TarInfo("../../climbed"), b"x"), "leads out of its folder"),
        ((tarfile.TarInfo("/tmp/climbed"), b"x"), "leads out of its folder"),
        ((tarfile.TarInfo("a/..\\..\\climbed"), b"x"), "leads out of its folder"),
        (link("cifar-10-batches-py/x", "/etc"), "a link"),
        (link("cifar-10-batches-py/x", "/etc/passwd", tarfile.LNKTYPE), "a link"),
        (link("cifar-10-batches-py/x", "", tarfile.CHRTYPE), "a device"),
        ((tarfile.TarInfo("other/data_batch_1"), b"x"), "data_batch_1 twice"),
    ],
)
def test_hostile_archives(tmp_path, extra, message):
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    (folder / "cifar-10-python.tar.gz").write_bytes(tar_gz(python_files(PAIRS), extra=[extra]))
    with pytest.raises(MnistCnnError, match=message):
        data.load_dataset(folder)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["cifar-10-python.tar.gz"]


def test_bombs(tmp_path):
    """Archives of a megabyte that would unpack to as many gigabytes as one likes."""
    path = tmp_path / "cifar-10-python.tar.gz"
    big = tarfile.TarInfo("cifar-10-batches-py/readme.html")
    path.write_bytes(tar_gz({}, extra=[(big, bytes(archives.MAX_TOTAL))]))
    assert path.stat().st_size < 3e6
    with pytest.raises(MnistCnnError, match="unpacks to more than 268 MB"):
        data.load_dataset(tmp_path)
    batch = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    path.write_bytes(tar_gz({}, extra=[(batch, bytes(2**26 + 1))]))
    with pytest.raises(MnistCnnError, match="data_batch_1 has 67108865 bytes, more than"):
        data.load_dataset(tmp_path)
    path.write_bytes(tar_gz({}, extra=[(tarfile.TarInfo("f{}".format(i)), b"") for i in range(1001)]))
    with pytest.raises(MnistCnnError, match="more than 1000 files"):
        data.load_dataset(tmp_path)


@pytest.mark.parametrize("cut", [10, 600, 5000, -5, -300])
def test_truncated_archives(tmp_path, cut):
    content = tar_gz(python_files(PAIRS))
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(content[:cut])
    with pytest.raises(MnistCnnError, match="not a valid archive|has no data_batch"):
        data.load_dataset(tmp_path)


def test_junk_for_an_archive(tmp_path):
    for content in (b"", b"<html>log in</html>", bytes(2000), b"\x1f\x8b" + bytes(50)):
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
        with pytest.raises(MnistCnnError, match="cifar-10-binary.tar.gz") as caught:
            data.load_dataset(tmp_path)
        assert "\n" not in str(caught.value)
