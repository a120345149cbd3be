"""What breaks in Theano 1.0.5 and Lasagne 0.1 on today's Python and NumPy, and what is done.

===================================================== ================ ==========================
what breaks                                           since            what is done
===================================================== ================ ==========================
``distutils``, ``imp``, ``pkg_resources`` are gone    Python 3.12      `old_python`
===================================================== ================ ==========================
"""

import functools
import hashlib
from pathlib import Path

from . import c_code, old_numpy, old_python, python_modes, source_lines  # noqa: F401  they register themselves

__all__ = ["digest"]


@functools.lru_cache(maxsize=None)
def digest():
    """Eight hexadecimal digits for all mends and NumPy's ABI; compiled modules are keyed by them.

    Examples
    --------
    >>> from mnist_cnn.compat.mends import digest
    >>> len(digest())
    8
    """
    sha = hashlib.sha256(b"2" if old_numpy.NUMPY_2 else b"1")
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(path.read_bytes())
    return sha.hexdigest()[:8]
