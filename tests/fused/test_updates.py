"""Updates in one pass, against the rules' formulas in double precision and against plain Theano."""

import pickle

import lasagne.updates as rules
import numpy as np
import pytest
import theano
import theano.tensor as T
from openmp import threads
from theano.compile.debugmode import DebugMode

from mnist_cnn import fused
from mnist_cnn.fused.ops.update import ElementwiseUpdate

pytestmark = pytest.mark.skipif(fused.why_not() is not None, reason=str(fused.why_not()))

SHAPES = [(7,), (3, 1), (40000,), (33, 70), (2, 1, 3, 3), (0, 4)]


def f32(value):
    return np.asarray(value, "float32")


def keras_adam(gradients, params):
    """As Keras 2 writes it on Theano: settings in shared variables, a square root that clips."""
    rate, beta_1, beta_2 = [theano.shared(f32(value)) for value in (0.01, 0.9, 0.999)]
    iterations = theano.shared(np.int64(0))
    t = T.cast(iterations, "float32") + 1
    rate_t = rate * (T.sqrt(T.clip(1.0 - T.pow(beta_2, t), 0.0, np.inf)) / (1.0 - T.pow(beta_1, t)))
    updates = [(iterations, iterations + 1)]
    for p, g in zip(params, gradients):
        m, v = [theano.shared(f32(np.zeros(p.get_value().shape)), broadcastable=p.broadcastable) for _ in range(2)]
        m_t = (beta_1 * m) + (1.0 - beta_1) * g
        v_t = (beta_2 * v) + (1.0 - beta_2) * T.sqr(g)
        updates += [(m, m_t), (v, v_t), (p, p - rate_t * m_t / (T.sqrt(T.clip(v_t, 0.0, np.inf)) + f32(1e-8)))]
    return updates


def keras_sgd(gradients, params):
    """With decay, momentum, and gradients that are clipped by value."""
    rate, momentum, decay = [theano.shared(f32(value)) for value in (0.1, 0.9, 0.01)]
    iterations = theano.shared(np.int64(0))
    lr = rate * (1.0 / (1.0 + decay * T.cast(iterations, "float32")))
    updates = [(iterations, iterations + 1)]
    for p, g in zip(params, gradients):
        m = theano.shared(f32(np.zeros(p.get_value().shape)), broadcastable=p.broadcastable)
        g = T.clip(g, -1.0, 1.0)
        v = momentum * m - lr * g
        updates += [(m, v), (p, p + momentum * v - lr * g)]
    return updates


RULES = {
    "sgd": lambda g, p: rules.sgd(g, p, 0.1),
    "momentum": lambda g, p: rules.momentum(g, p, 0.1, 0.9),
    "nesterov": lambda g, p: rules.nesterov_momentum(g, p, 0.1, 0.9),
    "adagrad": lambda g, p: rules.adagrad(g, p, 0.1),
    "rmsprop": lambda g, p: rules.rmsprop(g, p, 0.1),
    "adadelta": rules.adadelta,
    "adam": lambda g, p: rules.adam(g, p, 0.01),
    "Keras' Adam": keras_adam,
    "Keras' SGD": keras_sgd,
}


def formulas(rule, p, gradients):
    """The parameter after some steps, by the rule's paper, in double precision."""
    p, a, b = p.astype(float), np.zeros(p.shape), np.zeros(p.shape)
    for t, g in enumerate(gradients):
        g = g.astype(float)
        if rule == "sgd":
            p = p - 0.1 * g
        elif rule == "momentum":
            a = 0.9 * a - 0.1 * g
            p = p + a
        elif rule in ("nesterov", "Keras' SGD"):
            rate = 0.1 if rule == "nesterov" else 0.1 / (1 + 0.01 * t)
            g = g if rule == "nesterov" else np.clip(g, -1, 1)
            a = 0.9 * a - rate * g
            p = p + 0.9 * a - rate * g
        elif rule == "adagrad":
            a = a + g**2
            p = p - 0.1 * g / np.sqrt(a + 1e-6)
        elif rule == "rmsprop":
            a = 0.9 * a + 0.1 * g**2
            p = p - 0.1 * g / np.sqrt(a + 1e-6)
        elif rule == "adadelta":
            a = 0.95 * a + 0.05 * g**2
            step = g * np.sqrt(b + 1e-6) / np.sqrt(a + 1e-6)
            b = 0.95 * b + 0.05 * step**2
            p = p - step
        else:  # Adam
            a, b = 0.9 * a + 0.1 * g, 0.999 * b + 0.001 * g**2
            p = p - 0.01 * np.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1)) * a / (np.sqrt(b) + 1e-8)
    return p


def compile_rule(rule, mode=None):
    """(all that is updated, the parameters, a step from gradients)."""
    rng = np.random.RandomState(0)
    params = [
        theano.shared(f32(rng.normal(size=shape)), broadcastable=tuple(n == 1 for n in shape)) for shape in SHAPES
    ]
    gradients = [param.type() for param in params]
    updates = RULES[rule](gradients, params)
    state = list(updates) if isinstance(updates, dict) else [variable for variable, _ in updates]
    return state, params, theano.function(gradients, [], updates=updates, mode=mode)


def nodes_of(function):
    return [node for node in function.maker.fgraph.toposort() if isinstance(node.op, ElementwiseUpdate)]


def gradients_of(seed):
    rng = np.random.RandomState(seed)
    return [f32(rng.normal(size=shape)) for shape in SHAPES]


def whole(op):
    """Bits of all outputs of an Op in place."""
    return 2 ** len(op.results) - 1


@pytest.fixture(scope="module")
def compiled():
    """A rule's functions by name, compiled when first asked for."""
    made = {}

    def get(rule):
        if rule not in made:
            made[rule] = compile_rule(rule)
        return made[rule]

    return get


@pytest.mark.parametrize("rule", RULES)
def test_rules(compiled, rule):
    """One Op for each parameter, in place; values of the formulas and of plain Theano."""
    (state, params, step), (wanted, _, plain) = compiled(rule), compile_rule(rule, "FAST_COMPILE")
    nodes = nodes_of(step)
    assert len(nodes) == len(params) and not nodes_of(plain)
    assert all(node.op.in_place == whole(node.op) for node in nodes)
    assert len({node.op.program for node in nodes}) == 1
    start = [param.get_value() for param in params]
    arrays = [variable for variable in state if variable.ndim]
    addresses = [variable.get_value(borrow=True).ctypes.data for variable in arrays]
    batches = [gradients_of(seed) for seed in range(1, 5)]
    for batch in batches:
        step(*batch)
        plain(*batch)
    for got, want in zip(state, wanted):
        np.testing.assert_allclose(got.get_value(), want.get_value(), rtol=2e-5, atol=2e-6)
    for k, param in enumerate(params):
        np.testing.assert_allclose(
            param.get_value(), formulas(rule, start[k], [g[k] for g in batches]), rtol=1e-4, atol=1e-5
        )
    assert [variable.get_value(borrow=True).ctypes.data for variable in arrays] == addresses


def test_threads_and_memory_layouts(compiled):
    """The same bits with any number of threads, and from views of any strides."""
    state, _, step = compiled("nesterov")
    start, gradients = [variable.get_value() for variable in state], gradients_of(9)

    def result(layout=np.asarray, of_state=np.array):
        for variable, value in zip(state, start):
            variable.set_value(of_state(value), borrow=True)
        before = [g.copy() for g in gradients]
        step(*map(layout, gradients))
        for a, b in zip(gradients, before):
            np.testing.assert_array_equal(a, b)
        return [variable.get_value() for variable in state]

    def apart(a):
        return np.repeat(np.expand_dims(a, -1), 3, axis=-1)[..., 1]

    def transposed(a):
        return np.array(a.T, order="C").T

    def backwards(a):
        there = tuple(slice(None, None, -1) for _ in a.shape)
        return np.array(a[there])[there]

    want = result()
    results = [result(layout) for layout in (apart, transposed, backwards)]
    results += [result(of_state=layout) for layout in (apart, transposed, backwards)]
    for number in (1, 2, 5):
        with threads(number):
            results.append(result())
    for values in results:
        for got, expected in zip(values, want):
            np.testing.assert_array_equal(got, expected)


def test_names_what_does_not_fit(compiled):
    _, _, step = compiled("sgd")
    gradients = gradients_of(1)
    gradients[3] = np.zeros((33, 71), "float32")
    with pytest.raises(ValueError, match=r"mis-match. \(input\[0\].shape\[1\] = 7[01], input\[1\]"):
        step(*gradients)


# --- what else reads old and new values --------------------------------------------------------


@pytest.fixture
def square():
    """(start, shared variables with it): two parameters and a follower."""
    start = f32(np.random.RandomState(0).normal(size=(20, 20)))
    return start, [theano.shared(start, name=name) for name in "pqr"]


def run(outputs, updates, *args, inputs=()):
    step = theano.function(list(inputs), outputs, updates=updates, on_unused_input="ignore")
    return step(*args), nodes_of(step)


def test_all_read_the_old_values(square):
    start, (p, q, _) = square
    _, nodes = run([], [(p, p + 0.5 * q), (q, q * p - p)])
    assert len(nodes) == 1 and nodes[0].op.in_place == 3
    np.testing.assert_allclose(p.get_value(), 1.5 * start, rtol=1e-6)
    np.testing.assert_allclose(q.get_value(), start * start - start, rtol=1e-5, atol=1e-6)


def test_exchanged(square):
    start, (p, q, _) = square
    q.set_value(2 * start)
    run([], [(p, q + 0 * p), (q, p + 0 * q)])
    np.testing.assert_array_equal(p.get_value(), 2 * start)
    np.testing.assert_array_equal(q.get_value(), start)


def test_new_values_are_averaged_and_returned(square):
    """The average of new parameters is of the same pass; a new value may be an output as well."""
    start, (p, q, average) = square
    new = p - 0.1 * q
    (returned,), nodes = run([new], [(p, new), (average, 0.9 * average + 0.1 * new)])
    assert len(nodes) == 1 and len(nodes[0].op.results) == 2
    np.testing.assert_allclose(returned, 0.9 * start, rtol=1e-6)
    np.testing.assert_array_equal(p.get_value(), returned)
    np.testing.assert_allclose(average.get_value(), 0.99 * start, rtol=1e-6)
    p.set_value(0 * start)
    np.testing.assert_allclose(returned, 0.9 * start, rtol=1e-6)  # it is the caller's own


def test_old_values_are_read_elsewhere(square):
    """Before the Op that overwrites them; or with the new ones, and then they are kept."""
    start, (p, q, _) = square
    x = T.fmatrix()
    (product,), nodes = run([T.dot(x, p)], [(p, p - 0.5 * q)], np.eye(20, dtype="float32"), inputs=[x])
    assert [node.op.in_place for node in nodes] == [1]
    np.testing.assert_allclose(product, start, rtol=1e-6)
    p.set_value(start)
    new = p - 0.5 * q
    (product,), nodes = run([T.dot(new, p)], [(p, new), (q, q + new)])
    assert [node.op.in_place for node in nodes] == [2]  # q alone
    np.testing.assert_allclose(product, (0.5 * start).dot(start), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(p.get_value(), 0.5 * start, rtol=1e-6)
    np.testing.assert_allclose(q.get_value(), 1.5 * start, rtol=1e-6)


def test_gradient_is_a_view_of_the_parameter(square):
    start, (p, _, _) = square
    _, nodes = run([], [(p, p - 0.5 * p.T)])
    assert [node.op.in_place for node in nodes] == [0]
    np.testing.assert_allclose(p.get_value(), start - 0.5 * start.T, rtol=1e-5, atol=1e-6)


def test_norms_stay_theanos(square):
    """Of gradients, which come before; and of new values, which come after."""
    start, (p, velocity, q) = square
    updates = rules.nesterov_momentum(rules.total_norm_constraint([p * 2], 1.0), [p], 0.1)
    updates[p] = rules.norm_constraint(updates[p], 0.3)
    _, nodes = run([], updates)
    assert [len(node.op.results) for node in nodes] == [1]  # the velocity
    g = 2 * start / np.linalg.norm(2 * start)
    want = start - 0.1 * g - 0.9 * 0.1 * g
    norms = np.sqrt((want**2).sum(axis=0, keepdims=True))
    np.testing.assert_allclose(p.get_value(), want * np.minimum(1, 0.3 / norms), rtol=1e-4, atol=1e-6)
    new = velocity * 0.5
    _, nodes = run([], [(velocity, new), (q, q - new / T.sqrt(T.sum(new**2)))])
    assert [len(node.op.results) for node in nodes] == [1]
    np.testing.assert_allclose(q.get_value(), start - start / np.linalg.norm(start), rtol=1e-4, atol=1e-6)


def test_what_stays_theanos(square):
    """Other types, rows added to matrices; a number; all without a compiler, or where it is turned off."""
    start, (p, q, _) = square
    wide, count, row = theano.shared(start.astype(float)), theano.shared(f32(3)), theano.shared(start[0])
    updates = [(wide, wide * 2 + p), (count, count + 1), (p, T.cast(p * wide, "float32")), (q, q + row)]
    _, nodes = run([], updates)
    assert not nodes
    np.testing.assert_allclose(q.get_value(), start + start[0], rtol=1e-6)
    mode = theano.compile.get_default_mode()
    assert nodes_of(theano.function([], [], updates=[(q, q + p)], mode=mode))
    for other in (mode.excluding("mnist_cnn"), "FAST_COMPILE"):
        assert not nodes_of(theano.function([], [], updates=[(q, q + p)], mode=other))


def test_copies_and_pickles(square):
    start, (p, q, _) = square
    step = theano.function([], [], updates=[(p, p - 0.5 * q)])
    again = pickle.loads(pickle.dumps(step))
    assert nodes_of(again)
    again()
    np.testing.assert_array_equal(p.get_value(), start)  # it has its own
    np.testing.assert_allclose(again.get_shared()[0].get_value(), 0.5 * start, rtol=1e-6)


def test_debug_mode_finds_nothing(square):
    start, (p, q, average) = square
    updates = rules.momentum([q], [p], 0.1)
    updates[average] = 0.9 * average + 0.1 * updates[p]
    step = theano.function([], [p * 2], updates=updates, mode=DebugMode(check_preallocated_output=""))
    assert [len(node.op.results) for node in nodes_of(step)] == [3]
    (old,) = step()
    np.testing.assert_array_equal(old, 2 * start)
    np.testing.assert_allclose(p.get_value(), start - 0.1 * start, rtol=1e-6)
