"""Programs for Theano's first GPU back-end, theano.sandbox.cuda, on a machine without a GPU."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal
import scipy.special
import theano
import theano.tensor as T
from test_old_programs import run_python
from theano.sandbox import cuda
from theano.sandbox.cuda import basic_ops, blas, dnn, fftconv
from theano.sandbox.cuda.rng_curand import CURAND_RandomStreams
from theano.tensor.sharedvar import TensorSharedVariable

RNG = np.random.RandomState(0)
IMAGES, FILTERS = RNG.randn(2, 3, 7, 8).astype("float32"), RNG.randn(4, 3, 3, 2).astype("float32")


# --- a device that is not there ----------------------------------------------------------------

USES = """
import theano
{}
print(theano.config.device, theano.sandbox.cuda.cuda_available)
"""
USE = "import theano.sandbox.cuda; theano.sandbox.cuda.use({}); theano.sandbox.cuda.use('gpu1')"


@pytest.mark.parametrize("name, road", [("gpu0", "use"), ("gpu", "flags"), ("cuda", "flags")])
def test_an_old_program_runs_on_the_cpu_and_says_so_once(name, road, tmp_path, monkeypatch):
    (tmp_path / "old.py").write_text(USES.format(USE.format(repr(name)) if road == "use" else ""))
    (tmp_path / "rc").write_text(
        "[global]\ndevice = {}\n[cuda]\nroot = /usr\n".format(name if road != "use" else "cpu")
    )
    monkeypatch.setenv("THEANORC", str(tmp_path / "rc"))
    process = subprocess.run(
        [sys.executable, "-m", "mnist_cnn.compat", str(tmp_path / "old.py")], capture_output=True, text=True
    )
    assert process.stdout == "cpu False\n"
    assert process.stderr.count("\n") == 1 and "device={} cannot be used".format(name) in process.stderr


def test_force_is_an_error():
    process = run_python("-c", "import theano\n" + USE.format("'gpu0', force=True"))
    assert "OSError: Theano's GPU back-end" in process.stderr


def test_unknown_device():
    with pytest.raises(ValueError, match="the device is 'gtx'"):
        cuda.use("gtx")
    cuda.use("cpu")


# --- what computes -----------------------------------------------------------------------------


def test_its_functions_are_those_of_the_cpu():
    x, w, y = T.ftensor4(), T.ftensor4(), T.ftensor4()
    desc = dnn.GpuDnnConvDesc(border_mode=(1, 0), subsample=(2, 2), conv_mode="conv")
    like_images = basic_ops.gpu_alloc_empty(y.shape[0], w.shape[1], 7, 8)
    convolve = theano.function(
        [x, w, y],
        [
            dnn.dnn_conv(x, w),
            dnn.dnn_conv(x, w, border_mode=(1, 0), subsample=(2, 1), conv_mode="cross"),
            fftconv.conv2d_fft(x, w, border_mode="full"),
            blas.GpuCorrMM(subsample=(1, 2), pad=(0, 1))(basic_ops.gpu_contiguous(x), w),
            dnn.GpuDnnConvGradI()(w, y, like_images, desc),
            theano.grad((T.nnet.conv2d(x, w, border_mode=(1, 0), subsample=(2, 2)) * y).sum(), x),
            dnn.dnn_gradweight(x, y, w.shape, border_mode=(1, 0), subsample=(2, 2)),
            theano.grad((T.nnet.conv2d(x, w, border_mode=(1, 0), subsample=(2, 2)) * y).sum(), w),
            dnn.dnn_pool(x, (3, 2), (2, 2)),
            dnn.dnn_pool(x, (2, 2)),
            dnn.GpuDnnSoftmax("bc01", "accurate", "channel")(x),
            dnn.dnn_conv(x, w[:, :1], num_groups=3)[:, 1],
            dnn.dnn_pool(x, (x.shape[2] // 2, 2), (2, 2))[:, :, 0, 0],
            *dnn.dnn_batch_normalization_train(x, T.ones((1, 3, 1, 1)), T.zeros((1, 3, 1, 1)), "spatial", 1e-4)[:2],
            dnn.dnn_batch_normalization_test(x, *(T.ones((1, 3, 1, 1)) * k for k in (2, 3, 4, 5)), "spatial", 1e-4),
        ],
    )
    results = convolve(IMAGES, FILTERS[:3], RNG.randn(2, 3, 4, 4).astype("float32"))
    valid, cross, full, mm, gi, gi_expected, gw, gw_expected, pooled, overlapping, softmax, *more = results
    grouped, unknown_window, normalized, means, tested = more

    def expected(images, mode, flip=1):
        """The convolution by SciPy; `flip` -1 for filters that are not flipped."""
        return np.array(
            [
                [sum(scipy.signal.convolve2d(a, b[::flip, ::flip], mode) for a, b in zip(x, w)) for w in FILTERS[:3]]
                for x in images
            ]
        )

    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    close(valid, expected(IMAGES, "valid"))
    close(full, expected(IMAGES, "full"))
    close(cross, expected(np.pad(IMAGES, [(0, 0), (0, 0), (1, 1), (0, 0)]), "valid", -1)[:, :, ::2])
    close(mm, expected(np.pad(IMAGES, [(0, 0), (0, 0), (0, 0), (1, 1)]), "valid", -1)[:, :, :, ::2])
    close(gi, gi_expected)
    close(gw, gw_expected)
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 2), axis=(2, 3))[:, :, ::2, ::2]
    close(pooled, windows.max(axis=(4, 5)))
    close(overlapping, np.lib.stride_tricks.sliding_window_view(IMAGES, (2, 2), axis=(2, 3)).max(axis=(4, 5)))
    close(softmax, scipy.special.softmax(IMAGES, axis=1))
    close(grouped, [scipy.signal.convolve2d(image[1], FILTERS[1, 0], "valid") for image in IMAGES])
    close(unknown_window, IMAGES[:, :, :3, :2].max(axis=(2, 3)))
    mean, variance = (moment(axis=(0, 2, 3), keepdims=True) for moment in (IMAGES.mean, IMAGES.var))
    close(means, mean)
    close(normalized, (IMAGES - mean) / np.sqrt(variance + 1e-4))
    close(tested, 2 * (IMAGES - 4) / np.sqrt(5 + 1e-4) + 3)


LAYERS = """
import lasagne, numpy as np, theano
from lasagne.layers import Conv2DLayer, InputLayer, MaxPool2DLayer, get_output
from lasagne.layers.dnn import Conv2DDNNLayer, MaxPool2DDNNLayer
images = InputLayer((None, 3, 9, 9))
ours = Conv2DDNNLayer(images, 4, 3, flip_filters=True)
theirs = Conv2DLayer(images, 4, 3, W=ours.W, b=ours.b)
x = np.random.RandomState(0).rand(2, 3, 9, 9).astype(theano.config.floatX)
ours, theirs = theano.function([], get_output([MaxPool2DDNNLayer(ours, 2), MaxPool2DLayer(theirs, 2)], x))()
assert ours.shape == (2, 4, 3, 3) and np.ptp(ours) > 0
np.testing.assert_allclose(ours, theirs, rtol=1e-5)
print(theano.config.device)
"""


def test_lasagnes_layers_for_cudnn_run_in_a_program(tmp_path):
    (tmp_path / "old.py").write_text(LAYERS)
    flags = dict(os.environ, THEANO_FLAGS="floatX=float32,base_compiledir=" + theano.config.base_compiledir)
    command = [sys.executable, "-W", "error::UserWarning", "-m", "mnist_cnn.compat", str(tmp_path / "old.py")]
    process = subprocess.run(command, capture_output=True, text=True, env=flags)
    assert (process.stdout, process.stderr) == ("cpu\n", "")


def test_transfers_and_random_numbers():
    x = T.fmatrix()
    assert basic_ops.host_from_gpu(basic_ops.gpu_from_host(x)) is x
    node = theano.gof.Apply(basic_ops.HostFromGpu(), [x], [x.type()])  # as in a pickled graph
    uniform = CURAND_RandomStreams(seed=3).uniform((4, 5))
    ones = np.ones((2, 3), "float32")
    same, numbers = theano.function([x], [node.outputs[0] * 2, uniform])(ones)
    assert (same == 2 * ones).all() and numbers.shape == (4, 5) and 0 < numbers.min() < numbers.max() < 1
    shared = cuda.shared_constructor(ones, "W")
    assert type(shared) is TensorSharedVariable and shared.dtype == "float32"
    assert cuda.CudaNdarrayType((False, True)) == T.TensorType("float32", (False, True))
    assert not isinstance(shared.type, cuda.CudaNdarrayType) and not dnn.dnn_available()


def test_names_of_lasagne_and_others():
    from theano.sandbox import gpuarray
    from theano.sandbox.cuda.blocksparse import sparse_block_dot_SS
    from theano.sandbox.cuda.neighbours import gpu_images2neibs

    assert gpuarray is theano.gpuarray
    assert sparse_block_dot_SS is T.nnet.blocksparse.sparse_block_dot
    assert gpu_images2neibs is T.nnet.neighbours.images2neibs
    for name in ("corrmm", "dnn"):
        with pytest.raises(ImportError):  # as on a CPU in 2015
            __import__("lasagne.layers." + name)


# --- pickles, as Python 2 wrote them -----------------------------------------------------------


def text(string):
    """The opcode of a byte string of Python 2."""
    return b"U" + bytes([len(string)]) + string.encode()


def array(value):
    """The opcodes of an array, as NumPy 1 pickled it."""
    return pickle.dumps(value, 2).replace(b"numpy._core", b"numpy.core")[2:-1]


def instance(protocol, module, name, /, **state):
    """The opcodes of an instance with a state of opcodes."""
    new = "c{}\n{}\n".format(module, name).encode()
    new = new + b")\x81" if protocol == 2 else b"ccopy_reg\n_reconstructor\n(" + new + b"c__builtin__\nobject\nNtR"
    return new + b"}(" + b"".join(text(key) + value for key, value in state.items()) + b"ub"


def shared_variable(protocol, module, of, kind, unpickler, value, /, **state):
    """A pickled shared variable on a GPU, in the two back-ends' forms."""
    kind = instance(protocol, module, kind, broadcastable=b"(\x89\x89t", name=b"N", **state)
    on_gpu = "c{}\n{}\n".format(module, unpickler).encode() + value
    container = instance(
        protocol,
        "theano.gof.link",
        "Container",
        type=kind,
        name=text("W"),
        storage=b"](" + on_gpu + b"e",
        readonly=b"\x89",
        strict=b"\x89",
        allow_downcast=b"N",
    )
    variable = instance(
        protocol,
        *of,
        type=kind,
        container=container,
        name=text("W"),
        auto_name=text("auto_7"),
        owner=b"N",
        index=b"N",
        tag=instance(protocol, "theano.gof.utils", "scratchpad"),
        get_value_return_ndarray=b"\x88",
    )
    return b"\x80\x02" + variable + b"."


@pytest.mark.parametrize("protocol", [0, 2])
@pytest.mark.parametrize("back_end", ["first", "second"])
def test_pickled_weights_are_read(protocol, back_end):
    weights = RNG.randn(3, 4).astype("float32")
    if back_end == "first":
        module, unpickler = "theano.sandbox.cuda.type", "CudaNdarray_unpickler"
        arguments = b"(" + array(weights) + b"tR"
        of, kind, state = ("theano.sandbox.cuda.var", "CudaNdarraySharedVariable"), "CudaNdarrayType", {}
    else:
        module, unpickler = "theano.gpuarray.type", "GpuArray_unpickler"
        arguments = b"(" + array(weights) + b"NtR"
        of, kind = (module, "GpuArraySharedVariable"), "GpuArrayType"
        state = dict(dtype=text("float32"), typecode=b"K\x0b", context_name=b"N", ndim=b"K\x02")
    bare = b"\x80\x02" + "c{}\n{}\n".format(module, unpickler).encode() + arguments + b"."
    np.testing.assert_array_equal(pickle.loads(bare, encoding="latin1"), weights)

    stream = shared_variable(protocol, module, of, kind, unpickler, arguments, **state)
    variable = pickle.loads(stream, encoding="latin1")
    assert type(variable) is TensorSharedVariable and variable.name == "W"
    assert variable.type == T.fmatrix and variable.container.type == T.fmatrix
    np.testing.assert_array_equal(variable.get_value(), weights)
    step = theano.function([], T.dot(variable, variable.T), updates=[(variable, variable + 1)])
    np.testing.assert_allclose(step(), weights @ weights.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(variable.get_value(), weights + 1)
    again = pickle.loads(pickle.dumps(variable))
    np.testing.assert_array_equal(again.get_value(), weights + 1)
