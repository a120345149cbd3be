"""Old programs as they are, each in a process of its own."""

import os
import subprocess
import sys

import theano


def run_python(*args):
    """A fresh process in which Theano's settings are its defaults but for the cache's folder."""
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        env=dict(os.environ, THEANORC="", THEANO_FLAGS="base_compiledir=" + theano.config.base_compiledir),
    )


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
    process = run_python("-c", OLD_PROGRAM)
    assert process.stderr == "" and process.stdout.split() == ["float64"] * 3


PROGRAM = """
import os, sys
import theano, theano.tensor as T
import lasagne
import beside_it
x = T.matrix()
print(__name__, sys.argv[1:], os.path.basename(sys.argv[0]), beside_it.value, x.dtype,
      lasagne.nonlinearities.rectify(x).eval({x: [[-1., 2.]]}).tolist())
"""


def test_a_program_is_run_unchanged(tmp_path):
    (tmp_path / "old.py").write_text(PROGRAM)
    (tmp_path / "beside_it.py").write_text("value = 7\n")
    process = run_python("-m", "mnist_cnn.compat", str(tmp_path / "old.py"), "mlp", "3")
    assert process.stderr == ""
    assert process.stdout == "__main__ ['mlp', '3'] old.py 7 float64 [[0.0, 2.0]]\n"


def test_program_is_missing():
    process = run_python("-m", "mnist_cnn.compat")
    assert process.returncode == 1 and "PROGRAM.py" in process.stderr
    assert "Traceback" not in process.stderr
