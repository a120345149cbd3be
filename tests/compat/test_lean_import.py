"""What makes the start short, and what must not be lost by it."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import theano

from conftest import run_script
from mnist_cnn.compat import lean_import

IMPORTS = """
import sys
import mnist_cnn, theano, lasagne
print(*[name for name in ("scipy.stats", "scipy.special", "scipy.signal", "theano.gpuarray",
                          "distutils", "setuptools", "pkg_resources") if name in sys.modules])
empty = [name for name, module in sys.modules.items() if name.startswith("scipy")
         for value in vars(module).values()
         if type(value) is type(sys) and getattr(value, "__spec__", None) is None]
print(*empty)

import theano.tensor as T
x = T.dscalar()
print(theano.ifelse.__name__, T.slinalg.__name__, T.nnet.neighbours.__name__)
print("%.6f" % T.erf(x).eval({x: .5}), "%.6f" % theano.scalar.basic_scipy.chi2sf.impl(1., 1.))
import setuptools  # warns where it finds another distutils
print(theano.gpuarray.pygpu_activated)
import theano.gpuarray.linalg, theano.tests, theano.tensor.slinalg
print(theano.tensor.slinalg.imported_scipy, hasattr(theano, "gpuarrays"))
"""


def test_what_is_not_imported_is_there_when_used(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        capture_output=True,
        text=True,
        env=dict(os.environ, THEANO_FLAGS="base_compiledir=" + theano.config.base_compiledir),
    )
    assert process.stderr == ""
    modules = "theano.ifelse theano.tensor.slinalg theano.tensor.nnet.neighbours"
    assert process.stdout.splitlines() == ["", "", modules, "0.520500 0.317311", "False", "True False"]


COMPILE = """
import mnist_cnn, theano, theano.tensor as T
x = T.fmatrix()
theano.function([x], T.tanh(x) * 2, mode=theano.Mode("cvm", "fast_run"))
print(theano.config.compiledir, theano.gof.cmodule.GCC_compiler.march_flags)
"""


@pytest.mark.slow
def test_the_compiler_is_asked_once(tmp_path):
    """Its answers are kept, and forgotten where they are damaged or the compiler is another."""
    log, compiler = tmp_path / "log", tmp_path / "g++"
    compiler.write_text('#!/bin/sh\necho "$@" >> \'{}\'\nexec g++ "$@"\n'.format(log))
    compiler.chmod(0o755)

    def start():
        """The cache's folder, the processor's flags, and whether the compiler was asked."""
        log.write_text("")
        out = subprocess.check_output(
            [sys.executable, "-c", COMPILE],
            universal_newlines=True,
            env=dict(
                os.environ,
                THEANO_FLAGS="openmp_elemwise_minsize=0,base_compiledir={},cxx={}".format(tmp_path / "cache", compiler),
            ),
        )
        folder, flags = out.strip().split(" ", 1)
        return Path(folder), flags, "-march=native" in log.read_text()

    folder, flags, asked = start()
    assert asked and "-march=" in flags
    assert start() == (folder, flags, False)
    (folder / "compiler.json").write_text('{"compiler": ')
    assert start() == (folder, flags, True)
    os.utime(str(compiler), (1, 1))
    assert start() == (folder, flags, True)
    assert start() == (folder, flags, False)
    assert [path.name for path in folder.iterdir() if path.name.startswith("compiler-")] == []


@pytest.mark.parametrize(
    "machine, cxxflags, refused, flags",
    [
        ("aarch64", "-O3", "-march=native", ["-mcpu=native"]),
        ("arm64", "-O3", "=native", []),
        ("ppc64le", "-O3 -mcpu=power9", "nothing", []),
        ("x86_64", "-O3", "-mcpu=native", ["-march=native"]),
    ],
)
def test_flags_of_other_processors(tmp_path, monkeypatch, machine, cxxflags, refused, flags):
    """What a compiler takes of "the processor at hand"; nothing beside the user's own choice."""
    compiler = tmp_path / "g++"  # x86's takes -mcpu=native, with a warning
    compiler.write_text('#!/bin/sh\ncase "$*" in *{}*) exit 1; esac\nexec g++ "$@"\n'.format(refused))
    compiler.chmod(0o755)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(theano.config, "cxx", str(compiler))
    monkeypatch.setattr(theano.config.gcc, "cxxflags", cxxflags)
    assert lean_import._flags_of_processor() == flags


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("clang++") is None, reason="there is no Clang here")
def test_clang_compiles_all(small_mnist, tmp_path):
    """From an empty cache; Theano's own flags for it are none that it knows."""
    process = run_script(
        "train.py",
        "--epochs",
        1,
        "--data-dir",
        small_mnist,
        cwd=str(tmp_path),
        env=dict(
            os.environ, THEANO_FLAGS="cxx={},base_compiledir={}".format(shutil.which("clang++"), tmp_path / "cache")
        ),
    )
    assert process.returncode == 0 and "(plain Theano operations" not in process.stdout, process.stderr
