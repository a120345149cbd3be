import dataclasses
import gzip
import hashlib
import re
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from mirrors import Mirror

from conftest import ROOT, idx_bytes, write_dataset
from mnist_cnn import data, datasets
from mnist_cnn.datasets import catalogue, idx, mnist as mnist_files
from mnist_cnn.system.errors import MnistCnnError

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
LABELS = np.array([1, 0, 9], np.uint8)


# --- the embedded data set ---


def test_embedded_files_have_the_published_digests():
    for name, (_, published) in mnist_files.DIGESTS.items():
        content = gzip.decompress((mnist_files.PACKAGED / (name + ".gz")).read_bytes())
        assert hashlib.md5(content).hexdigest() == published


def test_load_dataset(mnist):
    X_train, y_train, X_val, y_val, X_test, y_test = mnist
    for X, y, n in ((X_train, y_train, 50000), (X_val, y_val, 10000), (X_test, y_test, 10000)):
        assert X.shape == (n, 1, 28, 28) and X.dtype == np.float32
        assert y.shape == (n,) and y.dtype == np.uint8
        assert X.min() == 0 and X.max() == np.float32(255 / 256)
    # the first labels as LeCun's page and countless notebooks show them
    assert y_train[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert y_test[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    # the published mean of the 60,000 training images, in [0, 1]
    mean = np.concatenate([X_train, X_val]).mean(dtype=np.float64) * 256 / 255
    assert mean == pytest.approx(0.1307, abs=5e-5)
    assert np.bincount(np.concatenate([y_train, y_val])).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]


# --- IDX ---


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=4), seed=st.integers(0, 2**32 - 1), zipped=st.booleans())
def test_idx_round_trip(tmp_path, shape, seed, zipped):
    array = np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)
    path = tmp_path / "array"
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    read = idx.read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 2400),
    position=st.integers(0, 30),
    byte=st.integers(0, 255),
    zipped=st.booleans(),
    junk=st.binary(max_size=3),
)
def test_a_damaged_file_is_refused_or_whole(tmp_path, cut, position, byte, zipped, junk):
    content = bytearray(gzip.compress(idx_bytes(IMAGES), mtime=0) if zipped else idx_bytes(IMAGES))
    content[position] = byte
    path = tmp_path / "damaged"
    path.write_bytes(bytes(content[: len(content) - cut]) + junk)
    try:
        array = idx.read_idx(path)
    except MnistCnnError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert array.size == np.prod(array.shape)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "it is empty"),
        (b"PK\3\4 something", "magic number"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\0\0\x0a\1\0\0\0\1\0\0\0\0", "0x0a"),
        (b"\0\0\x08\0", "0 dimensions"),
        (b"\0\0\x08\3\0\0\0\1", "within its header"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 28), "claims"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "claims"),
        (idx_bytes(IMAGES)[:-1], "truncated: 2351 of 2352"),
        (idx_bytes(IMAGES) + b"\0", "more bytes"),
        (gzip.compress(idx_bytes(IMAGES))[:-9], "ended before"),
        (gzip.compress(idx_bytes(IMAGES))[:-8] + bytes(8), "CRC"),
    ],
)
def test_bad_idx(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(MnistCnnError, match=message):
        idx.read_idx(tmp_path / "file")


def test_a_bomb_is_not_unpacked_to_tell_whose_it_is(tmp_path):
    """A gzip file of a megabyte that holds a gigabyte, where MNIST's other files are to come."""
    bomb = tmp_path / "train-images-idx3-ubyte.gz"
    zeros = gzip.compress(bytes(2**26), 1)
    bomb.write_bytes(gzip.compress(idx_bytes(IMAGES)) + zeros * 16)
    code = (
        "import resource, sys\nfrom mnist_cnn import data\n"
        "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    data.load_dataset(sys.argv[1])\n"
        "except data.MnistCnnError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used)\n"
    )
    out = subprocess.check_output(
        [sys.executable, "-c", code, str(tmp_path)], cwd=str(ROOT), universal_newlines=True
    ).splitlines()
    assert bomb.name in out[0] and "more bytes follow" in out[0]
    assert int(out[1]) < 20000  # kilobytes


def test_missing_idx(tmp_path):
    with pytest.raises(MnistCnnError, match="No such file"):
        idx.read_idx(tmp_path / "file")


# --- a data set from a folder ---


def many(n):
    rng = np.random.RandomState(0)
    return rng.randint(0, 256, (n, 28, 28)).astype(np.uint8), rng.randint(0, 10, n).astype(np.uint8)


def test_another_data_set_from_its_folder(tmp_path):
    images, labels = many(10002)
    write_dataset(tmp_path, images, labels, IMAGES, LABELS)
    plain = tmp_path / "t10k-labels-idx1-ubyte"
    plain.with_suffix(".gz").unlink()
    plain.write_bytes(idx_bytes(LABELS))  # not gzipped
    X_train, y_train, X_val, y_val, X_test, y_test = data.load_dataset(tmp_path)
    np.testing.assert_array_equal(X_train[:, 0], images[:2] / np.float32(256))
    np.testing.assert_array_equal(X_val[:, 0], images[2:] / np.float32(256))
    np.testing.assert_array_equal(np.concatenate([y_train, y_val]), labels)
    np.testing.assert_array_equal(y_test, LABELS)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ((IMAGES, LABELS[:2], IMAGES, LABELS), "3 images and .* 2 labels"),
        ((IMAGES[:, :20], LABELS, IMAGES, LABELS), r"\(3, 1, 28, 28\), not images of shape \(n, 1, 20, 28\)"),
        ((IMAGES[:, :14], LABELS, IMAGES[:, :14], LABELS), "14 x 28 pixels"),
        ((IMAGES, IMAGES, IMAGES, LABELS), r"labels of shape"),
        ((IMAGES, LABELS + 5, IMAGES, LABELS), "label 14"),
        ((IMAGES, LABELS, IMAGES, LABELS), "3 training examples"),
    ],
)
def test_unfit_data_sets(tmp_path, arrays, message):
    write_dataset(tmp_path, *arrays)
    with pytest.raises(MnistCnnError, match=message):
        data.load_dataset(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(MnistCnnError, match="there is no folder"):
        data.load_dataset(tmp_path / "nowhere")


# --- downloads, from a real server ---


@pytest.fixture
def files(monkeypatch):
    """Four small files to be given out, their digests in the place of the published ones."""
    arrays = dict(zip(mnist_files.DIGESTS, (IMAGES, LABELS, IMAGES + 1, LABELS[::-1])))
    content = {name + ".gz": gzip.compress(idx_bytes(array)) for name, array in arrays.items()}
    entry = dataclasses.replace(
        datasets.DATASETS["mnist"],
        counts=None,
        files={name: hashlib.md5(idx_bytes(array)).hexdigest() for name, array in arrays.items()},
        packed={name: hashlib.md5(file).hexdigest() for name, file in content.items()},
    )
    monkeypatch.setitem(catalogue.DATASETS, "mnist", entry)
    monkeypatch.setattr(datasets.four_files, "MNIST", entry)
    monkeypatch.setattr(datasets.split, "MIN_EXAMPLES", 1)
    return content


@pytest.fixture
def mirror(files):
    servers = []

    def start(behaviour):
        servers.append(Mirror(files, behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("behaviour", ["ok", "slow"])
def test_download(tmp_path, files, mirror, behaviour, capsys):
    server = mirror(behaviour)
    data.load_dataset(tmp_path, [server.url])
    assert contents(tmp_path) == files
    assert "Downloading " + server.url in capsys.readouterr().out
    data.load_dataset(tmp_path, [server.url])
    assert len(server.requests) == 4  # what is there is not fetched again


@pytest.mark.parametrize(
    "behaviour, reason",
    [
        ("missing", "404"),
        ("wrong", "digest"),
        ("page", "web page"),
        ("truncated", "digest|connection was lost"),
        ("silent", "does not answer|no connection"),
    ],
)
def test_the_next_mirror_helps(tmp_path, files, mirror, behaviour, reason, capsys):
    bad, good = mirror(behaviour), mirror("ok")
    datasets.load("mnist", tmp_path, [bad.url, good.url], timeout=0.5)
    assert contents(tmp_path) == files
    assert len(bad.requests) == 1 and len(good.requests) == 4  # the dead one is asked once
    # after a break the next one gives the rest alone
    assert [bool(range_) for range_ in good.ranges] == [behaviour == "truncated"] + 3 * [False]
    assert re.search(r"(?m)^  no: .*({}).*$".format(reason), capsys.readouterr().out)


@pytest.mark.parametrize(
    "behaviour, reason",
    [("missing", "404"), ("wrong", "digest"), ("truncated", "digest|connection was lost"), (None, "no conn")],
)
def test_all_mirrors_dead(tmp_path, mirror, behaviour, reason, capsys):
    if behaviour:
        url = mirror(behaviour).url
    else:
        with socket.socket() as closed:  # a port that nobody listens on
            closed.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:{}/".format(closed.getsockname()[1])
    with pytest.raises(MnistCnnError, match="cannot download train-images") as caught:
        data.load_dataset(tmp_path, [url])
    assert url in str(caught.value) and str(tmp_path) in str(caught.value)
    # what came before a break is kept, and the next call goes on from there
    left = {"train-images-idx3-ubyte.gz"} if behaviour == "truncated" else set()
    assert contents(tmp_path).keys() == {".{}.part".format(name) for name in left}
    assert re.search(reason, capsys.readouterr().out)


def test_another_data_set_is_not_completed_with_mnist(tmp_path, mirror):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES + 7))
    server = mirror("ok")
    with pytest.raises(MnistCnnError, match="not MNIST's"):
        data.load_dataset(tmp_path, [server.url])
    assert server.requests == []


def test_the_rest_of_mnist_is_fetched(tmp_path, files, mirror):
    plain = gzip.decompress(files["train-images-idx3-ubyte.gz"])
    (tmp_path / "train-images-idx3-ubyte").write_bytes(plain)
    server = mirror("ok")
    data.load_dataset(tmp_path, [server.url])
    assert len(server.requests) == 3
    assert contents(tmp_path)["train-images-idx3-ubyte"] == plain


# --- mini-batches ---


@given(n=st.integers(0, 60), batchsize=st.integers(1, 20), shuffle=st.booleans())
@settings(deadline=None)
def test_minibatches(n, batchsize, shuffle):
    inputs = np.arange(n)
    batches = list(data.iterate_minibatches(inputs, inputs + 100, batchsize, shuffle))
    assert [len(b) for b, _ in batches] == [batchsize] * (n // batchsize)
    seen = np.concatenate([b for b, _ in batches]) if batches else np.array([])
    assert len(set(seen)) == len(seen)
    for batch, targets in batches:
        np.testing.assert_array_equal(targets, batch + 100)
    if not shuffle:
        np.testing.assert_array_equal(seen, inputs[: len(seen)])


def test_shuffling_follows_the_generator():
    order = lambda seed: [
        b.tolist()
        for b, _ in data.iterate_minibatches(np.arange(100), np.arange(100), 50, True, np.random.RandomState(seed))
    ]
    assert order(1) == order(1) != order(2)
    assert order(1)[0] != list(range(50))


@pytest.mark.parametrize("inputs, targets, batchsize", [([1, 2], [1], 1), ([1], [1], 0)])
def test_bad_minibatches(inputs, targets, batchsize):
    with pytest.raises(ValueError):
        next(data.iterate_minibatches(inputs, targets, batchsize))
