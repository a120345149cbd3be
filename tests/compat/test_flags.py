"""What a user with other code meets before all else: in fresh processes."""

import os
import subprocess
import sys

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


def test_macos_has_a_blas(monkeypatch):
    """Faked: there is no such machine here."""
    from mnist_cnn.compat import flags

    monkeypatch.setattr(sys, "platform", "darwin")
    settings = flags._our_settings({})
    assert settings["blas.ldflags"] == "-Wl,-framework,Accelerate" and "openmp" not in settings
    assert theano.tensor.blas._ldflags(
        settings["blas.ldflags"], libs=False, flags=True, libs_dir=False, include_dir=False
    ) == ["-Wl,-framework,Accelerate"]


def test_matrix_product_uses_the_blas():
    # NumPy's fallback would link nothing; the compiled module must name the library
    from theano.tensor.blas import Dot22

    assert any("blas" in lib or "mkl" in lib for lib in Dot22().c_libraries())
    a, b = np.random.RandomState(0).randn(2, 70, 70).astype("float32")
    x, y = T.fmatrices("xy")
    np.testing.assert_allclose(theano.function([x, y], T.dot(x, y))(a, b), a @ b, rtol=1e-4, atol=1e-4)
