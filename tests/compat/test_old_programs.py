"""Old programs as they are, and what Lasagne's master wants besides."""

import os
import subprocess
import sys
import types

import lasagne
import numpy as np

import theano
from mnist_cnn.compat import patches

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
    out = subprocess.check_output(
        [sys.executable, "-m", "mnist_cnn.compat", str(tmp_path / "old.py"), "mlp", "3"],
        universal_newlines=True, env=dict(
            os.environ, THEANORC="",
            THEANO_FLAGS="base_compiledir=" + theano.config.base_compiledir))
    assert out == "__main__ ['mlp', '3'] old.py 7 float64 [[0.0, 2.0]]\n"


def test_program_is_missing():
    process = subprocess.run([sys.executable, "-m", "mnist_cnn.compat"], stderr=subprocess.PIPE,
                             universal_newlines=True)
    assert process.returncode == 1 and "PROGRAM.py" in process.stderr
    assert "Traceback" not in process.stderr


def test_masters_grid_of_points(monkeypatch):
    """Its TPSTransformerLayer counts points with a square root, 4.0."""
    special = types.ModuleType("special")
    special.np = np
    monkeypatch.setattr(lasagne.layers, "TPSTransformerLayer", object, raising=False)
    monkeypatch.setattr(lasagne.layers, "special", special, raising=False)
    patches.mend_lasagne()
    np.testing.assert_array_equal(special.np.linspace(-1, 1, np.sqrt(16)), np.linspace(-1, 1, 4))
    assert special.np.meshgrid is np.meshgrid
