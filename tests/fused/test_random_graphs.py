"""Random graphs as users write them, fast against plain.

Three hundred of them, since each takes Theano half a second; ``python tests/fused/random_graphs.py`` makes a thousand.
"""

import platform

import pytest
from random_graphs import FAST, compare

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="the fast path is for x86-64 CPUs"
    ),
]

TOGETHER = 50  # in one function


@pytest.mark.parametrize("start", range(0, 200, TOGETHER))
def test_values_and_gradients_are_the_plain_ones(start):
    exact = start // TOGETHER % 4 > 0
    assert compare(range(start, start + TOGETHER), exact) > 2 * TOGETHER


@pytest.mark.parametrize("exact", [False, True])
def test_with_theanos_own_optimizations(exact):
    """Those of fast_compile come after the fast path's, and all Ops are compiled."""
    assert compare(range(1000, 1010), exact, FAST) > 20
