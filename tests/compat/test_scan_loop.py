"""scan's loop: to the bit against Theano's own in Python, and against loops in NumPy."""

import functools

import numpy as np
import pytest
import theano
import theano.tensor as T
from theano.gof.vm import VM_Linker
from theano.scan_module.scan_op import Scan
from theano.tensor.shared_randomstreams import RandomStreams

# Theano's optimizations, and nothing to compile: one case below is enough for C.
PYTHON = theano.Mode(VM_Linker(use_cloop=False, c_thunks=False), "fast_run")
scan = functools.partial(theano.scan, mode=PYTHON)


def lasagne_like_cell():
    x, W = T.dtensor3("x"), T.dmatrix("W")
    h, _ = theano.scan(lambda x, h, W: T.tanh(x + T.dot(h, W)), x, T.zeros((x.shape[1], 4), "float64"), W)
    return [x, W], [h, *T.grad(T.sqr(h).sum(), [x, W])]


def several_taps_and_outputs():
    """Taps of sequences and outputs, a state that only its last value is read of, one output without a state."""
    x, y, z = T.dmatrix("x"), T.dmatrix("y"), T.dvector("z")

    def step(before, now, y3, y1, z):
        return before * y3 + now, T.sin(z + y1), now - y3

    (ys, zs, d), _ = scan(
        step, dict(input=x, taps=[-1, 0]), [dict(initial=y, taps=[-3, -1]), z, None], go_backwards=False
    )
    return [x, y, z], [ys, zs[-1], d, *T.grad(T.sqr(ys).sum() + zs[-1].sum(), [x, y, z])]


def numbers():
    x, s = T.dvector("x"), T.dscalar("s")
    (a, b), _ = scan(lambda x, a: (a * x + 1, a - x), x, [s, None], n_steps=5)
    return [x, s], [a, b, *T.grad(a[-1] + b.sum(), [x, s])]


def truncated_gradient():
    x, h = T.dmatrix("x"), T.dvector("h")
    hs, _ = scan(lambda x, h: T.tanh(x + h), x, h, truncate_gradient=3)
    return [x, h], [hs, *T.grad(hs[-1].sum(), [x, h])]


def until():
    x, h = T.dmatrix("x"), T.dvector("h")
    (hs, ys), _ = scan(lambda x, h: ([h + x, h * x], theano.scan_module.until(T.sum(h) > 2)), x, [h, None], n_steps=9)
    return [x, h], [hs, ys, hs.shape[0]]


def last_values():
    """The loop keeps a few rows of each output, and goes around."""
    x, a, b = T.dmatrix("x"), T.dmatrix("a"), T.dvector("b")
    (ys, zs), _ = scan(lambda x, a3, a1, b: (a3 + T.cos(a1 * x), b * x), x, [dict(initial=a, taps=[-3, -1]), b])
    return [x, a, b], [ys[-2:], zs[-1]]


ROWS = np.random.RandomState(0).uniform(0.1, 1, (9, 6))
CASES = {
    lasagne_like_cell: [ROWS.reshape(9, 3, 2).repeat(2, 2), ROWS[:4, :4]],
    several_taps_and_outputs: [ROWS, ROWS[:3], ROWS[0]],
    numbers: [ROWS[:, 0], 0.5],
    truncated_gradient: [ROWS, ROWS[0]],
    until: [ROWS, np.zeros(6)],
    last_values: [ROWS, ROWS[:3], ROWS[1]],
}


def compile_by(loop, build, monkeypatch):
    """A function whose loops run by a function; each compiled loop keeps its own."""
    monkeypatch.setattr(Scan, "execute", loop)
    inputs, outputs = build()
    mode = None if build is lasagne_like_cell else PYTHON
    return theano.function(inputs, outputs, mode=mode, on_unused_input="ignore")


LEAN, THEANOS = Scan.execute, Scan.execute.__wrapped__


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_has_the_bits_of_theanos_loop(build, monkeypatch):
    """Twice: the second call meets the arrays of the first. Then with an array of NaN."""
    values = CASES[build]
    lean, theanos = [compile_by(loop, build, monkeypatch) for loop in (LEAN, THEANOS)]
    for some in (values, [2 * np.asarray(value) for value in values], [values[0] * np.nan, *values[1:]]):
        for got, want in zip(lean(*some), theanos(*some)):
            np.testing.assert_array_equal(got, want, strict=True)


def test_a_linker_that_leaves_updates_to_the_loop(monkeypatch):
    """The gradient's outputs at several taps replace inputs of the inner function."""
    mode, found = theano.Mode("py", "fast_compile"), []
    for loop in (LEAN, THEANOS):
        monkeypatch.setattr(Scan, "execute", loop)
        x, W = T.dtensor3("x"), T.dmatrix("W")
        step = lambda x, h, W: T.tanh(x + T.dot(h, W))
        h, _ = theano.scan(step, x, T.zeros((x.shape[1], 4), "float64"), W, mode=mode)
        function = theano.function([x, W], [h, *T.grad(T.sqr(h).sum(), [x, W])], mode=mode)
        found.append(function(*CASES[lasagne_like_cell]))
    for got, want in zip(*found):
        np.testing.assert_array_equal(got, want, strict=True)


def test_against_numpy(monkeypatch):
    x, y, z = ROWS, ROWS[:3], ROWS[0]
    ys, last, d = compile_by(LEAN, several_taps_and_outputs, monkeypatch)(x, y, z)[:3]
    want, differences = list(y), []
    for t in range(1, len(x)):
        differences.append(x[t] - want[-3])
        z = np.sin(z + want[-1])
        want.append(x[t - 1] * want[-3] + x[t])
    np.testing.assert_allclose(ys, want[3:], rtol=1e-12)
    np.testing.assert_allclose(d, differences, rtol=1e-12)
    np.testing.assert_allclose(last, z, rtol=1e-12)

    hs, products, steps = compile_by(LEAN, until, monkeypatch)(x, np.zeros(6))
    sums = np.cumsum(x, 0)
    assert steps == np.argmax(np.concatenate([np.zeros((1, 6)), sums]).sum(1) > 2) + 1 < 9
    np.testing.assert_allclose(hs, sums[:steps], rtol=1e-12)
    np.testing.assert_allclose(products[1:], sums[: steps - 1] * x[1:steps], rtol=1e-12)


def test_shared_values_and_random_numbers(monkeypatch):
    """A shared variable that each step replaces, and a generator that goes on from call to call."""
    found = []
    for loop in (LEAN, THEANOS):
        monkeypatch.setattr(Scan, "execute", loop)
        total, draws = theano.shared(np.zeros(3)), RandomStreams(5)

        def step(x):
            return x + draws.uniform((3,)), {total: total + x}

        x = T.dmatrix("x")
        ys, updates = theano.scan(step, x)
        function = theano.function([x], ys, updates=updates)
        found.append([function(ROWS[:, :3]), function(ROWS[:, :3]), total.get_value()])
    for got, want in zip(*found):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(found[0][2], 2 * ROWS[:, :3].sum(0), rtol=1e-12)
    assert not np.array_equal(found[0][0], found[0][1])


def test_arrays_without_rows_or_columns(monkeypatch):
    function = compile_by(LEAN, lasagne_like_cell, monkeypatch)
    for shape in ((7, 0, 4), (7, 3, 4)):
        h, dx, dW = function(np.ones(shape), np.eye(4))
        assert h.shape == dx.shape == shape and dW.shape == (4, 4)


def test_errors_are_theanos():
    x, n = T.dmatrix("x"), T.lscalar("n")
    ys, _ = theano.scan(lambda x: T.dot(x, T.eye(3)), x, n_steps=n)
    function = theano.function([x, n], ys)
    with pytest.raises(NotImplementedError, match="0 iteration"):
        function(ROWS, 0)
    with pytest.raises(IndexError, match="negative number of step -2"):
        function(ROWS, -2)
    with pytest.raises(ValueError, match="Sequence is shorter"):
        function(ROWS, 10)
    with pytest.raises(ValueError, match="Apply node that caused the error"):  # 6 columns, and a matrix of 3 rows
        function(ROWS, 2)
    np.testing.assert_array_equal(function(ROWS[:, :3], 4), ROWS[:4, :3])


def test_an_output_must_keep_its_shape():
    y = T.dvector("y")
    ys, _ = theano.scan(lambda y: T.concatenate([y, y]), outputs_info=y, n_steps=3)
    with pytest.raises(ValueError):
        theano.function([y], ys)(np.ones(2))


def test_profile_counts_the_steps():
    x, y = T.dvector("x"), T.dscalar("y")
    ys, _ = theano.scan(lambda x, y: x + y, x, y, profile=True)
    function = theano.function([x, y], ys)
    (loop,) = [node.op for node in function.maker.fgraph.toposort() if isinstance(node.op, Scan)]
    loop.fn.maker.profile.callcount = loop.fn.maker.profile.nbsteps = 0
    function(np.ones(7), 0)
    function(np.ones(5), 0)
    assert (loop.fn.maker.profile.callcount, loop.fn.maker.profile.nbsteps) == (2, 12)
    assert loop.fn.maker.profile.call_time >= loop.fn.maker.profile.vm_call_time > 0
