"""OpenMP's number of threads, which the kernels go by."""

import contextlib
import ctypes
import sys


@contextlib.contextmanager
def threads(number):
    """Run with so many threads; where there is no GNU OpenMP, with as many as there are."""
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL("libgomp.so.1")
    before = library.omp_get_max_threads()
    library.omp_set_num_threads(number)
    try:
        yield
    finally:
        library.omp_set_num_threads(before)
