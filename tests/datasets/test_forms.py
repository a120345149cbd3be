"""Every form in which people have their data, written here by other means than those that read it."""

import gzip
import io
import itertools
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
import scipy.io
from mirrors import Mirror
from PIL import Image

from conftest import idx_bytes, run_script
from mnist_cnn import data
from mnist_cnn.datasets import FORMS, dataset_files
from mnist_cnn.datasets.idx import read_idx
from mnist_cnn.datasets.mnist import PACKAGED
from mnist_cnn.system.errors import MnistCnnError

X, Y = (read_idx(PACKAGED / "t10k-{}-ubyte.gz".format(what))[:90] for what in ("images-idx3", "labels-idx1"))
TRAIN, TEST = (X[:60], Y[:60]), (X[60:], Y[60:])  # sixty digits and thirty
NAMES = ("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1)


def check(path, train=TRAIN, test=TEST, classes=tuple("0123456789"), held=10):
    """The six arrays: all examples in their order, the last sixth held out."""
    dataset = data.load_dataset(path)
    X_train, y_train, X_val, y_val, X_test, y_test = dataset
    shape = (1,) + train[0].shape[1:] if train[0].ndim == 3 else train[0].shape[1:]
    for images, labels, (wanted_images, wanted_labels) in (
        (np.concatenate([X_train, X_val]), np.concatenate([y_train, y_val]), train),
        (X_test, y_test, test),
    ):
        assert images.dtype == np.float32 and labels.dtype == np.uint8
        assert (images == wanted_images.reshape((-1,) + shape) / np.float32(256)).all()
        assert labels.tolist() == wanted_labels.tolist()
    assert len(X_val) == held and dataset.card.classes == tuple(classes)
    return dataset


def write_idx(folder, name, arrays=TRAIN + TEST, pack=lambda content: content):
    folder.mkdir(parents=True, exist_ok=True)
    for (what, dims), array in zip(NAMES, arrays):
        path = folder / name.format(what=what, dims=dims)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pack(idx_bytes(array)))


# --- IDX, by all its usual names ---


@pytest.mark.parametrize(
    "name",
    [
        "{what}-idx{dims}-ubyte",
        "{what}.idx{dims}-ubyte",
        "{what}-idx{dims}-ubyte.gz",
        "{what}.idx{dims}-ubyte.gz",
        "{what}_idx{dims}_ubyte",
        "mnist-{what}-idx{dims}-ubyte",
        "{what}-idx{dims}-ubyte/{what}-idx{dims}-ubyte",
        "{what}-idx{dims}-ubyte/{what}.idx{dims}-ubyte",
    ],
)
def test_names_of_idx_files(tmp_path, name):
    write_idx(tmp_path, name, pack=gzip.compress if name.endswith("gz") else lambda content: content)
    check(tmp_path)


def test_the_folders_of_torchvision(tmp_path):
    write_idx(tmp_path / "MNIST" / "raw", "{what}-idx{dims}-ubyte")
    write_idx(tmp_path / "MNIST" / "raw", "{what}-idx{dims}-ubyte.gz", pack=gzip.compress)
    check(tmp_path)
    write_idx(tmp_path / "Mine" / "raw", "{what}-idx{dims}-ubyte", (255 - X[:60],) + TRAIN[1:] + TEST)
    with pytest.raises(MnistCnnError, match="holds 2 data sets; say which .*/M.*/raw, .*/M.*/raw"):
        data.load_dataset(tmp_path)
    check(tmp_path / "MNIST")


def test_qmnist(tmp_path):
    """Labels of 32 bits in eight columns: the class, then who wrote it and where it was found."""
    for half, (images, labels) in (("train", TRAIN), ("test", TEST)):
        columns = np.arange(len(labels) * 8, dtype=">i4").reshape(-1, 8)
        columns[:, 0] = labels
        (tmp_path / "qmnist-{}-images-idx3-ubyte.gz".format(half)).write_bytes(gzip.compress(idx_bytes(images)))
        (tmp_path / "qmnist-{}-labels-idx2-int.gz".format(half)).write_bytes(
            gzip.compress(struct.pack(">4B2I", 0, 0, 12, 2, len(labels), 8) + columns.tobytes())
        )
    check(tmp_path)


# --- CSV ---


def csv_lines(images, labels, header=True, label="label", at=0):
    rows = []
    if header:
        rows.append(["pixel%d" % i for i in range(images[0].size)])
        rows[0].insert(at, label)
    for image, number in zip(images, labels):
        rows.append(image.ravel().tolist())
        rows[-1].insert(at, number)
    return "\n".join(",".join(map(str, row)) for row in rows) + "\n"


@pytest.mark.parametrize("options", [{}, {"header": False}, {"label": '"class"', "at": 784}, {"label": "Label"}])
@pytest.mark.parametrize(
    "names",
    [("train.csv", "test.csv"), ("mnist_train.csv", "mnist_test.csv"), ("my/digits-train.csv", "my/digits-test.csv")],
)
def test_csv(tmp_path, options, names):
    if options.get("at") == 784 and names[0] != "train.csv":
        pytest.skip("one name is enough")
    (tmp_path / "my").mkdir()
    for name, part in zip(names, (TRAIN, TEST)):
        (tmp_path / name).write_text(csv_lines(*part, **options))
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    check(tmp_path)


def test_csv_of_numbers_with_a_point_and_packed(tmp_path):
    lines = csv_lines(TRAIN[0] / 255, TRAIN[1])
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(("\ufeff" + lines).encode("utf-8")))
    (tmp_path / "test.csv").write_text(csv_lines(*TEST))
    check(tmp_path)


def test_emnists_csv_lies_on_its_side(tmp_path):
    for half, (images, labels) in (("train", TRAIN), ("test", TEST)):
        (tmp_path / "emnist-mnist-{}.csv".format(half)).write_text(
            csv_lines(images.swapaxes(1, 2), labels, header=False)
        )
    check(tmp_path)


def splits_of(dataset, images=X, labels=Y):
    """Where each image of a data set stands among all; each must stand somewhere, once."""
    places = {image.tobytes(): i for i, image in enumerate(images)}
    found = []
    for part, numbers in (dataset[:2], dataset[2:4], dataset[4:]):
        found.append([places[np.uint8(image * 256).tobytes()] for image in part])
        assert labels[found[-1]].tolist() == numbers.tolist()
    assert sorted(itertools.chain(*found)) == list(range(len(images)))
    return found


def test_kaggles_csv_is_split_by_a_seed(tmp_path, capsys):
    """Its test.csv has no labels: the test set comes out of train.csv."""
    (tmp_path / "train.csv").write_text(csv_lines(X, Y))
    (tmp_path / "test.csv").write_text(
        csv_lines(*TEST).replace("label,", "", 1).replace("\n{},".format(Y[60]), "\n", 1)
    )
    (tmp_path / "test.csv").write_text("\n".join(",".join(map(str, image.ravel())) for image in TEST[0]))
    train, val, test = splits_of(data.load_dataset(tmp_path))
    assert (len(train), len(val), len(test)) == (66, 12, 12)
    assert capsys.readouterr().err == (
        "note: {} has no test examples with labels: 12 random examples, by a fixed seed, become the test set "
        "and 12 are held out for validation\n".format(tmp_path)
    )
    assert splits_of(data.load_dataset(tmp_path / "train.csv")) == [train, val, test]


@pytest.mark.parametrize(
    "content, message",
    [
        (
            csv_lines(*TRAIN).replace(",0,", ",zero,", 1),
            "train.csv is not a table of numbers in CSV: could not convert string 'zero'",
        ),
        (csv_lines(*TRAIN) + "1,2\n", "the number of columns changed from 785 to 2"),
        (csv_lines(TRAIN[0][:, :27], TRAIN[1]), r"\(60, 756\), not images of shape"),
        (csv_lines(*TRAIN).splitlines()[0], "contained no data"),
        (csv_lines(TRAIN[0] * 300.5, TRAIN[1]), "pixels from 0 to 7.*; they must be from 0 to 255"),
        (csv_lines(TRAIN[0], TRAIN[1] - 0.5), "the label 6.5; labels are whole numbers"),
        (csv_lines(TRAIN[0], TRAIN[1].astype(int) - 1), "the label -1; labels are whole numbers"),
    ],
)
def test_bad_csv(tmp_path, content, message):
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(MnistCnnError, match=message) as caught:
        data.load_dataset(tmp_path)
    assert "\n" not in str(caught.value)


# --- npz ---


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x[..., None],
        lambda x: x.reshape(len(x), -1),
        lambda x: x / 255,
        lambda x: np.float32(x) / np.float32(255),
        lambda x: x / 256,
        lambda x: x.astype(int),
        lambda x: x[:, None].astype("f8"),
    ],
)
def test_keras_npz(tmp_path, change):
    np.savez(
        tmp_path / "mnist.npz",
        x_train=change(TRAIN[0]),
        y_train=TRAIN[1],
        x_test=change(TEST[0]),
        y_test=TEST[1].astype("i8"),
    )
    check(tmp_path)


@pytest.mark.parametrize("labels", [lambda y: y[:, None], lambda y: np.eye(10)[y], lambda y: y.astype("f4")])
def test_medmnists_npz(tmp_path, labels):
    """With a validation part of its own, here in colour."""
    images = {"train": X[:40], "val": X[40:60], "test": X[60:]}
    colours = {part: np.stack([x, x // 2, 255 - x], axis=-1) for part, x in images.items()}
    arrays = {part + "_images": x for part, x in colours.items()}
    arrays.update({part + "_labels": labels(y) for part, y in (("train", Y[:40]), ("val", Y[40:60]), ("test", Y[60:]))})
    np.savez_compressed(tmp_path / "bloodmnist.npz", **arrays)
    dataset = check(
        tmp_path,
        (np.concatenate([colours["train"], colours["val"]]).transpose(0, 3, 1, 2), TRAIN[1]),
        (colours["test"].transpose(0, 3, 1, 2), TEST[1]),
        held=20,
    )
    assert dataset.card.shape == (3, 28, 28)


def test_bad_npz(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=np.array([None] * 9), y_train=np.zeros(9))
    with pytest.raises(MnistCnnError, match="mnist.npz holds no arrays that can be read: Object"):
        data.load_dataset(tmp_path)
    np.savez(path, x_train=np.array(["a"] * 9), y_train=np.zeros(9))
    with pytest.raises(MnistCnnError, match=r"mnist.npz \(x_train\) holds an array of shape \(9,\)"):
        data.load_dataset(tmp_path)
    np.savez(path, x_train=X[:9], y_train=Y[:8])
    with pytest.raises(MnistCnnError, match=r"\(x_train\) has 9 images and .*y_train\) has 8 labels"):
        data.load_dataset(tmp_path)
    np.savez(path, x_train=np.where(np.arange(X.size).reshape(X.shape) == 50, np.nan, X), y_train=Y)
    with pytest.raises(MnistCnnError, match=r"\(x_train\) has pixels from nan to nan"):
        data.load_dataset(tmp_path)
    np.savez(path, x_train=X[:9], y_train=Y[:9])
    content = path.read_bytes()
    path.write_bytes(content[:200] + b"\xff" * 9 + content[209:])
    with pytest.raises(MnistCnnError, match="holds no arrays that can be read: "):
        data.load_dataset(tmp_path)


# --- MATLAB ---


def emnist_mat(path, shift=0, **options):
    halves = {
        half: {
            "images": images.swapaxes(1, 2).reshape(len(images), -1),
            "labels": labels[:, None] + shift,
            "writers": labels[:, None],
        }
        for half, (images, labels) in (("train", TRAIN), ("test", TEST))
    }
    mapping = np.array([[number + shift, ord("A") + number, ord("a") + number] for number in range(10)])
    scipy.io.savemat(path, {"dataset": dict(halves, mapping=mapping)}, **options)


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("packed", [False, True])
def test_emnists_mat(tmp_path, shift, packed):
    emnist_mat(tmp_path / "emnist-letters.mat", shift, do_compression=packed)
    check(tmp_path, classes="ABCDEFGHIJ")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "x.mat does not have the form of EMNIST's"),
        (b"MATLAB 5.0" + bytes(500), "x.mat does not have the form of EMNIST's"),
        (b"MATLAB 7.3".ljust(124) + b"\0\2IM" + b"\x89HDF\r\n", "in MATLAB's format 7.3; save it by: save"),
    ],
)
def test_bad_mat(tmp_path, content, message):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(MnistCnnError, match=message) as caught:
        data.load_dataset(tmp_path)
    assert "\n" not in str(caught.value)


# --- mnist.pkl.gz of Python 2 ---


def array_2(array):
    """An array as Python 2's cPickle wrote it in protocol 2, opcode by opcode."""
    kind = array.dtype.str[1:].encode()
    order = {"|": b"|", "<": b"<"}[array.dtype.str[0]]
    number = lambda n: b"K" + bytes([n]) if n < 256 else b"M" + struct.pack("<H", n)
    shape = b"".join(map(number, array.shape)) + bytes([0x84 + array.ndim])
    content = array.tobytes()
    return b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1",
            shape,
            b"cnumpy\ndtype\nU",
            bytes([len(kind)]),
            kind,
            b"K\0K\1\x87R(K\3U\1",
            order,
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89T",
            struct.pack("<I", len(content)),
            content,
            b"tb",
        ]
    )


def mnist_pickle(parts, scale=256):
    return (
        b"\x80\2"
        + b"".join(
            array_2(np.float32(x.reshape(len(x), -1)) / np.float32(scale)) + array_2(y.astype("<i8")) + b"\x86"
            for x, y in parts
        )
        + b"\x87."
    )


@pytest.mark.parametrize("name", ["mnist.pkl.gz", "mnist.pkl"])
def test_mnist_pkl_gz(tmp_path, name):
    parts = (X[:40], Y[:40]), (X[40:60], Y[40:60]), TEST
    content = mnist_pickle(parts)
    assert pickle.loads(content, encoding="latin1")[1][1].tolist() == Y[40:60].tolist()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    check(tmp_path, held=20)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"cos\nsystem\n(S'touch harmed'\ntR.", "it names os.system, which no such file needs"),
        (pickle.dumps([1, 2]), "does not have the form of mnist.pkl.gz"),
        (b"", "exhausted before"),
        (pickle.dumps(((X, Y), (X, Y))), "it does not hold three pairs"),
    ],
)
def test_bad_pickles(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist.pkl").write_bytes(content)
    with pytest.raises(MnistCnnError, match=message):
        data.load_dataset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.pkl"]


# --- pictures by class ---


def write_pictures(folder, images, labels, names="0123456789", suffix="png", start=0, **options):
    for i, (image, label) in enumerate(zip(images, labels), start):
        place = folder / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(str(place / "{:05}.{}".format(i, suffix)), **options)


@pytest.mark.parametrize("halves", [("training", "testing"), ("train", "test"), ("mnist_png/train", "mnist_png/test")])
def test_pictures_by_class(tmp_path, halves):
    for half, part in zip(halves, (TRAIN, TEST)):
        write_pictures(tmp_path / half, *part)
    dataset = data.load_dataset(tmp_path)
    train, val, test = splits_of(dataset)
    assert sorted(test) == list(range(60, 90)) and len(val) == 10
    assert len(set(dataset[3])) > 4  # in the order of the folders they would be of one class or two
    assert dataset.card.classes == tuple("0123456789")


@pytest.mark.parametrize(
    "change", [lambda x: np.stack([x] * 3, axis=-1), lambda x: np.stack([x, x, x, np.full_like(x, 255)], axis=-1)]
)
def test_grey_pictures_saved_in_colours_are_grey(tmp_path, change):
    write_pictures(tmp_path, change(X[:1]), Y[:1])
    write_pictures(tmp_path, [change(x[None])[0] for x in X[1:]], Y[1:], start=1)
    splits_of(data.load_dataset(tmp_path))


def test_one_folder_of_pictures_is_split(tmp_path, capsys):
    names = ["no"] * 5 + ["yes"] * 5
    colours = np.stack([X, 255 - X, X // 3], axis=-1)
    write_pictures(tmp_path / "flowers", colours, Y, names)
    dataset = data.load_dataset(tmp_path)
    assert dataset.card.classes == ("no", "yes") and dataset.card.shape == (3, 28, 28)
    assert [len(y) for y in dataset[1::2]] == [66, 12, 12]
    again = data.load_dataset(tmp_path / "flowers")
    assert all((a == b).all() for a, b in zip(dataset, again))
    found = np.concatenate(dataset[::2])
    assert sorted(np.uint8(image * 256).tobytes() for image in found) == sorted(
        image.tobytes() for image in np.ascontiguousarray(colours.transpose(0, 3, 1, 2))
    )


def test_class_names_that_are_numbers_are_in_their_order(tmp_path):
    write_pictures(tmp_path, X, Y, [str(number) for number in range(5, 15)])
    dataset = data.load_dataset(tmp_path)
    assert dataset.card.classes == tuple(map(str, range(5, 15)))
    splits_of(dataset)


def test_bad_pictures(tmp_path):
    write_pictures(tmp_path, X, Y)
    Image.new("L", (30, 28)).save(str(tmp_path / "7" / "other.png"))
    with pytest.raises(MnistCnnError, match="has 28 x 28 pixels and .*other.png has 28 x 30; bring"):
        data.load_dataset(tmp_path)
    (tmp_path / "7" / "other.png").write_text("hello")
    with pytest.raises(MnistCnnError, match="cannot read .*other.png: it is not a picture"):
        data.load_dataset(tmp_path)
    Image.new("L", (3000, 28)).save(str(tmp_path / "7" / "other.png"))
    with pytest.raises(MnistCnnError, match="has 28 x 3000 pixels; make the pictures 256 x 256"):
        data.load_dataset(tmp_path)


# --- Parquet ---


def write_parquet(path, images, labels, column="image", names=None):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = []
    for image in images:
        out = io.BytesIO()
        Image.fromarray(image).save(out, "PNG")
        rows.append({"bytes": out.getvalue(), "path": None})
    table = pyarrow.table({column: rows, "label": pyarrow.array(labels.tolist(), pyarrow.int64())})
    if names:
        table = table.replace_schema_metadata(
            {
                "huggingface": json.dumps(
                    {
                        "info": {
                            "features": {
                                column: {"_type": "Image"},
                                "label": {"names": list(names), "_type": "ClassLabel"},
                            }
                        }
                    }
                )
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


@pytest.mark.parametrize(
    "train, test",
    [
        (
            ["mnist/train-00000-of-00002.parquet", "mnist/train-00001-of-00002.parquet"],
            "mnist/test-00000-of-00001.parquet",
        ),
        (["train/0000.parquet", "train/0001.parquet"], "test/0000.parquet"),
    ],
)
def test_parquet(tmp_path, train, test):
    write_parquet(tmp_path / train[0], X[:35], Y[:35], "img", "abcdefghij")
    write_parquet(tmp_path / train[1], X[35:60], Y[35:60], "img", "abcdefghij")
    write_parquet(tmp_path / test, *TEST, "img", "abcdefghij")
    check(tmp_path, classes="abcdefghij")


def test_bad_parquet(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.table({"text": ["a"], "label": [1]}), path)
    with pytest.raises(MnistCnnError, match="it has the columns text, label; it needs a column of pictures"):
        data.load_dataset(tmp_path)
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(MnistCnnError, match="train.parquet does not have the form") as caught:
        data.load_dataset(tmp_path)
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MnistCnnError, match="is a Parquet file; .*pip install 'mnist_cnn.parquet.'"):
        data.load_dataset(tmp_path)


# --- whatever the form ---


@pytest.fixture(scope="module")
def server():
    """One that gives nothing, and notes what it is asked."""
    server = Mirror({})
    yield server
    server.shutdown()
    server.server_close()


def test_mnist_is_known_in_any_form(tmp_path, mnist, monkeypatch):
    """Keras' file, deeplearning.net's and CSV of the whole of MNIST: the same arrays, by name."""
    train = np.uint8(np.concatenate([mnist[0], mnist[2]])[:, 0] * 256)
    test = np.uint8(mnist[4][:, 0] * 256)
    np.savez(
        tmp_path / "mnist.npz",
        x_train=train,
        y_train=np.concatenate([mnist[1], mnist[3]]),
        x_test=test,
        y_test=mnist[5],
    )
    (tmp_path / "mnist.pkl").write_bytes(mnist_pickle(zip(mnist[::2], mnist[1::2]), scale=1))
    for name in ("mnist.npz", "mnist.pkl"):
        dataset = data.load_dataset(tmp_path / name)
        assert dataset.card == mnist.card
        assert all((a == b).all() for a, b in zip(dataset, mnist))
    assert data.load_dataset(tmp_path / "mnist.npz", dataset="mnist").card == mnist.card
    with pytest.raises(MnistCnnError, match="mnist.npz holds MNIST, not Fashion-MNIST"):
        data.load_dataset(tmp_path / "mnist.npz", dataset="fashion-mnist")
    with pytest.raises(MnistCnnError, match="holds 2 data sets; say which .*mnist.npz, .*mnist.pkl"):
        data.load_dataset(tmp_path)


def test_labels_that_begin_at_1(tmp_path, capsys):
    arrays = TRAIN[0], TRAIN[1] + 1, TEST[0], TEST[1] + 1
    write_idx(tmp_path, "{what}-idx{dims}-ubyte", [np.uint8(array) for array in arrays])
    check(tmp_path, classes=map(str, range(1, 11)))
    assert (
        "the labels of {} begin at 1: they are the network's classes 0 to 9, named 1 to 10 (a file "
        "classes.txt beside the data, one name in each line".format(tmp_path)
        in capsys.readouterr().err
    )
    (tmp_path / "classes.txt").write_text("\n".join("abcdefghij"))  # as the line advises
    check(tmp_path, classes="abcdefghij")
    (tmp_path / "classes.txt").write_text("\n".join("abcdefghi"))
    with pytest.raises(MnistCnnError, match="the label 10; .*classes.txt names the classes 0 to 8"):
        data.load_dataset(tmp_path)


@pytest.mark.parametrize(
    "files, named",
    [
        ({"digits.dat": b"x", "notes.txt": b"y"}, "digits.dat, notes.txt."),
        (
            {"a/b/1.png": b"", "a/2.png": b"", "3.png": b"", "4.png": b"", "5.jpg": b""},
            "3.png, 4.png, 5.jpg and 2 more files.",
        ),
        ({"test.csv": b"pixel0,pixel1\n1,2\n"}, "test.csv."),
        ({"mnist.h5": b"x"}, "mnist.h5."),
        ({"x_train.npy": b"x"}, "x_train.npy."),
        ({"mnist.tar.gz": b"x"}, "mnist.tar.gz."),
        ({"train-images-idx3-ubyte.gz.zip": b"x"}, "train-images-idx3-ubyte.gz.zip."),
    ],
)
@pytest.mark.parametrize("dataset", [None, "mnist", "cifar10"])
def test_only_an_empty_folder_gets_a_data_set(tmp_path, server, files, named, dataset):
    """No request, no new file, one line that names what lies there."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MnistCnnError) as caught:
        data.load_dataset(tmp_path, [server.url], dataset)
    assert "{} holds no data set that can be read: it has {} ".format(tmp_path, named) in str(caught.value)
    assert "downloaded into an empty folder only; the formats that can be read: docs/other-data.md" in str(caught.value)
    assert server.requests == [] and sorted(tmp_path.rglob("*")) == before


def test_hidden_files_and_own_outputs_leave_a_folder_empty(tmp_path, server, training):
    for path in training[1].parent.iterdir():  # a model, its history, its kernels, its checkpoint
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "index.html").write_text("")
    (tmp_path / "pictures" / "kernels.png").write_bytes(b"")
    with pytest.raises(MnistCnnError, match="cannot download train-images-idx3-ubyte.gz"):
        data.load_dataset(tmp_path, [server.url])
    assert server.requests == ["/train-images-idx3-ubyte.gz"]
    server.requests.clear()


def test_the_users_files_are_not_written_over(tmp_path):
    """The history of train.npz would be train.csv."""
    (tmp_path / "train.csv").write_text(csv_lines(X, Y))
    before = (tmp_path / "train.csv").read_bytes()
    assert [path.name for path in dataset_files(tmp_path)] == ["train.csv"]
    process = run_script("train.py", "--data-dir", tmp_path, "--output", tmp_path / "train.npz")
    assert process.returncode == 2 and "would be written over" in process.stderr
    assert (tmp_path / "train.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:40] + b"\0\xff" * 20 + content[80:],
        lambda content: b"<html>Please log in</html>",
    ],
)
@pytest.mark.parametrize("form", ["csv", "npz", "mat", "pkl", "pkl.gz", "png", "parquet"])
def test_damaged_files_are_refused_or_read(tmp_path, form, change):
    """In one line that names the file or the folder, whatever a library says of it."""
    path = tmp_path / "train.{}".format(form)
    if form == "csv":
        path.write_text(csv_lines(X, Y))
    elif form == "npz":
        np.savez_compressed(path, x_train=X, y_train=Y)
    elif form == "mat":
        emnist_mat(path, do_compression=True)
    elif form == "parquet":
        write_parquet(path, X, Y)
    elif form == "png":
        write_pictures(tmp_path, X, Y)
        path = next((tmp_path / "7").iterdir())
    else:
        content = mnist_pickle((TRAIN, TEST, TEST))
        path.write_bytes(gzip.compress(content) if form == "pkl.gz" else content)
    path.write_bytes(change(path.read_bytes()))
    try:
        data.load_dataset(tmp_path)
    except MnistCnnError as error:
        assert str(tmp_path) in str(error) and "\n" not in str(error) and len(str(error)) < 600


def test_there_is_a_line_of_documentation_for_each_form():
    from conftest import ROOT

    table = (ROOT / "docs" / "other-data.md").read_text(encoding="utf-8")
    for form in FORMS:
        assert "`{}`".format(form.__name__.split(".")[-1]) in table, form


def test_zip_bombs_claim_no_memory(tmp_path):
    """An array that claims 2**40 bytes."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 28, 28), }\n"
    npy = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x_train.npy", npy)
        archive.writestr("y_train.npy", npy)
    with pytest.raises(MnistCnnError, match="x.npz holds no arrays that can be read"):
        data.load_dataset(tmp_path)
