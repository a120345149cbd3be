"""Makes a fork after a computation safe: a child would wait for OpenMP threads that it does not have."""

import ctypes
import os

__all__ = ["make_forks_safe"]

_paused = []  # whether OpenMP's threads ended before the fork under way


def _openmp():
    """GCC's OpenMP library where the process has it, or None."""
    try:
        return ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return None


def _before():
    library = _openmp()
    _paused[:] = [True]
    if library is not None:
        # GCC 9 and later; both processes start new threads when they need them
        pause = getattr(library, "omp_pause_resource_all", lambda hard: 1)
        _paused[:] = [pause(2) == 0]


def _in_child():
    library = _openmp()
    if library is not None and not _paused[0]:
        library.omp_set_num_threads(1)


def make_forks_safe() -> None:
    """Have ``os.fork``, and with it multiprocessing, leave OpenMP usable in the child.

    GCC's OpenMP keeps its threads between parallel regions. A forked child has none of them, and its next
    region would never end. So the threads end before a fork. Before GCC 9 the library cannot end them;
    then a child computes on one thread.

    Examples
    --------
    >>> import mnist_cnn  # calls it
    >>> import os
    >>> import numpy as np, theano, theano.tensor as T
    >>> x = T.fvector()
    >>> total = theano.function([x], T.tanh(x).sum())
    >>> result = total(np.ones(10 ** 6, np.float32))  # on all processors
    >>> child = os.fork()
    >>> if child == 0:
    ...     os._exit(int(total(np.ones(10 ** 6, np.float32)) != result))
    >>> os.waitpid(child, 0)[1]
    0
    """
    if hasattr(os, "register_at_fork") and hasattr(os, "RTLD_NOLOAD"):
        os.register_at_fork(before=_before, after_in_child=_in_child)
