"""The mends of Theano 1.0.5 and Lasagne 0.1 for today's Python and NumPy.

================================================================ ============= =================
what breaks                                                      since         mended in
================================================================ ============= =================
``theano.tensor.signal.downsample``, ``theano.sandbox.cuda``     Theano 0.9    `old_theano`
``theano.compat.six``, ``theano.compat.python2x``                Theano 0.8    `old_theano`
pickles of GPU arrays, on the CPU                                ever          `gpu_pickles`
private functions of ``scipy.signal``                            SciPy 1.8     `old_python`
lists of slices as indices: pooling and topk in Python modes     NumPy 1.23    `source_lines`
products of matrices with an empty side                          NumPy 1.23    `source_lines`
``np.float`` and its like                                        NumPy 1.24    `old_numpy`
the functions of SciPy's OpenBLAS are ``scipy_sgemm_`` etc.      SciPy 1.13    `c_code`
``distutils``, ``imp``, ``numpy.distutils``                      Python 3.12   `old_python`
``np.product``, ``np.cast`` and some 60 others                   NumPy 2.0     `old_numpy`
``copy=False``, the inverse of ``unique``, integers that wrap    NumPy 2.0     `old_numpy`
C: ``npy_3kcompat.h``, ``elsize``, complex, MapIter, MAXDIMS     NumPy 2.0     `c_code`
``noprefix.h``: ``theano.tensor.signal.conv``                    NumPy 2.0     `c_code`
numbers that change without an error: copied generators, NEP 50  NumPy 2.0     `source_lines`
orders of ``partition`` and ``argpartition`` differ: topk        NumPy 2.0     `source_lines`
``itemset``, ``tostring``, ``sig="f"``                           NumPy 2.0     `source_lines`
``pkg_resources``                                                setuptools 81 `old_python`
attributes of a Pickler: ``theano.misc.pkl_utils``               Python 3.13   `source_lines`
CorrMM, Corr3dMM have no Python code: FAST_COMPILE, DebugMode     ever          `python_modes`
scan's loop in Python compares arrays instead of addresses       Python 3      `scan_loop`
one process compiles at a time, the others wait for its lock     ever          `shared_cache`
================================================================ ============= =================

Each module registers its mends with `mnist_cnn.compat.import_hooks`.
"""

import functools
import hashlib
from pathlib import Path

# they register themselves
from . import c_code, gpu_pickles, old_numpy, old_python, python_modes, scan_loop, shared_cache, source_lines  # noqa: F401

__all__ = ["digest"]


@functools.cache
def digest() -> str:
    """Eight hexadecimal digits for all mends and NumPy's ABI; compiled modules are keyed by them."""
    sha = hashlib.sha256(b"2" if old_numpy.NUMPY_2 else b"1")
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(path.read_bytes())
    return sha.hexdigest()[:8]
