"""A fork after OpenMP has computed, as old programs with multiprocessing do it."""

import multiprocessing
import os
import signal
import sys

import numpy as np
import pytest
import theano
import theano.tensor as T


@pytest.mark.skipif(sys.platform != "linux", reason="GCC's OpenMP on Linux")
def test_children_of_a_process_that_has_computed_compute():
    """Python's fork, a pool's, and a child's child: the parent's bits, where they waited for ever."""
    x = T.fvector()
    total = theano.function([x], T.exp(x).sum())  # tanh has an Op without threads
    numbers = np.linspace(0, 1, 10**6, dtype="f")
    assert any(node.op.openmp for node in total.maker.fgraph.toposort() if hasattr(node.op, "openmp"))
    result = total(numbers)

    def child_is_right(depth):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            same = total(numbers) == result and (not depth or child_is_right(depth - 1))
            os._exit(0 if same else 1)
        return os.waitpid(child, 0)[1] == 0

    assert child_is_right(depth=1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(total, [numbers] * 4).get(timeout=60) == [result] * 4
    assert total(numbers) == result
