"""Devices other than the CPU: real training through Theano's GPU back-end, on PoCL, which runs
OpenCL on the CPU; and what is said where something is missing, with libraries made for it."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import lasagne
import numpy as np
import pytest
import theano

from conftest import run_script
from mnist_cnn import model
from mnist_cnn.benchmarks import device as check_device
from mnist_cnn.compat import gpu
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import trainer
from mnist_cnn.training.callbacks import Checkpoint
from mnist_cnn.training.config import Config

MISSING = [
    what
    for what, there in [
        ("python3-pygpu (for Debian's CPython 3.11)", importlib.util.find_spec("pygpu")),
        ("libgpuarray-dev", os.path.exists("/usr/include/gpuarray/array.h")),
        ("libclblast-dev", gpu._find("libclblast.so")),
        ("ocl-icd-opencl-dev", gpu._find("libOpenCL.so")),
        ("pocl-opencl-icd", os.path.exists("/etc/OpenCL/vendors/pocl.icd")),
    ]
    if not there
]
pytestmark = [pytest.mark.gpu, pytest.mark.slow]

needs_opencl = pytest.mark.skipif(
    bool(MISSING) and not os.environ.get("REQUIRE_OPENCL"),  # .ci/run must not skip them
    reason="NO TEST OF THE GPU BACK-END: install " + ", ".join(MISSING),
)


# --- training on PoCL --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trainings(tmp_path_factory, mnist):
    """Six steps on the CPU, then on PoCL with an empty cache; the folder with their files."""
    folder = tmp_path_factory.mktemp("device")
    dataset = check_device.noisy_digits(mnist)
    np.savez(str(folder / "dataset.npz"), *dataset)
    own_cache = {"THEANO_FLAGS": "base_compiledir=" + str(folder / "cache")}
    for name, environment in (("cpu", {}), ("opencl0:0", own_cache)):
        base = name[:3]
        report, errors = check_device.train_apart(
            name,
            folder / "dataset.npz",
            environment,
            batch_size=50,
            num_epochs=2,
            seed=3,
            engine="plain",
            output=str(folder / (base + ".npz")),
            checkpoint=str(folder / (base + ".checkpoint")),
        )
        assert errors == ""
        (folder / (base + ".txt")).write_text(report)
    return folder


@needs_opencl
def test_steps_agree_with_the_cpus(trainings):
    """Weights, velocities, dropout's generators and the report after six steps."""
    for kind in ("npz", "checkpoint"):
        with np.load(str(trainings / ("cpu." + kind))) as cpu, np.load(str(trainings / ("ope." + kind))) as opencl:
            assert cpu.files == opencl.files
            for name in set(cpu.files) - {"sums", "history"}:  # they hold times
                np.testing.assert_allclose(opencl[name], cpu[name], rtol=1e-5, atol=1e-7)
    report = (trainings / "ope.txt").read_text()
    assert re.search(r"^  \(on opencl0:0: .+\)$", report, re.M)
    numbers = [
        [float(x) for x in re.findall(r":\t+(\S+)", text)] for text in ((trainings / "cpu.txt").read_text(), report)
    ]
    assert len(numbers[0]) == 10 and numbers[1] == pytest.approx(numbers[0], rel=1e-4)


@needs_opencl
def test_the_cpu_goes_on_from_the_devices_checkpoint(trainings, tmp_path):
    with np.load(str(trainings / "dataset.npz")) as file:
        dataset = [file["arr_{}".format(i)] for i in range(6)]
    results = []
    for name in ("cpu.checkpoint", "ope.checkpoint"):
        shutil.copy(str(trainings / name), str(tmp_path / name))
        results.append(
            trainer.train(
                dataset, Config(num_epochs=3, seed=3, engine="plain"), [Checkpoint(tmp_path / name, resume=True)]
            )
        )
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


#: On the device: probabilities by the weights in a file, and two functions to be told apart.
CODE = """
import sys
import numpy as np
from mnist_cnn.system import errors
from mnist_cnn import compat, model
import lasagne, theano, theano.tensor as T

weights, images, output = sys.argv[1:]
compat.use_device("opencl0:0")
x = T.tensor4()
network = model.build_cnn(x)
model.load_weights(weights, network)
probabilities = theano.function([x], lasagne.layers.get_output(network, deterministic=True))
compat.require_on_device(probabilities)
np.save(output, probabilities(np.load(images)))
print(sorted({type(n.op).__name__ for n in probabilities.maker.fgraph.toposort()}))
print(theano.config.device)
mode = theano.compile.get_default_mode().excluding("gpuarray", "gpuarray_opt")
try:
    compat.require_on_device(theano.function([x], x.sum(), mode=mode))
except errors.MnistCnnError as error:
    print(error)
"""


@needs_opencl
def test_weights_of_the_cpu_on_the_device(trainings, mnist, tmp_path):
    np.save(str(tmp_path / "images.npy"), mnist[4][:20])
    out = subprocess.check_output(
        [
            sys.executable,
            "-c",
            CODE,
            str(trainings / "cpu.npz"),
            str(tmp_path / "images.npy"),
            str(tmp_path / "out.npy"),
        ],
        universal_newlines=True,
        env=dict(os.environ, THEANO_FLAGS="base_compiledir=" + str(trainings / "cache")),
    )
    names, name, moved_nothing = out.splitlines()
    assert "GpuPool" in names and "Gpu" in names and "'CorrMM" not in names
    assert name == "opencl0:0" and moved_nothing.startswith("Theano has moved nothing to the dev")
    network = model.build_cnn()
    model.load_weights(trainings / "ope.npz", network)
    x = lasagne.layers.get_all_layers(network)[0].input_var
    on_cpu = lasagne.layers.get_output(network, deterministic=True).eval({x: mnist[4][:20]})
    np.testing.assert_allclose(np.load(str(tmp_path / "out.npy")), on_cpu, rtol=1e-4, atol=1e-6)


# --- what is said where something is missing ---------------------------------------------------

#: Libraries with CUDA's functions that answer as told by -D; libgpuarray asks for more of them.
FAKES = {
    "libcuda.so.1": """
        int cuInit(int flags) { return INIT; }
        int cuDeviceGetCount(int *n) { *n = 1; return 0; }
        int cuDriverGetVersion(int *v) { *v = VERSION; return 0; }
        int cuDeviceGet(int *d, int i) { *d = i; return 0; }
        int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? MAJOR : MINOR; return 0; }
    """,
    "libnvrtc.so.12": """
        int nvrtcVersion(int *a, int *b) { *a = MAJOR; *b = MINOR; return 0; }
        int nvrtcGetNumSupportedArchs(int *n) { *n = 2; return 0; }
        int nvrtcGetSupportedArchs(int *a) { a[0] = 75; a[1] = 90; return 0; }
    """,
    "libcublas.so.12": "int cublasGetProperty(int p, int *v) { *v = p ? 0 : MAJOR; return 0; }",
}


def make(folder, name, **macros):
    """Compile one of those libraries into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            theano.config.cxx,
            "-shared",
            "-fPIC",
            "-x",
            "c",
            "-",
            "-Wl,-soname," + name,
            "-o",
            str(folder / name),
            *("-D{}={}".format(*m) for m in macros.items()),
        ],
        input=FAKES[name],
        text=True,
        check=True,
    )


def driver(folder, init=0, version=12040, capability=(9, 0)):
    make(folder, "libcuda.so.1", INIT=init, VERSION=version, MAJOR=capability[0], MINOR=capability[1])


def message(monkeypatch, folder, ordinal=0):
    """What is said of CUDA where its libraries lie in `folder`."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    with pytest.raises(MnistCnnError) as info:
        gpu._prepare_cuda(ordinal, theano.config.cxx)
    assert "\n" not in str(info.value)
    return str(info.value)


no_driver = pytest.mark.skipif(bool(gpu._find("libcuda.so")), reason="there is a driver here")
no_cuda = pytest.mark.skipif(
    bool(gpu._find("libnvrtc.so") or gpu._find("libcublas.so")), reason="CUDA's libraries are here"
)


@no_driver
@needs_opencl
@pytest.mark.parametrize("how", ["--device", "THEANO_FLAGS"])
def test_no_driver(how, tmp_path):
    """Neither way leads to the CPU."""
    process = run_script(
        "train.py",
        *(["--device", "cuda"] if how == "--device" else []),
        cwd=str(tmp_path),
        env=dict(
            os.environ,
            THEANO_FLAGS="base_compiledir={}{}".format(
                theano.config.base_compiledir, ",device=cuda" if how == "THEANO_FLAGS" else ""
            ),
        ),
    )
    assert process.returncode == 2 and process.stdout == "" and os.listdir(str(tmp_path)) == []
    assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    assert "no NVIDIA driver" in process.stderr and how in process.stderr


def test_driver_without_a_gpu(monkeypatch, tmp_path):
    driver(tmp_path, init=100)
    assert "finds 0 GPU(s)" in message(monkeypatch, tmp_path)


def test_gpu_that_is_not_there(monkeypatch, tmp_path):
    driver(tmp_path)
    assert "finds 1 GPU(s), so there is no cuda3" in message(monkeypatch, tmp_path, 3)


def test_driver_that_fails(monkeypatch, tmp_path):
    driver(tmp_path, init=803)  # CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
    assert "cuInit fails with code 803" in message(monkeypatch, tmp_path)


@pytest.mark.parametrize("capability", [(10, 0), (12, 0)])
def test_newer_gpu_than_libgpuarray_can_name(capability, monkeypatch, tmp_path):
    driver(tmp_path, version=13000, capability=capability)
    assert "compute capability {}.{},".format(*capability) in message(monkeypatch, tmp_path)


@no_cuda
@pytest.mark.parametrize(
    "version, capability, wheels",
    [
        (12040, (9, 0), "'nvidia-cuda-nvrtc-cu12<12.5' 'nvidia-cublas-cu12<13'"),
        (13000, (9, 0), "'nvidia-cuda-nvrtc<13.1' 'nvidia-cublas<14'"),
        (13000, (7, 0), "'nvidia-cuda-nvrtc-cu12<12.10' 'nvidia-cublas-cu12<13'"),
    ],
)
def test_no_nvrtc(version, capability, wheels, monkeypatch, tmp_path):
    driver(tmp_path, version=version, capability=capability)
    assert message(monkeypatch, tmp_path) == (
        "CUDA's library libnvrtc.so is missing; run: {} -m pip install {}".format(sys.executable, wheels)
    )


@no_cuda
@pytest.mark.parametrize(
    "nvrtc, capability, why",
    [
        ((12, 5), (9, 0), r"12\.5, the driver takes up to 12\.4"),
        ((12, 4), (8, 6), r"12\.4, which does not know compute capability 8\.6"),
    ],
)
def test_nvrtc_that_does_not_do(nvrtc, capability, why, monkeypatch, tmp_path):
    driver(tmp_path, capability=capability)
    make(tmp_path, "libnvrtc.so.12", MAJOR=nvrtc[0], MINOR=nvrtc[1])
    (tmp_path / "libnvrtc.so.11").write_bytes(b"no library")
    text = message(monkeypatch, tmp_path)
    assert re.search(r"libnvrtc.so.12 \({}\)".format(why), text)
    assert "libnvrtc.so.11 (" in text and "pip install 'nvidia-cuda-nvrtc-cu12<12.5'" in text


@no_cuda
def test_no_cublas_and_one_too_new(monkeypatch, tmp_path):
    driver(tmp_path)
    make(tmp_path, "libnvrtc.so.12", MAJOR=12, MINOR=4)
    assert message(monkeypatch, tmp_path).startswith("CUDA's library libcublas.so is missing; run")
    make(tmp_path, "libcublas.so.12", MAJOR=13)
    assert "(13.0, the driver takes up to 12.4)" in message(monkeypatch, tmp_path)


#: In a fresh process, for libraries stay loaded: what is found, and what libgpuarray says to it.
LOAD = """
import ctypes, sys
from mnist_cnn import compat
try:
    compat.use_device("cuda")
except Exception as error:
    print(error)
print(compat.device_parts)
print([ctypes.CDLL(name)._name for name in ("libcuda.so", "libnvrtc.so", "libcublas.so")])
"""


@needs_opencl
def test_pips_wheels_are_loaded_by_the_names_libgpuarray_opens(tmp_path):
    """The layout of pip's wheels, no link, no LD_LIBRARY_PATH for them: libgpuarray opens all."""
    driver(tmp_path / "driver")
    make(tmp_path / "site" / "nvidia" / "cuda_nvrtc" / "lib", "libnvrtc.so.12", MAJOR=12, MINOR=3)
    make(tmp_path / "site" / "nvidia" / "cublas" / "lib", "libcublas.so.12", MAJOR=12)
    out = subprocess.check_output(
        [sys.executable, "-c", LOAD],
        universal_newlines=True,
        cwd=str(tmp_path),
        env=dict(
            os.environ,
            LD_LIBRARY_PATH=str(tmp_path / "driver"),
            PYTHONPATH=os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)]),
        ),
    )
    error, parts, names = out.splitlines()
    # it has opened the driver: what it misses is a function that the one made here lacks
    assert error.startswith("cannot use the device cuda:") and "cu" in error
    assert "Could not find symbol" in error
    assert "'NVRTC': '12.3 ({}/site/nvidia/".format(tmp_path) in parts
    assert "'compute capability': '9.0'" in parts
    assert names == "['libcuda.so', 'libnvrtc.so', 'libcublas.so']"


def test_broken_pygpu(tmp_path):
    (tmp_path / "pygpu.py").write_text("raise ImportError('libgpuarray.so.3: no such file')\n")
    process = run_script(
        "train.py",
        "--device",
        "opencl0:0",
        "--output",
        tmp_path / "model.npz",
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), *filter(None, sys.path)])),
    )
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert "pygpu, cannot be imported: libgpuarray.so.3: no such file; on Debian" in process.stderr


@needs_opencl
def test_missing_headers(tmp_path, monkeypatch):
    (tmp_path / "gpuarray").mkdir()
    (tmp_path / "gpuarray" / "array.h").write_text("#error\n")
    monkeypatch.setenv("CPATH", str(tmp_path))
    with pytest.raises(MnistCnnError, match="not libgpuarray's headers .*libgpuarray-dev"):
        gpu._require_pygpu(theano.config.cxx)


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "opencl", "opencl0", "", "CUDA"])
def test_unknown_device(name):
    with pytest.raises(MnistCnnError, match="it can be cpu, cuda,"):
        gpu.prepare(name, theano.config.cxx)


@needs_opencl
@no_driver
@pytest.mark.parametrize(
    "args, what",
    [
        ([], "there is no NVIDIA driver"),
        (["--batch-sizes", "0"], "batch sizes must be from 1"),
        (["--full", "--output", "/proc/nowhere"], "cannot make the folder /proc/nowhere: No such"),
    ],
)
def test_check_device_that_cannot_be(args, what):
    process = run_script("check_device.py", "--examples", 50, "--batch-sizes", 50, *args)
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert process.stderr.startswith("error: " + what) or what in process.stderr


def test_pytorchs_lines_of_the_table(tmp_path):
    """From a PyTorch made up here, or none: the program prints, the table has its lines."""
    lines = check_device._rows_of_torch("false", tmp_path / "none.npz", [50], 1)
    assert lines == ["| PyTorch failed: it printed no error | | | | |"]
    printer = tmp_path / "python"
    result = {
        "what": "PyTorch 9",
        "batch_size": 50,
        "seconds": [9.0, 1.0, 2.0, 4.0],
        "training_seconds": [8.0, 0.9, 1.9, 3.9],
        "validation": 0.5,
        "test": 0.25,
    }
    printer.write_text("#!/bin/sh\necho '{}'\n".format(json.dumps(result)))
    printer.chmod(0o755)
    lines = check_device._rows_of_torch(str(printer), tmp_path / "none.npz", [50], 4)
    assert lines == ["| PyTorch 9 | 50 | 2.000 | 50.00 % | 25.00 % |"]
    lines = check_device._rows_of_torch("/no/python", tmp_path / "none.npz", [50], 1)
    assert lines == ["| cannot run /no/python: No such file or directory | | | | |"]
