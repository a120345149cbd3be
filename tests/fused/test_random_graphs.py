"""Random graphs as users write them, fast against plain."""
import platform

import pytest

from random_graphs import compare

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"),
                       reason="the fast path is for x86-64 CPUs")]

TOGETHER = 25   # in one function, whose compilation takes most of the time


@pytest.mark.parametrize("start", range(0, 1000, 250))
def test_values_and_gradients_are_the_plain_ones(start):
    taken = 0
    for k, first in enumerate(range(start, start + 250, TOGETHER)):
        taken += compare(range(first, first + TOGETHER), exact=k % 4 > 0)
    assert taken > 250
