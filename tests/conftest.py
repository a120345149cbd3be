"""What the tests share: real MNIST, one trained model, compiled functions."""

import ctypes
import filecmp
import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
# Tests that run side by side have a home each, so that no test sees another's files there, and share the compile cache.
worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
if worker != "gw0":
    home, cache = Path.home() / ".cache" / "mnist_cnn-tests" / worker, Path.home() / ".theano"
    home.mkdir(parents=True, exist_ok=True)
    cache.mkdir(exist_ok=True)
    if not (home / ".theano").exists():
        (home / ".theano").symlink_to(cache)
    os.environ["HOME"] = str(home)

import lasagne  # noqa: E402
import theano.tensor as T  # noqa: E402

from mnist_cnn import data, model, train  # noqa: E402
from mnist_cnn.benchmarks.peers import FRAMEWORKS, find_peers  # noqa: E402

#: The library that shares the kernels' work out to threads.
OPENMP = ctypes.CDLL("libgomp.so.1")


@pytest.fixture(autouse=True)
def same_environment():
    """Every test leaves the environment and OpenMP's number of threads as they were: Dask and sweeps set them."""
    before, threads = dict(os.environ), OPENMP.omp_get_max_threads()
    yield
    OPENMP.omp_set_num_threads(threads)
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def same_files(one, other):
    """Whether two files have the same bytes; pytest compares two long strings for hours."""
    return filecmp.cmp(str(one), str(other), shallow=False)


def idx_bytes(array):
    """An unsigned-byte array in IDX format."""
    return struct.pack(">BBBB{}I".format(array.ndim), 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_dataset(folder, images, labels, test_images, test_labels):
    """The four files of a data set; images uint8 (n, 28, 28), labels uint8 (n,)."""
    for name, array in (
        ("train-images-idx3-ubyte", images),
        ("train-labels-idx1-ubyte", labels),
        ("t10k-images-idx3-ubyte", test_images),
        ("t10k-labels-idx1-ubyte", test_labels),
    ):
        (folder / (name + ".gz")).write_bytes(gzip.compress(idx_bytes(array), 1))


def run_script(name, *args, **kwargs):
    """Run one of the scripts as a user does."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *map(str, args)], capture_output=True, text=True, **kwargs
    )


#: Options with which the small data are learned in seconds.
SHORT = dict(batch_size=50, learning_rate=0.03, seed=7)


def as_options(**values):
    """The words of a command line: ``batch_size=50`` is ``--batch-size 50``."""
    return [word for name, value in values.items() for word in ("--" + name.replace("_", "-"), value)]


@pytest.fixture(scope="session")
def mnist():
    """The whole data set: X_train, y_train, X_val, y_val, X_test, y_test."""
    return data.load_dataset()


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory, mnist):
    """A folder with 5,000 + 10,000 training and 1,000 test digits of MNIST."""
    folder = tmp_path_factory.mktemp("small_mnist")
    X_train, y_train, X_val, y_val, X_test, y_test = mnist
    pixels = lambda X: np.uint8(X[:, 0] * 256)
    write_dataset(
        folder,
        pixels(np.concatenate([X_train[:5000], X_val])),
        np.concatenate([y_train[:5000], y_val]),
        pixels(X_test[:1000]),
        y_test[:1000],
    )
    return folder


@pytest.fixture(scope="session")
def training(tmp_path_factory, small_mnist):
    """A real, short training by the script: the finished process, and the model's path."""
    output = tmp_path_factory.mktemp("training") / "model.npz"
    options = as_options(epochs=2, **SHORT, data_dir=small_mnist, output=output)
    process = run_script("train.py", *options, "--snapshots")
    return process, output


@pytest.fixture(scope="session")
def cnn(training):
    """The trained network, its input variable, and its compiled validation function."""
    input_var, target_var = T.tensor4("inputs"), T.ivector("targets")
    network = model.build_cnn(input_var)
    model.load_weights(training[1], network)
    _, val_fn = train.compile_functions(network, input_var, target_var)
    return network, input_var, val_fn


@pytest.fixture(scope="session")
def python_with():
    """A function from a peer's program to a Python that can run it: this one, or one in MNIST_CNN_PEERS."""
    pythons = [sys.executable, *filter(None, os.environ.get("MNIST_CNN_PEERS", "").split(os.pathsep))]
    found = {program: python for python, program in find_peers(pythons)}

    def python_with(program):
        if program not in found:
            pytest.skip("no Python here has {}".format(" and ".join(FRAMEWORKS[program])))
        return found[program]

    return python_with


@pytest.fixture
def fixed_rng():
    """Lasagne's generator set to a seed, and set back afterwards."""
    before = lasagne.random.get_rng()
    lasagne.random.set_rng(np.random.RandomState(1))
    yield
    lasagne.random.set_rng(before)
