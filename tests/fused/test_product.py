"""Products of matrices, sparse and dense, against NumPy in double."""

import numpy as np
import pytest
import theano
import theano.tensor as T
from openmp import threads
from theano.tensor.blas import Dot22

from mnist_cnn import model  # noqa: F401  it sets float32
from mnist_cnn.fused.ops.product import (
    DenseDot22,
    DenseDot22Scalar,
    DenseGemm,
    Dot22OfZeros,
    GemmOfZeros,
    SparseProduct,
)


@pytest.fixture(scope="session")
def product():
    """a b and the gradients of sum(g * a b), each by the Op."""
    a, b, g = T.fmatrix("a"), T.fmatrix("b"), T.fmatrix("g")
    c = SparseProduct()(a, b)
    return theano.function([a, b, g], [c] + T.grad(T.sum(g * c), [a, b]))


def factors(m, k, n, dense=0.2, seed=0):
    rng = np.random.RandomState(seed)
    a, b, g = [rng.randn(*shape).astype("float32") for shape in ((m, k), (k, n), (m, n))]
    return a * (rng.rand(m, k) < dense), b, g * (rng.rand(m, n) < dense)


@pytest.mark.parametrize(
    "m, k, n",
    [(50, 512, 256), (50, 256, 10), (500, 512, 256), (1, 1, 1), (3, 7, 130), (17, 33, 64), (2, 0, 3), (0, 4, 5)]
    + [(29, 2100, 17), (13, 40, 1), (100, 30, 65)],
)
def test_equals_numpy(product, m, k, n):
    """The product and both gradients, against NumPy's in double."""
    a, b, g = factors(m, k, n)
    wide = [array.astype(float) for array in (a, b, g)]
    for got, left, right in zip(product(a, b, g), (wide[0], wide[2], wide[0].T), (wide[1], wide[1].T, wide[2])):
        assert got.dtype == np.float32
        wanted = left.dot(right)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * max(1, np.abs(wanted).max(initial=0)))


@pytest.mark.parametrize("m, k, n", [(7, 300, 256), (3, 5, 10), (8, 130, 77)])
def test_rows_without_zeros_have_the_bits_of_single_ones(product, m, k, n):
    """Such rows go together; one alone, or beside rows with zeros, is summed from its list."""
    a, b, g = factors(m, k, n, dense=1)
    together = product(a, b, g)[0]
    a[1::2, k // 2] = 0
    beside = product(a, b, g)[0]
    for i in range(m):
        np.testing.assert_array_equal(product(a[i : i + 1], b, g[i : i + 1])[0][0], beside[i])
    np.testing.assert_array_equal(together[::2], beside[::2])
    np.testing.assert_allclose(together, factors(m, k, n, dense=1)[0].astype(float).dot(b), rtol=0, atol=1e-4)


def test_any_memory_layout(product):
    a, b, g = factors(6, 9, 20)
    want = product(a, b, g)
    strided = [np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3] for array in (a, b, g)]
    for layout in (
        strided,
        [np.asfortranarray(array) for array in (a, b, g)],
        [array[::-1, ::-1].copy()[::-1, ::-1] for array in (a, b, g)],
    ):
        for got, array in zip(product(*layout), want):
            np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["a", "b"])
def test_hides_no_nan(product, where, value):
    """A skipped zero would hide the NaN that 0 * infinity is."""
    a, b, g = factors(5, 6, 70)
    dict(a=a, b=b)[where][3, 2] = value
    with np.errstate(invalid="ignore"):
        want = [a.astype(float).dot(b), g.dot(b.T), a.T.dot(g)]
    for got, array in zip(product(a, b, g), want):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(array))
        np.testing.assert_array_equal(np.isinf(got), np.isinf(array))


@pytest.fixture(scope="session")
def counting():
    """a b, and z + 2 a b in place, each by the Op that counts zeros first; then 2 a b over NaN."""
    a, b, z = T.fmatrix("a"), T.fmatrix("b"), T.fmatrix("z")
    zero, one, two = (T.constant(number, dtype="float32") for number in (0, 1, 2))
    total = GemmOfZeros()(z * 1, two, a, b, one)
    alone = GemmOfZeros()(z * np.float32(np.nan), two, a, b, zero)
    return theano.function(
        [a, b, z], [Dot22OfZeros()(a, b), total, alone], mode=theano.Mode("cvm", None), accept_inplace=True
    )


@pytest.mark.parametrize("dense", [0, 0.2, 0.6, 1])
@pytest.mark.parametrize("m, k, n", [(9, 40, 70), (1, 30, 300), (40, 3, 65), (9, 40, 10), (2, 0, 70), (0, 4, 70)])
def test_counts_zeros_first(counting, m, k, n, dense):
    """In any memory layout, with zeros enough and without, NaN included."""
    a, b, z = factors(m, k, n, dense)
    if k:
        b[k // 2, n // 2] = np.inf
    with np.errstate(invalid="ignore"):
        want = a.astype(float).dot(b)
    for order in (np.ascontiguousarray, np.asfortranarray, lambda v: np.repeat(np.repeat(v, 2, 0), 2, 1)[::2, ::2]):
        got = counting(order(a), order(b), order(z))
        for c, wanted in zip(got, (want, z + 2 * want, 2 * want)):
            np.testing.assert_allclose(c, wanted, rtol=0, atol=1e-4)


def test_does_not_depend_on_threads(product):
    a, b, g = factors(20, 300, 256)
    results = []
    for number in (1, 2, 3, 16):
        with threads(number):
            results.append([array.copy() for array in product(a, b, g)])
    for result in results[1:]:
        for got, want in zip(result, results[0]):
            np.testing.assert_array_equal(got, want)


@pytest.fixture(scope="session")
def shared():
    """a b, 2 a b, and z / 2 + 2 a b in place of a copy of z; and 2 a b in place of NaN."""
    a, b, z = T.fmatrix("a"), T.fmatrix("b"), T.fmatrix("z")
    nothing, half, two = (T.constant(number, dtype="float32") for number in (0, 0.5, 2))
    outputs = [DenseDot22()(a, b), DenseDot22Scalar()(a, b, two), DenseGemm()(z * 1, two, a, b, half)]
    outputs.append(DenseGemm()(z * np.float32(np.nan), two, a, b, nothing))
    return theano.function([a, b, z], outputs, mode=theano.Mode("cvm", None), accept_inplace=True)


@pytest.mark.parametrize(
    "m, k, n",
    [(150, 100, 83), (10, 2880, 100), (700, 33, 40), (1, 900, 700), (20, 300, 40), (3, 257, 50), (5, 6, 7), (9, 0, 4)],
)
def test_dense_products(shared, m, k, n):
    """In any memory layout, of few rows and of many, with more threads than blocks of them and fewer."""
    a, b, z = factors(m, k, n, dense=1)
    want = a.astype(float).dot(b)
    wanted = (want, 2 * want, z / 2 + 2 * want, 2 * want)
    for order in (np.ascontiguousarray, np.asfortranarray, lambda v: v[::-1, ::-1].copy()[::-1, ::-1]):
        for number in (1, 2, 3, 16):
            with threads(number):
                results = [array.copy() for array in shared(order(a), order(b), order(z))]
                again = shared(order(a), order(b), order(z))
            for got, repeated, expected in zip(results, again, wanted):
                limit = 1e-5 * max(1, np.abs(expected).max())
                np.testing.assert_allclose(got, expected, rtol=0, atol=limit)
                np.testing.assert_array_equal(got, repeated)


def test_products_beside_fast_layers_are_shared():
    """And those of a graph without any are not: bits of an unchanged program do not depend on the threads."""
    x, W, V, b = T.fmatrix(), theano.shared(np.eye(3, dtype="float32")), T.fmatrix(), T.fvector()
    alone = theano.function([x, V], T.dot(T.exp(x), V))
    beside = theano.function([x, V, b], T.grad(T.dot(T.tanh(T.dot(T.exp(x), W) + b), V).sum(), W))
    for f, share in ((alone, False), (beside, True)):
        products = [node.op for node in f.maker.fgraph.toposort() if isinstance(node.op, Dot22)]
        assert products
        assert {(type(op), op.openmp) for op in products} == {(DenseDot22, share)}


def test_names_what_does_not_fit(product):
    a, b, g = factors(5, 6, 7)
    with pytest.raises(ValueError, match="b: wanted length 6 along axis 0, got 5"):
        product(a, b[:5], g)
    with pytest.raises(TypeError, match="a: wanted dtype float32, got float64"):
        SparseProduct()(T.dmatrix(), T.fmatrix())
