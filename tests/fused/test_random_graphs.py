"""Random graphs as users write them, fast against plain.

Two hundred of them: a thousand take Theano minutes to compile, and these cover every kind. More by
``python tests/fused/random_graphs.py --graphs 3000``.
"""

import platform

import pytest
from random_graphs import compare

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="the fast path is for x86-64 CPUs"
    ),
]

TOGETHER = 25  # in one function


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("start", range(0, 200, 2 * TOGETHER))
def test_values_and_gradients_are_the_plain_ones(start, exact):
    first = start + exact * TOGETHER
    assert compare(range(first, first + TOGETHER), exact) > TOGETHER
