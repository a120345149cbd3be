"""The kernels' C++ by itself, with every instruction set and sanitizers; processes side by side."""

import os
import platform
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
HEADERS = ROOT / "mnist_cnn" / "fused" / "csrc"
HARNESSES = sorted(path.name for path in (ROOT / "tests" / "fused").glob("*_harness.cpp"))


def build_harness(tmp_path, source, *flags, compiler="g++"):
    if shutil.which(compiler) is None:
        pytest.skip("no {}".format(compiler))
    program = tmp_path / "harness"
    subprocess.run(
        [
            compiler,
            "-std=c++14",
            "-fopenmp",
            "-pthread",
            "-I",
            str(HEADERS),
            *flags,
            str(ROOT / "tests" / "fused" / source),
            "-o",
            str(program),
        ],
        check=True,
    )
    return program


def run_harness(*command):
    done = subprocess.run(
        [str(word) for word in command],
        env=dict(os.environ, OMP_NUM_THREADS="2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not IS_X86, reason="this is no x86-64 processor")
@pytest.mark.parametrize("source", HARNESSES)
@pytest.mark.parametrize(
    "march, feature, width, flags",
    [
        ("x86-64", "sse2", 4, ()),
        ("x86-64-v3", "avx2", 8, ()),
        ("skylake-avx512", "avx512dq", 16, ()),
        # the code for 16 lanes, but for its four instructions, where no processor has them
        ("x86-64-v3", "avx2", 16, ("-DVECTOR_LENGTH=16", "-Wno-psabi")),
    ],
)
def test_instruction_sets(tmp_path, source, march, feature, width, flags):
    """The kernels of each vector width, against a naive reference in double."""
    program = build_harness(tmp_path, source, "-O1", "-march=" + march, *flags)
    with open("/proc/cpuinfo") as f:
        if feature not in f.read().split():
            pytest.skip("this processor has no {}; the kernels compile for it".format(feature))
    assert run_harness(program) == "ok, vectors of {}\n".format(width)


@pytest.mark.slow
@pytest.mark.parametrize("source", HARNESSES)
def test_arm(tmp_path, source):
    """Arm's 64-bit processors, by an emulator where this is none; a share of the convolutions."""
    emulator = []
    if platform.machine().lower() not in ("aarch64", "arm64"):
        names = [name for name in ("qemu-aarch64", "qemu-aarch64-static") if shutil.which(name)]
        if not names:
            pytest.skip("no qemu-aarch64")
        emulator = [names[0], "-L", "/usr/aarch64-linux-gnu"]
    program = build_harness(tmp_path, source, "-O1", compiler="aarch64-linux-gnu-g++" if emulator else "g++")
    assert run_harness(*emulator, program, 29) == "ok, vectors of 4\n"


@pytest.mark.slow
@pytest.mark.parametrize("source", HARNESSES)
def test_sanitizers(tmp_path, source):
    """No access out of bounds, no leak and no undefined behaviour in the kernels; of the convolutions, a third.

    With -g, the reports have numbers of lines; it takes a quarter longer.
    """
    program = build_harness(
        tmp_path,
        source,
        "-O1",
        "-march=native" if IS_X86 else "-mcpu=native",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    )
    run_harness(program, 3)


PROCESS = """
import sys
from mnist_cnn import model, train
import numpy as np
import theano, theano.gof.cmodule, theano.tensor as T
def compile_str(*args, **kwargs):
    raise SystemExit("a module was compiled again: " + args[1][-2000:])
theano.gof.cmodule.GCC_compiler.compile_str = compile_str
x, t = T.tensor4("inputs"), T.ivector("targets")
step, _ = train.compile_functions(model.build_cnn(x), x, t)
rng = np.random.RandomState(0)
for _ in range(50):
    step(rng.rand(50, 1, 28, 28).astype("float32"), rng.randint(0, 10, 50).astype("int32"))
"""


@pytest.mark.slow
def test_two_processes_side_by_side_compile_nothing(training):
    """Both find every module that the training compiled, and neither waits for the other."""
    environment = dict(os.environ, OMP_NUM_THREADS="2", PYTHONPATH=str(ROOT))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS], env=environment, stderr=subprocess.PIPE, universal_newlines=True
        )
        for _ in "ab"
    ]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
