"""What is said where a device or the compiler is missing; a GPU's tests are beside the benchmark's."""

import os

import pytest

from conftest import ROOT, run_script
from mnist_cnn import compat
from mnist_cnn.system.errors import MnistCnnError


def test_missing_compiler_is_named(tmp_path):
    process = run_script(
        "train.py", "--output", tmp_path / "model.npz", cwd=str(ROOT), env=dict(os.environ, PATH=str(tmp_path))
    )
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "error: Theano needs a C++ compiler (g++); install" in process.stderr
    assert "sudo apt-get install" in process.stderr and "xcode-select" in process.stderr


@pytest.mark.parametrize("name", ["gpu", "gpu0", "CUDA", ""])
def test_unknown_device(name):
    with pytest.raises(MnistCnnError, match="the device is '{}'; it can be cpu, cuda,".format(name)):
        compat.use_device(name)
    assert not compat.on_device()
