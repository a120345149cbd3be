"""Data sets in IDX files: known by name or by content, EMNIST's archive, folders of one's own."""

import dataclasses
import gzip
import hashlib
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mirrors import Mirror

from conftest import idx_bytes, write_dataset
from mnist_cnn import data, datasets
from mnist_cnn.datasets import cache, catalogue, idx, split as splitting
from mnist_cnn.datasets.mnist import PACKAGED
from mnist_cnn.system.errors import MnistCnnError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FASHION = datasets.DATASETS["fashion-mnist"]
fashion = pytest.mark.skipif(not DEBIAN.is_dir(), reason="dataset-fashion-mnist is not installed")


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(splitting, "NUM_VALIDATION", 10)


def random_data(n, classes=10, shape=(28, 28), seed=0):
    """As many of each class, as near as can be."""
    rng = np.random.RandomState(seed)
    return rng.randint(0, 256, (n,) + shape).astype(np.uint8), (np.arange(n) % classes).astype(np.uint8)


# --- the catalogue ---


def test_the_catalogue():
    assert list(datasets.DATASETS)[:3] == ["mnist", "fashion-mnist", "kmnist"]
    for name, entry in datasets.DATASETS.items():
        assert entry.name == name and len(set(entry.classes)) == len(entry.classes)
        assert all(url.startswith("http") and url.endswith("/") for url in entry.urls)
        assert len(entry.urls) >= 2
        for digest in [*entry.files.values(), *entry.packed.values()]:
            assert digest is None or (len(digest) == 32 and int(digest, 16))
    # G. Cohen et al., Table II
    assert [
        len(datasets.DATASETS["emnist-" + split].classes)
        for split in ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    ] == [62, 47, 47, 26, 10, 10]
    # the table of the published emnist-balanced-mapping.txt: label 36 is "a", 46 "t"
    balanced = datasets.DATASETS["emnist-balanced"].classes
    assert [balanced[label] for label in (10, 36, 38, 46)] == ["A", "a", "d", "t"]


def test_unknown_names():
    with pytest.raises(MnistCnnError, match="no data set 'FashionMNIST'; there are: mnist, "):
        data.load_dataset(dataset="FashionMNIST")


# --- Fashion-MNIST, the real one, gzipped by Debian anew ---


@fashion
@pytest.mark.parametrize(
    "options", [dict(data_dir=DEBIAN), dict(dataset="fashion-mnist"), dict(data_dir=DEBIAN, dataset="fashion-mnist")]
)
def test_debians_fashion_mnist_is_recognised(options, monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_CNN_DATA", str(tmp_path))
    X_train, y_train, _, _, X_test, _ = dataset = data.load_dataset(**options)
    assert dataset.card.dataset == "fashion-mnist" and dataset.card.classes == FASHION.classes
    assert X_train.shape == (50000, 1, 28, 28) and X_test.shape == (10000, 1, 28, 28)
    assert y_train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]  # as TensorFlow's tutorial shows
    assert list(tmp_path.iterdir()) == []
    packed = (DEBIAN / "train-labels-idx1-ubyte.gz").read_bytes()
    assert hashlib.md5(packed).hexdigest() != FASHION.packed["train-labels-idx1-ubyte.gz"]


@fashion
def test_one_data_set_is_not_taken_for_another():
    with pytest.raises(MnistCnnError, match="is not MNIST's: its digest differs"):
        data.load_dataset(DEBIAN, dataset="mnist")
    with pytest.raises(MnistCnnError, match="holds Fashion-MNIST, not Kuzushiji-MNIST"):
        data.load_dataset(DEBIAN, dataset="kmnist")
    with pytest.raises(MnistCnnError, match="is not Fashion-MNIST's"):
        data.load_dataset(PACKAGED, dataset="fashion-mnist")


@fashion
def test_one_changed_pixel_is_another_data_set(tmp_path):
    for path in DEBIAN.glob("*.gz"):
        shutil.copy(str(path), str(tmp_path))
    content = bytearray(gzip.decompress((tmp_path / "t10k-images-idx3-ubyte.gz").read_bytes()))
    content[100000] ^= 1
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    assert data.load_dataset(tmp_path).card.dataset is None
    with pytest.raises(MnistCnnError, match="t10k-images-idx3-ubyte is not Fashion-MNIST's"):
        data.load_dataset(tmp_path, dataset="fashion-mnist")


# --- downloads of small stand-ins ---


@pytest.fixture
def small(monkeypatch, few, tmp_path):
    """Small files in the place of Fashion-MNIST's and KMNIST's, and a server for each."""
    servers = {}
    for seed, name in enumerate(("fashion-mnist", "kmnist"), 1):
        arrays = [*random_data(40, seed=seed), *random_data(20, seed=seed + 10)]
        contents = [idx_bytes(array) for array in arrays]
        files = dict(zip(FASHION.packed, map(gzip.compress, contents)))
        entry = datasets.DATASETS[name]
        unpacked = {
            file: None if entry.files[file] is None else hashlib.md5(content).hexdigest()
            for file, content in zip(FASHION.files, contents)
        }
        servers[name] = Mirror(files)
        monkeypatch.setitem(
            catalogue.DATASETS,
            name,
            dataclasses.replace(
                entry,
                counts=(40, 20),
                files=unpacked,
                urls=(servers[name].url,),
                packed={file: hashlib.md5(content).hexdigest() for file, content in files.items()},
            ),
        )
    monkeypatch.setattr(cache, "SYSTEM_FOLDERS", {})
    monkeypatch.setattr(datasets, "SYSTEM_FOLDERS", {})
    monkeypatch.setenv("MNIST_CNN_DATA", str(tmp_path / "cache"))
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist"])
def test_download_by_name(small, name, tmp_path):
    dataset = data.load_dataset(dataset=name)
    assert dataset[0].shape == (30, 1, 28, 28) and dataset.card.dataset == name
    again = data.load_dataset(dataset=name)
    assert again.card == dataset.card and len(small[name].requests) == 4
    # from the folder that it lies in it is recognised, and anew gzipped where a digest tells it
    folder = tmp_path / "cache" / name
    assert data.load_dataset(folder).card == dataset.card
    for path in folder.iterdir():
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert data.load_dataset(folder, dataset=name).card == dataset.card
    assert data.load_dataset(folder).card.dataset == (name if name == "fashion-mnist" else None)


def test_a_folder_is_completed_with_its_own(small, tmp_path):
    name = "fashion-mnist"
    folder = tmp_path / "mine"
    folder.mkdir()
    labels = small[name].files["train-labels-idx1-ubyte.gz"]
    (folder / "train-labels-idx1-ubyte").write_bytes(gzip.decompress(labels))
    assert data.load_dataset(folder, dataset=name).card.dataset == name
    assert len(small[name].requests) == 3
    for path in folder.glob("t10k*"):
        path.unlink()
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(random_data(40, seed=9)[1][::-1]))
    with pytest.raises(MnistCnnError, match="lacks t10k.*train-labels-idx1-ubyte is not Fashion"):
        data.load_dataset(folder, dataset=name)


def test_the_cache_is_in_the_platforms_place(monkeypatch):
    import pooch

    monkeypatch.delenv("MNIST_CNN_DATA", raising=False)
    assert cache.cache_folder("kmnist") == Path(pooch.os_cache("mnist_cnn")) / "kmnist"
    assert cache.cache_folder("emnist-letters") == cache.cache_folder("emnist-digits")


def test_the_cache_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MNIST_CNN_DATA", str(tmp_path / "file" / "x"))
    with pytest.raises(MnistCnnError, match="cannot make the folder"):
        data.load_dataset(dataset="kmnist")


# --- EMNIST ---


def emnist_arrays(first_label=0, classes=47):
    """Images with one bright pixel at row 3, column 20 as one sees it: transposed in the file."""
    arrays = []
    for n in (2 * classes, classes):
        images, labels = random_data(n, classes)
        images[:] = 0
        images[:, 20, 3] = 255
        arrays += [images, labels + np.uint8(first_label)]
    return arrays


def emnist_zip(split, arrays, extra=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in zip(datasets.DATASETS["emnist-" + split].files, arrays):
            archive.writestr("gzip/{}.gz".format(name), gzip.compress(idx_bytes(array)))
        for name, content in extra:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def emnist(monkeypatch, few):
    for split, classes in (("balanced", 47), ("letters", 26)):
        entry = datasets.DATASETS["emnist-" + split]
        monkeypatch.setitem(
            catalogue.DATASETS,
            entry.name,
            dataclasses.replace(entry, counts=None if split == "letters" else (2 * classes, classes)),
        )


@pytest.mark.parametrize("split, first_label, classes", [("balanced", 0, 47), ("letters", 1, 26)])
@pytest.mark.parametrize("packed", [True, False])
def test_emnist(emnist, tmp_path, split, first_label, classes, packed):
    arrays = emnist_arrays(first_label, classes)
    if packed:
        (tmp_path / "gzip.zip").write_bytes(emnist_zip(split, arrays))
    else:
        zipfile.ZipFile(io.BytesIO(emnist_zip(split, arrays))).extractall(str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    dataset = data.load_dataset(tmp_path, dataset="emnist-" + split)
    assert dataset.card.dataset == "emnist-" + split and len(dataset.card.classes) == classes
    for images in dataset[::2]:
        assert (images[:, 0, 3, 20] == np.float32(255 / 256)).all() and images.sum() == len(images) * np.float32(
            255 / 256
        )
    labels = np.concatenate([dataset[1], dataset[3]])
    np.testing.assert_array_equal(labels, np.arange(2 * classes) % classes)
    assert sorted(tmp_path.rglob("*")) == before
    if not packed:  # the names of the files say which split it is
        assert data.load_dataset(tmp_path).card == dataset.card


def test_emnists_archive_wants_a_name(emnist, tmp_path):
    (tmp_path / "gzip.zip").write_bytes(emnist_zip("balanced", emnist_arrays()))
    with pytest.raises(MnistCnnError, match="holds 6 data sets; say which .--dataset NAME or .*: emnist-bal"):
        data.load_dataset(tmp_path)
    with pytest.raises(MnistCnnError, match="gzip.zip holds no emnist-digits-train-images"):
        data.load_dataset(tmp_path, dataset="emnist-digits")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: [a[0], a[1] + np.uint8(1), *a[2:]], "the label 47; labels must be from 0 to"),
        (lambda a: [a[0][:-1], *a[1:]], "93 images and .* 94 labels"),
        (lambda a: [a[0][:-1], a[1][:-1], *a[2:]], "93 training examples; EMNIST balanced has 94"),
        (lambda a: [a[0], a[1] * np.uint8(0), *a[2:]], "from 0 to 94 training examples of a class"),
        (lambda a: [a[0][:, :20], *a[1:]], r"not images of shape \(n, 28, 28\)"),
        (lambda a: [a[1], *a[1:]], "not images of shape"),
        (lambda a: [a[0], a[0], *a[2:]], "not labels of shape"),
    ],
)
def test_emnist_that_is_none(emnist, tmp_path, change, message):
    (tmp_path / "gzip.zip").write_bytes(emnist_zip("balanced", change(emnist_arrays())))
    with pytest.raises(MnistCnnError, match=message):
        data.load_dataset(tmp_path, dataset="emnist-balanced")


def test_an_archive_of_another_data_set(monkeypatch, tmp_path):
    """EMNIST's files have no published digests; those of the data set that is in them do."""
    arrays = emnist_arrays(0, 10)
    entry = datasets.DATASETS["emnist-mnist"]
    upright = [array.swapaxes(1, 2) if array.ndim == 3 else array for array in arrays]
    digests = {
        name: hashlib.md5(idx_bytes(array)).hexdigest()
        for name, array in zip(catalogue.DATASETS["mnist"].files, upright)
    }
    mnist = dataclasses.replace(datasets.DATASETS["mnist"], files=digests)
    monkeypatch.setitem(catalogue.DATASETS, "mnist", mnist)
    (tmp_path / "gzip.zip").write_bytes(emnist_zip("mnist", arrays))
    with pytest.raises(MnistCnnError, match="gzip.zip holds MNIST, not " + entry.title):
        data.load_dataset(tmp_path, dataset=entry.name)


def test_letters_begin_at_1(emnist, tmp_path):
    (tmp_path / "gzip.zip").write_bytes(emnist_zip("letters", emnist_arrays(0, 26)))
    with pytest.raises(MnistCnnError, match="the label 0; those of EMNIST letters begin at 1"):
        data.load_dataset(tmp_path, dataset="emnist-letters")


@pytest.mark.parametrize(
    "extra, message",
    [
        (("../climbed", b""), "leads out of its folder"),
        (("/climbed", b""), "leads out of its folder"),
        (("x/emnist-balanced-test-labels-idx1-ubyte.gz", b""), "twice"),
    ],
)
def test_hostile_zip_archives(emnist, tmp_path, extra, message):
    (tmp_path / "gzip.zip").write_bytes(emnist_zip("balanced", emnist_arrays(), [extra]))
    with pytest.raises(MnistCnnError, match=message):
        data.load_dataset(tmp_path, dataset="emnist-balanced")
    assert [path.name for path in tmp_path.iterdir()] == ["gzip.zip"]


def test_a_link_and_a_bomb_in_a_zip_archive(emnist, tmp_path):
    link = zipfile.ZipInfo("gzip/link")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "gzip.zip"
    path.write_bytes(emnist_zip("balanced", emnist_arrays(), [(link, b"/etc/passwd")]))
    with pytest.raises(MnistCnnError, match="a link"):
        data.load_dataset(tmp_path, dataset="emnist-balanced")
    arrays = emnist_arrays()
    content = emnist_zip("balanced", arrays)
    bomb = gzip.compress(idx_bytes(arrays[0]) + bytes(10**8), 1)  # more than its header says
    out = io.BytesIO(content)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("gzip/emnist-balanced-train-images-idx3-ubyte.gz", bomb)
    path.write_bytes(out.getvalue())
    with pytest.raises(MnistCnnError, match="more bytes follow"):
        data.load_dataset(tmp_path, dataset="emnist-balanced")


@pytest.mark.parametrize("cut", [0, 100, 900, -30])
def test_truncated_zip_archives(emnist, tmp_path, cut):
    (tmp_path / "gzip.zip").write_bytes(emnist_zip("balanced", emnist_arrays())[:cut])
    with pytest.raises(MnistCnnError, match="gzip.zip is not a valid archive") as caught:
        data.load_dataset(tmp_path, dataset="emnist-balanced")
    assert "\n" not in str(caught.value)


# --- a folder of one's own ---


def test_other_shapes_and_names(few, tmp_path):
    arrays = [*random_data(40, 3, (3, 20, 24)), *random_data(9, 3, (3, 20, 24), 1)]
    write_dataset(tmp_path, *arrays)
    (tmp_path / "classes.txt").write_text("circle\nsquare\ntriangle\n")
    dataset = data.load_dataset(tmp_path)
    assert dataset[0].shape == (30, 3, 20, 24)
    assert dataset.card.classes == ("circle", "square", "triangle")
    np.testing.assert_array_equal(dataset[4], arrays[2] / np.float32(256))
    (tmp_path / "classes.txt").write_text("circle\nsquare\n")
    with pytest.raises(MnistCnnError, match="the label 2; .*classes.txt names the classes 0 to 1"):
        data.load_dataset(tmp_path)


@pytest.mark.parametrize("content", [b"one\n", b"a\na\n", b"\xff\xfe", b"x" * 70 + b"\nb\n", b"a\x1b[31m\nb\n"])
def test_bad_names(few, tmp_path, content):
    write_dataset(tmp_path, *random_data(40, 2), *random_data(9, 2))
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(MnistCnnError, match="classes.txt"):
        data.load_dataset(tmp_path)


def test_a_digest_of_an_array_is_that_of_its_file():
    for name in datasets.DATASETS["mnist"].files:
        array = idx.read_idx(PACKAGED / (name + ".gz"))
        assert idx.idx_digest(array) == datasets.DATASETS["mnist"].files[name]
