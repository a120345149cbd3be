import os
import pickle
import resource
import subprocess
import sys
import zipfile

import lasagne
import numpy as np
import pytest
import theano
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.signal import convolve

from mnist_cnn import model
from mnist_cnn.storage import npz
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.weights import fitting

SHAPES = [(32, 1, 5, 5), (32,), (32, 32, 5, 5), (32,), (512, 256), (256,), (256, 10), (10,)]


def numpy_cnn(weights, images):
    """The tutorial's network in NumPy and SciPy, in float64."""
    W1, b1, W2, b2, W3, b3, W4, b4 = (w.astype(np.float64) for w in weights)

    def conv_relu_pool(maps, W, b):
        out = np.array([[sum(convolve(m[c], w[c], "valid") for c in range(len(w))) for w in W] for m in maps])
        out = np.maximum(out + b[:, None, None], 0)
        n, k, rows, columns = out.shape
        return out.reshape(n, k, rows // 2, 2, columns // 2, 2).max(axis=(3, 5))

    hidden = conv_relu_pool(conv_relu_pool(images.astype(np.float64), W1, b1), W2, b2)
    hidden = np.maximum(hidden.reshape(len(images), -1) @ W3 + b3, 0)
    scores = hidden @ W4 + b4
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exps / exps.sum(axis=1, keepdims=True)


def test_the_tutorials_network(fixed_rng):
    network = model.build_cnn()
    weights = lasagne.layers.get_all_param_values(network)
    assert [w.shape for w in weights] == SHAPES
    assert [type(layer).__name__ for layer in lasagne.layers.get_all_layers(network)] == [
        "InputLayer",
        "Conv2DLayer",
        "MaxPool2DLayer",
        "Conv2DLayer",
        "MaxPool2DLayer",
        "DropoutLayer",
        "DenseLayer",
        "DropoutLayer",
        "DenseLayer",
    ]
    assert [layer.p for layer in lasagne.layers.get_all_layers(network) if hasattr(layer, "p")] == [0.5, 0.5]
    # Glorot and Bengio 2010: uniform in +-sqrt(6 / (fan in + fan out))
    for W, fans in ((weights[0], 25 + 32 * 25), (weights[2], 2 * 32 * 25), (weights[4], 768), (weights[6], 266)):
        bound = np.sqrt(6 / fans)
        assert 0.95 * bound < abs(W).max() <= bound and abs(W.mean()) < 0.1 * bound
    assert all((b == 0).all() for b in weights[1::2])


def test_colour_images_against_numpy(fixed_rng):
    network = model.build_cnn(shape=(3, 32, 32), num_classes=20)
    weights = lasagne.layers.get_all_param_values(network)
    assert [w.shape for w in weights] == [
        (32, 3, 5, 5),
        (32,),
        (32, 32, 5, 5),
        (32,),
        (800, 256),
        (256,),
        (256, 20),
        (20,),
    ]
    images = np.random.RandomState(1).rand(4, 3, 32, 32).astype("float32")
    found = lasagne.layers.get_output(network, images, deterministic=True).eval()
    np.testing.assert_allclose(found, numpy_cnn(weights, images), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options, named",
    [
        ({"shape": (28, 28)}, "shape"),
        ({"shape": (0, 28, 28)}, "shape"),
        ({"shape": (1, 28, 15)}, "shape"),
        ({"num_classes": 1}, "num_classes"),
    ],
)
def test_shapes_that_the_network_cannot_take(options, named):
    with pytest.raises(MnistCnnError, match="^" + named + " is "):
        model.build_cnn(**options)


def test_dropout_drops_its_share(cnn, fixed_rng):
    """Of ones, by the layer before the last: a tenth is 0, the others are 1 / .9."""
    network = model.build_cnn(dropout=0.1)
    assert [
        layer.p for layer in lasagne.layers.get_all_layers(network) if isinstance(layer, lasagne.layers.DropoutLayer)
    ] == [0.1, 0.1]
    dropped = network.input_layer.get_output_for(theano.shared(np.ones((50, 256), "float32"))).eval()
    assert np.unique(dropped) == pytest.approx([0, 1 / 0.9])
    assert (dropped == 0).mean() == pytest.approx(0.1, abs=0.012)  # four standard deviations


def test_probabilities_against_numpy(cnn, mnist):
    network, input_var, _ = cnn
    images = mnist[4][:6]
    found = lasagne.layers.get_output(network, deterministic=True).eval({input_var: images})
    expected = numpy_cnn(lasagne.layers.get_all_param_values(network), images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_weights_in_the_tutorials_layout(training):
    with np.load(training[1]) as f:
        param_values = [f["arr_%d" % i] for i in range(len(f.files))]
    assert [w.shape for w in param_values] == SHAPES
    assert all(w.dtype == np.float32 for w in param_values)
    network = model.build_cnn()
    lasagne.layers.set_all_param_values(network, param_values)


def test_weights_round_trip(tmp_path, fixed_rng):
    saved = lasagne.layers.get_all_param_values(model.build_cnn())
    model.save_weights(tmp_path / "model.npz", saved)
    network = model.build_cnn()
    for loaded in (model.load_weights(tmp_path / "model.npz", network), lasagne.layers.get_all_param_values(network)):
        for a, b in zip(saved, loaded):
            np.testing.assert_array_equal(a, b)
            assert b.dtype == theano.config.floatX
    assert os.listdir(str(tmp_path)) == ["model.npz"]


def changed(weights, i, value):
    return weights[:i] + [value] + weights[i + 1 :]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda w: w[:-1], r"it holds 7 arrays, not 8: arr_0 \(32, 1, 5, 5\), arr_1 \(32,\), "),
        (lambda w: changed(w, 2, w[2][:16]), r"arr_2 has shape \(16, 32, 5, 5\), not \(32, 32, 5, 5\)$"),
        (lambda w: w + [w[0]], r"it holds 9 arrays, not 8: "),
        (lambda w: changed(w, 3, np.arange(32)), r"arr_3 has dtype int64"),
        (lambda w: changed(w, 1, w[1] * np.nan), r"arr_1 holds NaN"),
        (lambda w: changed(w, 7, np.array([None] * 10)), r"arr_7 has dtype object"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, fixed_rng, change, message):
    network = model.build_cnn()
    before = lasagne.layers.get_all_param_values(network)
    path = tmp_path / "model.npz"
    np.savez(path, *change([w + 1 for w in before]))
    with pytest.raises(MnistCnnError, match=message):
        model.load_weights(path, network)
    for a, b in zip(before, lasagne.layers.get_all_param_values(network)):
        np.testing.assert_array_equal(a, b)


def no_npz(path, kind, good):
    if kind == "truncated":
        path.write_bytes(good[:-1000])
    elif kind == "flipped":
        path.write_bytes(good[:5000] + b"\xff\0\xff" + good[5003:])
    elif kind == "other zip":
        with zipfile.ZipFile(str(path), "w") as archive:
            for i in range(8):
                archive.writestr("arr_{}.npy".format(i), "no array")
    elif kind == "lzma":
        with zipfile.ZipFile(str(path), "w", zipfile.ZIP_LZMA) as archive:
            for i in range(8):
                archive.writestr("arr_{}.npy".format(i), "no array")
    elif kind == "odd header":
        with zipfile.ZipFile(str(path), "w") as archive:
            for i in range(8):
                archive.writestr("arr_{}.npy".format(i), b"\x93NUMPY\x01\x00\x08\x00{'descr'")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(list(range(8))))
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(kind)


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped", "other zip", "lzma", "odd header", "pickle", "folder", "missing", b"", b"hello"]
)
def test_files_that_are_no_model(tmp_path, training, kind):
    path = tmp_path / "model.npz"
    no_npz(path, kind, training[1].read_bytes())
    with pytest.raises(MnistCnnError, match="model.npz") as caught:
        model.load_weights(path, model.build_cnn())
    assert "\n" not in str(caught.value)


def test_an_archive_that_lzma_refuses(tmp_path):
    path = tmp_path / "model.npz"
    no_npz(path, "lzma", None)
    properties = b"\x05\0\x5d"  # their length, and what describes the stream
    assert properties in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(properties, b"\x05\0\xff"))
    for read in (fitting.read_card, lambda path: model.load_weights(path, model.build_cnn())):
        with pytest.raises(MnistCnnError, match="has a compression that NumPy does not write"):
            read(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 800), replacement=st.binary(max_size=4), cut=st.integers(0, 40))
def test_damaged_archives_are_refused_or_whole(tmp_path, position, replacement, cut):
    path = tmp_path / "small.npz"
    wanted = {"a": ("f", (3, 2)), "b": ("d", (None,))}
    npz.write_npz(path, {"a": np.ones((3, 2), "f"), "b": np.arange(4.0)})
    content = bytearray(path.read_bytes())
    content[position : position + cut] = replacement
    path.write_bytes(bytes(content))
    try:
        arrays = npz.read_npz(path, wanted)
    except MnistCnnError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert arrays["a"].shape == (3, 2) and arrays["b"].ndim == 1


def test_full_disk_leaves_the_old_file(tmp_path):
    """With a real limit on the file size, as a full disk gives: a short write, then an error."""
    path = tmp_path / "model.npz"
    path.write_bytes(b"the old file")
    code = (
        "import sys, numpy\nfrom mnist_cnn import model\nfrom mnist_cnn.system import process\n"
        "sys.exit(process.main_guard(lambda: model.save_weights(sys.argv[1], [numpy.ones(10**5)])))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000)),
    )
    assert process.returncode == 2
    assert process.stderr.startswith("error: cannot write ") and process.stderr.count("\n") == 1
    assert path.read_bytes() == b"the old file"
    assert os.listdir(str(tmp_path)) == ["model.npz"]
