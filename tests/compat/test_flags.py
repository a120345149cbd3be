"""What a user with other code meets before all else: in fresh processes."""

import os
import platform
import re
import subprocess
import sys
import sysconfig

import numpy as np
import pytest
import theano
import theano.tensor as T

SHOW = (
    "import mnist_cnn, theano, lasagne; c = theano.config; "
    "print(lasagne.__version__, c.blas.ldflags or '-', c.floatX, c.openmp)"
)


def run_python(code, cwd=None, **env):
    """Run code in a fresh process with all warnings of ordinary runs shown."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, env=dict(os.environ, **env)
    )


def base_flags():
    """THEANO_FLAGS that keep the compile cache of this run and nothing else."""
    return "base_compiledir=" + theano.config.base_compiledir


def test_imports_with_a_blas_and_without_a_word(tmp_path):
    process = run_python(SHOW, cwd=str(tmp_path), THEANO_FLAGS=base_flags(), THEANORC="")
    assert process.stderr == ""
    version, blas, floatX, openmp = process.stdout.split()
    assert version == "0.1"
    assert blas.startswith(("-l:libopenblas", "-l:libscipy_openblas", "-l:libmkl_rt"))
    assert (floatX, openmp) == ("float64", "True")  # float32 is the scripts' choice


@pytest.mark.parametrize(
    "flags, rc",
    [
        ("blas.ldflags=-lm,floatX=float32,openmp=False", ""),
        ("", "[global]\nfloatX = float32\nopenmp = False\n[blas]\nldflags = -lm\n"),
    ],
)
def test_what_the_user_set_wins(tmp_path, flags, rc):
    (tmp_path / "rc").write_text(rc)
    process = run_python(SHOW, THEANO_FLAGS=",".join([base_flags(), flags]), THEANORC=str(tmp_path / "rc"))
    assert process.stdout.split() == ["0.1", "-lm", "float32", "False"]


FLOATX = "import mnist_cnn, theano; {}; import mnist_cnn.model; print(theano.config.floatX)"


@pytest.mark.parametrize(
    "flags, statement, expected",
    [
        ("", "pass", "float32"),
        (",floatX=float64", "pass", "float64"),
        ("", "theano.config.floatX = 'float64'", "float64"),
    ],
)
def test_the_lesson_is_float32_unless_the_user_chose(flags, statement, expected):
    process = run_python(FLOATX.format(statement), THEANO_FLAGS=base_flags() + flags, THEANORC="")
    assert process.stdout.strip() == expected


def test_theano_imported_first_is_named():
    process = run_python("import sys; sys.modules['theano'] = sys; import mnist_cnn")
    assert "ImportError: import mnist_cnn before theano" in process.stderr


def test_theano_reads_what_the_program_set_before_it_imports_it(tmp_path):
    """As neural-enhance and GRU4Rec do."""
    (tmp_path / "old.py").write_text(
        "import os\nos.environ['THEANO_FLAGS'] += ',floatX=float32'\nimport theano\nprint(theano.config.floatX)\n"
    )
    process = subprocess.run(
        [sys.executable, "-m", "mnist_cnn.compat", str(tmp_path / "old.py")],
        capture_output=True,
        text=True,
        env=dict(os.environ, THEANO_FLAGS=base_flags()),
    )
    assert (process.stdout, process.stderr) == ("float32\n", "")


@pytest.mark.parametrize("version, name", [("13.2.1", None), ("13.3", "sgemm$NEWLAPACK"), ("26.1", "sgemm$NEWLAPACK")])
def test_macos_has_a_blas(monkeypatch, version, name):
    """Faked: there is no such machine here. The names are those of NumPy's npy_cblas.h."""
    from mnist_cnn.compat import flags
    from mnist_cnn.compat.mends import c_code

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: (version, ("", "", ""), "arm64"))
    monkeypatch.setattr(c_code, "_spell", None)
    settings = flags._our_settings({})
    assert settings["blas.ldflags"] == "-Wl,-framework,Accelerate" and "openmp" not in settings
    assert theano.tensor.blas._ldflags(
        settings["blas.ldflags"], libs=False, flags=True, libs_dir=False, include_dir=False
    ) == ["-Wl,-framework,Accelerate"]
    code = theano.tensor.blas_headers.blas_header_text()
    mended = c_code.mend(code)
    assert mended.endswith(code) and re.findall(r"#define sgemm_ (.*)", mended) == ([name] if name else [])


def test_macos_compiles_the_new_names(monkeypatch, tmp_path):
    """A module calls the symbol that Accelerate has, by the compiler that is here."""
    from mnist_cnn.compat.mends import c_code

    monkeypatch.setattr(c_code, "_spell", c_code._accelerate_name)
    code = c_code.mend(theano.tensor.blas_headers.blas_header_text())
    call = 'extern "C" float f(int *n, float *x) { return sdot_(n, x, n, x, n); }'
    (tmp_path / "m.cpp").write_text("#include <Python.h>\n" + code + call)
    include = "-I" + sysconfig.get_paths()["include"]
    subprocess.run([theano.config.cxx, include, "-c", "m.cpp", "-o", "m.o"], cwd=str(tmp_path), check=True)
    assert b"sdot$NEWLAPACK" in (tmp_path / "m.o").read_bytes()


def test_without_sched_getaffinity(monkeypatch):
    """macOS and Windows have none."""
    from mnist_cnn.system import machine

    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.cores() == os.cpu_count()


def test_matrix_product_uses_the_blas():
    # NumPy's fallback would link nothing; the compiled module must name the library
    from theano.tensor.blas import Dot22

    assert any("blas" in lib or "mkl" in lib for lib in Dot22().c_libraries())
    a, b = np.random.RandomState(0).randn(2, 70, 70).astype("float32")
    x, y = T.fmatrices("xy")
    np.testing.assert_allclose(theano.function([x, y], T.dot(x, y))(a, b), a @ b, rtol=1e-4, atol=1e-4)
