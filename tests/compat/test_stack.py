"""The old stack, as a user with other code meets it: in fresh processes, and on scan."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, run_script

import lasagne
import theano
import theano.tensor as T
from theano.tensor.signal.downsample import max_pool_2d

SHOW = ("import mnist_cnn, theano, lasagne; c = theano.config; "
        "print(lasagne.__version__, c.blas.ldflags or '-', c.floatX, c.openmp)")


def run_python(code, cwd=None, **env):
    """Run code in a fresh process with all warnings of ordinary runs shown."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True, env=dict(os.environ, **env))


def base_flags():
    """THEANO_FLAGS that keep the compile cache of this run and nothing else."""
    return "base_compiledir=" + theano.config.base_compiledir


def test_imports_with_a_blas_and_without_a_word(tmp_path):
    process = run_python(SHOW, cwd=str(tmp_path), THEANO_FLAGS=base_flags(), THEANORC="")
    assert process.stderr == ""
    version, blas, floatX, openmp = process.stdout.split()
    assert version == "0.1"
    assert blas.startswith(("-l:libopenblas", "-l:libmkl_rt"))
    assert (floatX, openmp) == ("float64", "True")  # float32 is the scripts' choice


@pytest.mark.parametrize("flags, rc", [
    ("blas.ldflags=-lm,floatX=float32,openmp=False", ""),
    ("", "[global]\nfloatX = float32\nopenmp = False\n[blas]\nldflags = -lm\n")])
def test_what_the_user_set_wins(tmp_path, flags, rc):
    (tmp_path / "rc").write_text(rc)
    process = run_python(SHOW, THEANO_FLAGS=",".join([base_flags(), flags]),
                         THEANORC=str(tmp_path / "rc"))
    assert process.stdout.split() == ["0.1", "-lm", "float32", "False"]


FLOATX = "import mnist_cnn, theano; {}; import mnist_cnn.model; print(theano.config.floatX)"


@pytest.mark.parametrize("flags, statement, expected", [
    ("", "pass", "float32"),
    (",floatX=float64", "pass", "float64"),
    ("", "theano.config.floatX = 'float64'", "float64")])
def test_the_lesson_is_float32_unless_the_user_chose(flags, statement, expected):
    process = run_python(FLOATX.format(statement), THEANO_FLAGS=base_flags() + flags, THEANORC="")
    assert process.stdout.strip() == expected


#: Lasagne's way of 2015, written where Theano's default is float64: nothing is cast.
OLD_PROGRAM = """
import mnist_cnn
import numpy as np
import theano
import theano.tensor as T
import lasagne

rng = np.random.RandomState(0)
X, y = rng.randn(60, 4), rng.randint(0, 3, 60)
X[np.arange(60), y] += 3
input_var, target_var = T.matrix(), T.lvector()
network = lasagne.layers.InputLayer((None, 4), input_var)
network = lasagne.layers.DenseLayer(network, 3, nonlinearity=lasagne.nonlinearities.softmax)
prediction = lasagne.layers.get_output(network)
loss = lasagne.objectives.categorical_crossentropy(prediction, target_var).mean()
params = lasagne.layers.get_all_params(network, trainable=True)
train_fn = theano.function([input_var, target_var], loss,
                           updates=lasagne.updates.adagrad(loss, params, .3))
losses = [train_fn(X, y) for _ in range(50)]
assert losses[-1] < losses[0] / 3, losses
print(losses[0].dtype, params[0].dtype, input_var.dtype)
"""


def test_an_old_program_runs_in_float64():
    process = run_python(OLD_PROGRAM, THEANO_FLAGS=base_flags(), THEANORC="")
    assert process.stderr == "" and process.stdout.split() == ["float64"] * 3


def test_theano_imported_first_is_named():
    process = run_python("import sys; sys.modules['theano'] = sys; import mnist_cnn")
    assert "ImportError: import mnist_cnn before theano" in process.stderr


def test_matrix_product_uses_the_blas():
    # NumPy's fallback would link nothing; the compiled module must name the library
    from theano.tensor.blas import Dot22
    assert any("blas" in lib or "mkl" in lib for lib in Dot22().c_libraries())
    a, b = np.random.RandomState(0).randn(2, 70, 70).astype("float32")
    x, y = T.fmatrices("xy")
    np.testing.assert_allclose(theano.function([x, y], T.dot(x, y))(a, b), a @ b, rtol=1e-4,
                               atol=1e-4)


@pytest.mark.parametrize("mode", ["max", "average_inc_pad", "sum"])
def test_old_pooling_name(mode):
    x = np.random.RandomState(0).randn(2, 3, 6, 9).astype("float32")
    windows = x.reshape(2, 3, 3, 2, 3, 3)
    expected = {"max": np.max, "average_inc_pad": np.mean, "sum": np.sum}[mode](
        windows, axis=(3, 5))
    variable = T.ftensor4()
    pooled = max_pool_2d(variable, ds=(2, 3), ignore_border=True, mode=mode).eval({variable: x})
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


def test_old_code_finds_no_gpu():
    from theano.sandbox import cuda
    from theano.sandbox.cuda import dnn
    assert not cuda.cuda_enabled and not dnn.dnn_available()
    with pytest.raises(ImportError):
        import lasagne.layers.dnn  # noqa: F401


def test_recurrent_layers_run():
    """Lasagne's recurrent layers use scan, whose C loop newer Pythons cannot build."""
    l_in = lasagne.layers.InputLayer((2, 5, 3))
    l_rec = lasagne.layers.RecurrentLayer(
        l_in, num_units=4, nonlinearity=lasagne.nonlinearities.tanh,
        W_in_to_hid=lasagne.init.Uniform(1), W_hid_to_hid=lasagne.init.Uniform(1))
    x = np.random.RandomState(0).randn(2, 5, 3).astype(theano.config.floatX)
    found = lasagne.layers.get_output(l_rec).eval({l_in.input_var: x})
    hidden, W_in, b, W_hid = lasagne.layers.get_all_param_values(l_rec)
    for t in range(5):
        hidden = np.tanh(x[:, t] @ W_in + b + hidden @ W_hid)
        np.testing.assert_allclose(found[:, t], hidden, rtol=1e-4, atol=1e-5)


def test_warm_start_compiles_nothing(tmp_path, training, small_mnist):
    """A second process finds every module of the first: no compiler run that makes one."""
    calls = tmp_path / "calls"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def hook(event, args):\n"
        "    if event == 'subprocess.Popen':\n"
        "        with open({!r}, 'a') as file:\n"
        "            print(args[1], file=file)\n"
        "sys.addaudithook(hook)\n".format(str(calls)))
    process = run_script("train.py", "--epochs", 1, "--batch-size", 5000, "--learning-rate", .03,
                         "--data-dir", small_mnist, "--output", tmp_path / "model.npz",
                         env=dict(os.environ, PYTHONPATH=os.pathsep.join(
                             [str(tmp_path), os.environ.get("PYTHONPATH", "")])))
    assert process.returncode == 0 and process.stderr == ""
    lines = calls.read_text().splitlines()
    assert any("-dumpversion" in line for line in lines)  # the hook sees Theano's processes
    assert [line for line in lines if "-shared" in line or ".cpp" in line] == []


def test_missing_compiler_is_named(tmp_path):
    process = run_script("train.py", "--output", tmp_path / "model.npz", cwd=str(ROOT),
                         env=dict(os.environ, PATH=str(tmp_path)))
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "error: Theano needs a C++ compiler (g++); install" in process.stderr
    assert "sudo apt-get install" in process.stderr and "xcode-select" in process.stderr
