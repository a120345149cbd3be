"""Sums in double precision on vectors, against exact sums and Theano's own."""

import math

import numpy as np
import pytest
import theano
import theano.tensor as T
from plain import PLAIN

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.fused.ops.double_sum import DoubleSum

#: How programs write what is added, and its exact value.
TERMS = {
    "itself": (lambda x: x.sum(), np.asarray),
    "square": (lambda x: (x**2).sum(), np.square),
    "magnitude": (lambda x: abs(x).sum(), np.abs),
}


def terms_in(compiled):
    return [node.op.term for node in compiled.maker.fgraph.toposort() if isinstance(node.op, DoubleSum)]


@pytest.fixture(scope="module")
def by_both():
    """For each term a function with the Op, found in the graph, and Theano's plain one."""
    x = T.fmatrix("x")
    modes = (theano.compile.get_default_mode(), PLAIN)
    return {name: [theano.function([x], write(x), mode=mode) for mode in modes] for name, (write, _) in TERMS.items()}


@pytest.mark.parametrize("name", TERMS)
def test_exact_to_the_last_bit_but_one(by_both, name):
    """Every layout of the memory, also without any number; more than 1,024 numbers go on vectors."""
    fast, plain = by_both[name]
    assert terms_in(fast) == [name] and terms_in(plain) == []
    numbers = np.random.RandomState(0).randn(91, 1203).astype(np.float32)
    views = [numbers, numbers[:, 5:24], numbers.T, numbers[::2, ::-3], numbers[:0], numbers[:1, :1025]]
    for view in [*views, np.broadcast_to(numbers[:1], (4, 1203))]:
        exact = math.fsum(TERMS[name][1](view).ravel().tolist())
        np.testing.assert_allclose(fast(view), exact, rtol=2**-23)
        assert fast(view).dtype == np.float32 and fast(view).shape == ()


@pytest.mark.parametrize("name", TERMS)
def test_few_numbers_have_theanos_bits(by_both, name):
    fast, plain = by_both[name]
    rng = np.random.RandomState(1)
    for count in [1, 50, 500, 1024]:
        numbers = np.float32(rng.randn(1, count) * 10 ** rng.uniform(-9, 9, count))
        assert fast(numbers).tobytes() == plain(numbers).tobytes()


@pytest.mark.parametrize("name", TERMS)
def test_overflow_and_nan(by_both, name):
    """A square overflows in float32, as Theano's does, though the sum is formed in double precision."""
    fast, plain = by_both[name]
    for value in (3e38, -3e20, np.inf, np.nan):
        numbers = np.zeros((2, 1000), np.float32)
        numbers[1, 7] = value
        np.testing.assert_equal(fast(numbers), plain(numbers))


def test_sums_that_stay():
    """Along an axis, of other types, of a single number; a square that is read elsewhere stays, its sum does not."""
    x, y, s = T.fmatrix("x"), T.dmatrix("y"), T.fscalar("s")
    stays = [x.sum(axis=0), (y**2).sum(), x.sum(dtype="float64"), x.sum(acc_dtype="float32"), s.sum()]
    assert terms_in(theano.function([x, y, s], stays)) == []
    squares = x**2
    compiled = theano.function([x], [squares.sum(), squares])
    assert terms_in(compiled) == ["itself"]
    np.testing.assert_array_equal(compiled(np.float32([[3, 4]]))[0], 25)
