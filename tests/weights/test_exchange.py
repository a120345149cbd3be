"""Weights from nolearn, Keras and PyTorch, and to ONNX, safetensors and PyTorch."""

import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from importlib.util import find_spec

import lasagne
import numpy as np
import pytest

from conftest import run_script
from mnist_cnn import model
from mnist_cnn.commands.export import main
from mnist_cnn.datasets.card import DataCard
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.weights import fitting, reading, writing

#: The names of the tutorial's layers in Keras, where nobody gives others.
KERAS_LAYERS = "conv2d_1", "conv2d_2", "dense_1", "dense_2"


@pytest.fixture(scope="module")
def network():
    return model.build_cnn()


@pytest.fixture(scope="module")
def weights(network):
    rng = np.random.RandomState(3)
    return [rng.randn(*array.shape).astype("float32") for array in lasagne.layers.get_all_param_values(network)]


def by_layer(arrays):
    return [arrays[i : i + 2] for i in range(0, 8, 2)]


def keras_arrays(weights, channels_last=True, turned=True):
    """By loops over the indices, not by the transposes of the code under test."""
    arrays = []
    for W, b in by_layer(weights):
        if W.ndim == 4:
            kernel = np.empty((5, 5, W.shape[1], W.shape[0]), "f")
            for r in range(5):
                for c in range(5):
                    kernel[r, c] = W[:, :, 4 - r if turned else r, 4 - c if turned else c].T
        else:
            kernel = W.copy()
            if channels_last and len(W) == 512:
                for r in range(4):
                    for c in range(4):
                        for m in range(32):
                            kernel[(r * 4 + c) * 32 + m] = W[m * 16 + r * 4 + c]
        arrays += [kernel, b]
    return arrays


def torch_arrays(weights):
    arrays = OrderedDict()
    for name, (W, b) in zip(("conv1", "conv2", "fc1", "fc2"), by_layer(weights)):
        W = np.array([[w[::-1, ::-1] for w in row] for row in W]) if W.ndim == 4 else W.T
        arrays[name + ".weight"], arrays[name + ".bias"] = np.ascontiguousarray(W), b
    return arrays


def check(path, network, weights, tolerance=0):
    lasagne.layers.set_all_param_values(network, [0 * array for array in weights])
    for given in (model.load_weights(path, network), lasagne.layers.get_all_param_values(network)):
        for found, wanted in zip(given, weights):
            np.testing.assert_allclose(found, wanted, atol=tolerance)
            assert found.dtype == np.float32
    card = fitting.read_card(path)
    assert card.shape == (1, 28, 28) and len(card.classes) == 10


# --- read ---


@pytest.mark.parametrize(
    "names",
    [
        ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4"],
        ["conv1.W", "conv1.b", "conv2.W", "conv2.b", "d.W", "d.b", "out.W", "out.b"],
    ],
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_npz_under_other_names_and_of_other_types(tmp_path, network, weights, names, dtype):
    np.savez(tmp_path / "model.npz", **{name: w.astype(dtype) for name, w in zip(names, weights)})
    check(tmp_path / "model.npz", network, weights, 2e-3 if dtype == "f2" else 0)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "form",
    [
        lambda w: w,
        tuple,
        lambda w: OrderedDict(zip(("conv1", "conv2", "hidden", "output"), by_layer(w))),
        lambda w: {"epoch": 3, "params": w},
    ],
)
def test_pickles(tmp_path, network, weights, form, protocol):
    """``get_all_param_values`` pickled, nolearn's ``save_params_to``, and a dictionary of more."""
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(form(weights), protocol))
    check(tmp_path / "model.pkl", network, weights)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("channels_last, backend", [(True, "tensorflow"), (False, "tensorflow"), (True, "theano")])
def test_keras_h5(tmp_path, network, weights, full, channels_last, backend):
    if not (channels_last or full):
        pytest.skip("a file of weights alone does not say where its channels are")
    h5py = pytest.importorskip("h5py")
    arrays = by_layer(keras_arrays(weights, channels_last, backend != "theano"))
    with h5py.File(tmp_path / "model.h5", "w") as file:
        root = file.create_group("model_weights") if full else file
        root.attrs["backend"] = backend.encode()
        root.attrs["layer_names"] = [name.encode() for name in KERAS_LAYERS[:2] + ("dropout_1",) + KERAS_LAYERS[2:]]
        root.create_group("dropout_1").attrs["weight_names"] = np.array([], "S1")
        for name, pair in zip(KERAS_LAYERS, arrays):
            group = root.create_group(name)
            names = ["{}/{}:0".format(name, what) for what in ("kernel", "bias")]
            group.attrs["weight_names"] = [word.encode() for word in names]
            for word, array in zip(names, pair):
                group.create_dataset(word, data=array)
        if full:
            file.attrs["model_config"] = json.dumps(
                {"config": {"data_format": "channels_last" if channels_last else "channels_first"}}
            )
    check(tmp_path / "model.h5", network, weights)


@pytest.mark.parametrize("packed", [True, False])
def test_keras_3(tmp_path, network, weights, packed):
    """.weights.h5, and .keras, a zip archive of it."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for name, pair in zip(("conv2d", "conv2d_1", "dense", "dense_1"), by_layer(keras_arrays(weights))):
            for i, array in enumerate(pair):
                file["layers/{}/vars/{}".format(name, i)] = array
        file["optimizer/vars/0"] = np.zeros(3, "f")
    if packed:
        with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
            archive.write(path, "model.weights.h5")
            archive.writestr("config.json", '{"data_format": "channels_last"}')
        path = tmp_path / "model.keras"
    check(path, network, weights)


TORCH_TYPES = {"f4": "Float", "f8": "Double", "f2": "Half"}


def torch_file(path, arrays, types=TORCH_TYPES, wrap=False):
    """As ``torch.save`` writes a state_dict, opcode by opcode: PyTorch 1.6 to 2."""
    text = lambda word: b"X" + struct.pack("<I", len(word)) + word.encode()
    number = lambda n: (
        b"K" + bytes([n]) if n < 256 else (b"M" + struct.pack("<H", n) if n < 65536 else b"J" + struct.pack("<i", n))
    )
    some = lambda numbers: b"(" + b"".join(map(number, numbers)) + b"t"
    body, memo = b"", 0
    for key, (name, array) in enumerate(arrays.items()):
        kind = types[array.dtype.str[1:]]
        body += (
            text(name)
            + b"ctorch._utils\n_rebuild_tensor_v2\n(("
            + text("storage")
            + b"ctorch\n"
            + (kind + "Storage\n").encode()
            + text(str(key))
            + text("cpu")
            + number(array.size)
            + b"tQK\0"
        )
        body += some(array.shape) + some([stride // array.itemsize for stride in array.strides])
        body += b"\x89ccollections\nOrderedDict\n)RtR"
        memo += 1
    content = b"ccollections\nOrderedDict\n)R(" + body + b"u}" + text("_metadata") + b"ccollections\nOrderedDict\n)Rsb"
    if wrap:
        content = b"}(" + text("epoch") + number(7) + text("state_dict") + content + b"u"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\2" + content + b".")
        for key, array in enumerate(arrays.values()):
            archive.writestr("archive/data/%d" % key, array.tobytes())
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("wrap", [True, False])
def test_pytorchs_state_dict(tmp_path, network, weights, dtype, wrap):
    torch_file(
        tmp_path / "model.pt", {name: array.astype(dtype) for name, array in torch_arrays(weights).items()}, wrap=wrap
    )
    check(tmp_path / "model.pt", network, weights, 2e-3 if dtype == "f2" else 0)


def test_safetensors(tmp_path, network, weights):
    """The format's own: a length, a header in JSON, the numbers."""
    pytest.importorskip("safetensors")
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, array in sorted(torch_arrays(weights).items()):
        header[name] = {
            "dtype": "F32",
            "shape": array.shape,
            "data_offsets": [len(content), len(content) + array.nbytes],
        }
        content += array.tobytes()
    head = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + content)
    check(tmp_path / "model.safetensors", network, weights)


def test_other_shapes_are_told_by_the_weights(tmp_path, fixed_rng):
    """Colour images of 32 x 32 pixels in 20 classes, in PyTorch's layout."""
    network = model.build_cnn(shape=(3, 32, 32), num_classes=20)
    values = lasagne.layers.get_all_param_values(network)
    torch_file(tmp_path / "model.pt", torch_arrays(values))
    loaded, card = model.load_model(tmp_path / "model.pt")
    assert card.shape == (3, 32, 32) and len(card.classes) == 20
    for found, wanted in zip(lasagne.layers.get_all_param_values(loaded), values):
        np.testing.assert_array_equal(found, wanted)


WITH_H5PY = pytest.mark.skipif(find_spec("h5py") is None, reason="no h5py")
NO_FORM = "is not a known file of weights (npz, nolearn's pickles, Keras' .h5, PyTorch's state_dict, safetensors): "


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "it is empty"),
        (b"hello, world", "it begins with the bytes 68656c6c"),
        (pickle.dumps(3), "it holds no arrays"),
        (b"cos\nsystem\n(S'touch harmed'\ntR.", "it names os.system"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(50), "", marks=WITH_H5PY),
        (struct.pack("<Q", 2**40) + b"{}", ""),
        (pickle.dumps([np.zeros(300)])[:500], ""),
    ],
)
def test_files_that_are_none(tmp_path, monkeypatch, network, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.h5").write_bytes(content)
    for read in (fitting.read_card, lambda path: model.load_weights(path, network)):
        with pytest.raises(MnistCnnError) as caught:
            read("model.h5")
        assert str(caught.value).startswith("model.h5 " + NO_FORM + message) or str(caught.value).startswith(
            "cannot read model.h5: "
        )
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_a_whole_module_of_pytorchs_is_refused_with_what_to_do(tmp_path, network):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\2c__main__\nNet\n)\x81.")
    with pytest.raises(MnistCnnError, match=r"it names __main__.Net, .*torch.save\(model.state_dict\(\), file"):
        model.load_weights(tmp_path / "model.pt", network)


@pytest.mark.parametrize("strides, shape", [((5, 5, 5, 1), (32, 1, 5, 5)), ((10**6,), (32,))])
def test_tensors_outside_of_their_storage(strides, shape):
    with pytest.raises(ValueError, match="outside of its storage"):
        reading._Storage(np.zeros(30, "f")).tensor(0, shape, strides)


def test_an_extra_that_is_missing_is_named(tmp_path, monkeypatch, network, weights):
    import sys

    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    for package in ("h5py", "safetensors", "safetensors.numpy", "onnx"):
        monkeypatch.setitem(sys.modules, package, None)
    for call in (
        lambda: fitting.read_card(tmp_path / "model.h5"),
        lambda: fitting.read_card(tmp_path / "model.safetensors"),
        lambda: writing.to_onnx(weights, DataCard()),
        lambda: writing.to_safetensors(weights, DataCard()),
    ):
        with pytest.raises(MnistCnnError, match=r"pip install 'mnist_cnn\[exchange\]'"):
            call()


# --- written ---


@pytest.fixture(scope="module")
def exported(tmp_path_factory, weights):
    """A model of three classes in colour, and one of digits, in every form."""
    folder = tmp_path_factory.mktemp("exported")
    model.save_weights(folder / "digits.npz", weights)
    colours = lasagne.layers.get_all_param_values(model.build_cnn(shape=(3, 20, 20), num_classes=3))
    model.save_weights(folder / "colours.npz", colours, DataCard(None, (3, 20, 20), ("a", "b", "c")))
    for name in ("digits", "colours"):
        for suffix in writing.WRITERS:
            main(folder / (name + ".npz"), folder / (name + suffix))
    return folder


@pytest.mark.parametrize("name, shape", [("digits", (1, 28, 28)), ("colours", (3, 20, 20))])
def test_onnx(exported, name, shape):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path = str(exported / (name + ".onnx"))
    onnx.checker.check_model(path, full_check=True)
    assert [(opset.domain, opset.version) for opset in onnx.load(path).opset_import] == [("", writing.OPSET)]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = np.random.RandomState(0).rand(7, *shape).astype("f")
    (found,) = session.run(["probabilities"], {"images": images})
    network, card = model.load_model(exported / (name + ".npz"))
    wanted = lasagne.layers.get_output(network, images, deterministic=True).eval()
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    said = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(said["classes"])) == card.classes


@pytest.mark.parametrize("name", ["digits", "colours"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_leaves_comes_back(exported, name, suffix):
    wanted = lasagne.layers.get_all_param_values(model.load_model(exported / (name + ".npz"))[0])
    network, card = model.load_model(exported / (name + suffix))
    for found, array in zip(lasagne.layers.get_all_param_values(network), wanted):
        np.testing.assert_array_equal(found, array)


def test_pytorchs_names_and_layout(exported, weights):
    """Read by Python's pickle, with the two functions that PyTorch would call."""
    storages = {}

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            assert (module, name) in {
                ("collections", "OrderedDict"),
                ("torch", "FloatStorage"),
                ("torch._utils", "_rebuild_tensor_v2"),
            }
            return {"OrderedDict": OrderedDict, "FloatStorage": "FloatStorage"}.get(
                name,
                lambda storage, offset, size, stride, grad, hooks: np.lib.stride_tricks.as_strided(
                    storage[offset:], size, [4 * step for step in stride]
                ),
            )

        def persistent_load(self, parts):
            kind, storage, key, device, size = parts
            assert (kind, storage, device) == ("storage", "FloatStorage", "cpu")
            storages[key] = np.frombuffer(archive.read("archive/data/" + key), "<f4")
            assert len(storages[key]) == size
            return storages[key]

    with zipfile.ZipFile(exported / "digits.pt") as archive:
        with archive.open("archive/data.pkl") as file:
            found = Reader(file).load()
    wanted = torch_arrays(weights)
    assert list(found) == list(wanted)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])


def test_by_the_shell(exported, tmp_path):
    process = run_script("export.py", exported / "digits.npz", "--output", tmp_path / "digits.onnx")
    assert process.returncode == 0 and process.stderr == ""
    assert process.stdout == "{}: ONNX, opset 13; images (n, 1, 28, 28), bytes divided by 256; 10 classes\n".format(
        tmp_path / "digits.onnx"
    )
    assert (tmp_path / "digits.onnx").read_bytes() == (exported / "digits.onnx").read_bytes()


@pytest.mark.parametrize(
    "output, message",
    [
        ("model.tflite", "has an unknown format; name a file that ends in .onnx, .safetensors, .pt"),
        ("nowhere/model.onnx", "there is no folder"),
    ],
)
def test_outputs_that_cannot_be(exported, tmp_path, output, message):
    with pytest.raises(MnistCnnError, match=message):
        main(exported / "digits.npz", tmp_path / output)
    assert not list(tmp_path.iterdir())
