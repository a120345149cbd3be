"""Random networks as users write them, fast against plain: values and gradients.

    python tests/fused/random_graphs.py --graphs 3000 --seed 7

The plain side is the graph as written, without optimizations, evaluated by the Python code of Theano's
Ops and convolutions in NumPy. So nothing is compiled for it, and it shares no code with the fast side.
Of that, only the fast Ops are compiled; `--whole` compiles the rest too, after Theano's own optimizations.

The weights and inputs of most are multiples of a quarter, so that sums are exact whatever their
order: values that tie in one graph tie in the other, and so do sums that are zero. Those sums go by
every product: Winograd's algorithm makes of a zero that others cancel to a number close to it.
"""

import argparse
import sys
from unittest import mock

import numpy as np
import theano
import theano.tensor as T
from plain import rows
from theano.gof import Constant, Query
from theano.gof.graph import io_toposort
from theano.tensor.nnet import abstract_conv
from theano.tensor.signal.pool import MaxPoolGrad, pool_2d

from mnist_cnn import model  # noqa: F401  before Theano, which it mends; sets float32
from mnist_cnn.fused.rewrites import convolution, ties

#: Without Theano's fusion, all elementwise operations are ones that are compiled once.
FAST = theano.Mode(linker="cvm", optimizer=Query(include=["fast_compile", "mnist_cnn"], exclude=["fusion"]))
_UNUSED = ["conv2d_no_unused_dx", "conv2d_no_unused_outputs", "no_unused_codes", "no_unused_dx"]
#: The fast path's optimizations alone; of the graph, only its Ops are compiled.
ALONE = theano.Mode(
    linker="py", optimizer=Query(include=["merge", "mnist_cnn", "canonicalize"] + ["local_" + name for name in _UNUSED])
)

SMOOTH = [T.tanh, T.nnet.sigmoid, T.nnet.elu]
BENT = [
    T.nnet.relu,
    lambda z: T.maximum(z, 0),
    lambda z: T.maximum(0, z),
    lambda z: T.switch(z > 0, z, 0),
    lambda z: T.switch(T.lt(0, z), z, 0),
    lambda z: z * (z > 0),
    lambda z: 0.5 * (abs(z) + z),
    lambda z: (z + abs(z)) / 2.0,
    lambda z: 0.625 * z + 0.375 * abs(z),
    lambda z: T.switch(z < 0, z / 4, z),
    lambda z: T.nnet.relu(z, 0.25),
    lambda z: T.maximum(z, 0.25 * z),
    lambda z: T.maximum(0.25 * z, z),
    lambda z: T.switch(z > 0, z, 0.25 * z),
    lambda z: T.switch(z < 0, 0, z),
    lambda z: T.switch(z >= 0, z, 0.25 * z),
    lambda z: T.clip(z, 0, 100),
]


class Network:
    """A random network: an expression, its inputs with their values, and what to differentiate."""

    def __init__(self, rng, exact, dtype="float32"):
        self.rng, self.values, self.extra, self.dtype = rng, [], [], dtype
        self.exact = exact  # all values are small multiples of a power of two
        self.described = []

    def new(self, *shape):
        """A variable, and an array for it."""
        if self.exact:
            array = self.rng.randint(-2, 3, size=shape) / 4.0
            array *= self.rng.rand(*shape) < 0.6
        else:
            array = self.rng.normal(size=shape) * 0.5
        variable = T.TensorType(self.dtype, (False,) * len(shape))()
        self.values.append((variable, array.astype("float32").astype(self.dtype)))
        return variable

    def choose(self, *choices):
        return choices[self.rng.randint(len(choices))]

    def convolution(self, x, shape):
        rng = self.rng
        size = rng.randint(1, 6)
        rows, columns = (size, size) if rng.rand() < 0.85 else (size, rng.randint(1, 6))
        border = self.choose("valid", "valid", "half", "full", 1, (2, 0), (0, 1))
        stride = self.choose((1, 1), (1, 1), (1, 1), (2, 2), (1, 2))
        pads = {"valid": (0, 0), "half": (rows // 2, columns // 2), "full": (rows - 1, columns - 1), 1: (1, 1)}.get(
            border, border
        )
        sides = [n + 2 * p - k for n, p, k in zip(shape[2:], pads, (rows, columns))]
        if min(sides) < 0:
            return x, shape
        filters = int(self.choose(1, 2, 3, 4, 5, 8, 17))
        W = self.new(filters, shape[1], rows, columns)
        hints = {}
        if rng.rand() < 0.7:
            hints = dict(input_shape=(None,) + shape[1:], filter_shape=(filters, shape[1], rows, columns))
        flip = rng.rand() < 0.8
        x = T.nnet.conv2d(x, W, border_mode=border, subsample=stride, filter_flip=flip, **hints)
        shape = (shape[0], filters) + tuple(n // s + 1 for n, s in zip(sides, stride))
        self.described.append(
            "conv{}x{} {} {} flip={} hints={}".format(rows, columns, border, stride, flip, bool(hints))
        )
        kind = rng.randint(5)
        if kind < 3:
            x = x + self.new(filters).dimshuffle("x", 0, "x", "x")
        elif kind == 3 and rng.rand() < 0.3:
            x = x + self.new(*shape[1:]).dimshuffle("x", 0, 1, 2)
            self.described.append("untied")
        return x, shape

    def pooling(self, x, shape):
        size = [int(n) for n in self.rng.randint(1, 4, size=2)]
        if self.rng.rand() < 0.6:
            size = [2, 2]
        stride = self.choose(size, size, size, [1, 1], [2, 1], [3, 3])
        ignore = self.rng.rand() < 0.6
        pad = (0, 0)
        if ignore and self.rng.rand() < 0.2 and min(size) > 1:
            pad = (1, 1)
        mode = self.choose("max", "max", "max", "average_exc_pad", "average_inc_pad", "sum")
        if pad != (0, 0) and mode == "average_exc_pad":
            pad = (0, 0)
        out = T.signal.pool.Pool.out_shape(shape, size, ignore, stride, pad)
        if min(int(n) for n in out[2:]) < 1:
            return x, shape
        x = pool_2d(x, size, ignore_border=ignore, stride=stride, pad=pad, mode=mode)
        if mode != "max":
            self.exact = self.exact and size in ([2, 2], [1, 1], [1, 2], [2, 1]) or mode == "sum"
        self.described.append("pool {} {} {} {} {}".format(size, stride, ignore, pad, mode))
        return x, shape[:2] + tuple(int(n) for n in out[2:])

    def nonlinearity(self, x):
        functions = BENT + ([] if self.exact else SMOOTH)
        k = self.rng.randint(len(functions))
        self.described.append("f{}".format(k))
        return functions[k](x)

    def scaled(self, x, shape):
        """As batch normalization by running averages."""
        mean, scale, beta = (self.new(shape[1]).dimshuffle("x", 0, "x", "x") for _ in range(3))
        self.described.append("scaled")
        return (x - mean) * (scale * 2) + beta

    def batch_norm(self, x, shape):
        self.exact = False
        axes = (0, 2, 3)
        gamma, beta = (self.new(shape[1]).dimshuffle("x", 0, "x", "x") for _ in range(2))
        mean, inv_std = x.mean(axes), T.inv(T.sqrt(x.var(axes) + 0.1))
        if self.rng.rand() < 0.3:
            self.extra.append(mean)
        self.described.append("bn")
        return (x - mean.dimshuffle("x", 0, "x", "x")) * (gamma * inv_std.dimshuffle("x", 0, "x", "x")) + beta

    def build(self):
        rng = self.rng
        shape = (
            int(self.choose(1, 2, 3, 5)),
            int(self.choose(1, 1, 2, 3, 4)),
            int(rng.randint(5, 14)),
            int(rng.randint(5, 14)),
        )
        x = self.new(*shape)
        for _ in range(rng.randint(1, 4)):
            before, shape_before = x, shape
            x, shape = self.convolution(x, shape)
            steps = [("f", 0.7), ("pool", 0.5)]
            if rng.rand() < 0.3:
                steps.reverse()
            if rng.rand() < 0.15:
                x = self.scaled(x, shape)
            elif rng.rand() < 0.15 and not self.exact and np.prod(shape) // shape[1] > 4:
                x = self.batch_norm(x, shape)
            for step, chance in steps:
                if rng.rand() < chance:
                    if step == "f":
                        x = self.nonlinearity(x)
                    else:
                        x, shape = self.pooling(x, shape)
                if rng.rand() < 0.07:
                    self.described.append("read")
                    self.extra.append(x)
            if rng.rand() < 0.2:  # pooled first, then bias and nonlinearity
                x = self.nonlinearity(x + self.new(shape[1]).dimshuffle("x", 0, "x", "x"))
            if shape == shape_before and rng.rand() < 0.5:
                x = x + before
                self.described.append("residual")
            elif rng.rand() < 0.1:
                x, shape = T.concatenate([x, x * 0.5], axis=1), (shape[0], 2 * shape[1]) + shape[2:]
                self.described.append("concat")
        if rng.rand() < 0.6:
            units = int(self.choose(1, 3, 10, 16))
            x = T.dot(x.flatten(2), self.new(int(np.prod(shape[1:])), units))
            if rng.rand() < 0.7:
                x = x + self.new(units)
            if rng.rand() < 0.6:
                x = self.nonlinearity(x)
            self.described.append("dense")
        self.exact = self.exact and rng.rand() < 0.8
        weights = self.new(*([shape[0], 1, 1, 1] if x.ndim == 4 else [shape[0], 1]))
        weights = T.addbroadcast(weights, *range(1, x.ndim))
        loss = (x * weights).sum() + sum((0.25 * e).sum() for e in self.extra)
        if rng.rand() < 0.2:
            loss = loss + (x**2).sum()
        wrt = [variable for variable, _ in self.values if rng.rand() < 0.85]
        gradients = T.grad(loss, wrt, disconnected_inputs="ignore") if wrt else []
        return [x] + self.extra + list(gradients)


# --- the plain side ------------------------------------------------------------------------------


def evaluate(outputs, values):
    """Evaluate a graph by the Python code of its Ops.

    Parameters
    ----------
    outputs : list of Theano variables
    values : dict
        From each input to its array.

    Returns
    -------
    list of arrays
    """
    known = {variable: np.asarray(array) for variable, array in values.items()}
    for node in io_toposort(list(values), outputs):
        inputs = [variable.data if isinstance(variable, Constant) else known[variable] for variable in node.inputs]
        if isinstance(node.op, abstract_conv.BaseAbstractConv):
            results = [_convolution(node.op, *inputs)]
        elif isinstance(node.op, MaxPoolGrad) and any(inputs[-1]):
            results = [_max_pooling_gradient(node, *inputs)]
        else:
            storage = [[None] for _ in node.outputs]
            more = [node.run_params()] if getattr(node.op, "params_type", None) is not None else []
            node.op.perform(node, inputs, storage, *more)
            results = [np.asarray(result) if hasattr(result, "dtype") else result for (result,) in storage]
        known.update(zip(node.outputs, results))
    return [known[variable] for variable in outputs]


def _convolution(op, a, b, shape=None):
    """A convolution of Theano's, or one of its two gradients, in NumPy."""
    forward = isinstance(op, abstract_conv.AbstractConv2d)
    wrt_x = isinstance(op, abstract_conv.AbstractConv2d_gradInputs)
    size = b.shape[2:] if forward else a.shape[2:] if wrt_x else tuple(shape)
    pads = {"valid": (0, 0), "half": [n // 2 for n in size], "full": [n - 1 for n in size]}.get(
        op.border_mode, op.border_mode
    )
    (top, left), (down, across) = pads, op.subsample
    if wrt_x:
        W = a[:, :, ::-1, ::-1] if op.filter_flip else a
        dx = np.zeros((len(b), W.shape[1], shape[0] + 2 * top, shape[1] + 2 * left), a.dtype)
        for i, j in np.ndindex(*size):
            rows = slice(i, i + down * (b.shape[2] - 1) + 1, down)
            columns = slice(j, j + across * (b.shape[3] - 1) + 1, across)
            dx[:, :, rows, columns] += np.tensordot(b, W[:, :, i, j], (1, 0)).transpose(0, 3, 1, 2)
        return dx[:, :, top : top + shape[0], left : left + shape[1]]
    padded = np.pad(a, ((0, 0), (0, 0), (top, top), (left, left)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, (2, 3))[:, :, ::down, ::across]
    if forward:
        W = b[:, :, ::-1, ::-1] if op.filter_flip else b
        return np.tensordot(windows, W, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    dW = np.tensordot(b, windows, ((0, 2, 3), (0, 2, 3)))
    return dW[:, :, ::-1, ::-1] if op.filter_flip else dW


def _max_pooling_gradient(node, x, pooled, gradient, size, stride, pad):
    """Theano's, of images whose padding is minus infinity: in Python, it takes padded windows for larger ones."""
    (top, left), storage = pad, [[None]]
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)), constant_values=-np.inf)
    node.op.perform(node, [padded, pooled, gradient, size, stride, 0 * pad], storage)
    return storage[0][0][:, :, top : top + x.shape[2], left : left + x.shape[3]]


# --- the comparison ------------------------------------------------------------------------------


def in_double(seed, exact):
    """What a network gives in double precision, on the plain path."""
    network = Network(np.random.RandomState(seed), exact, "float64")
    return evaluate(network.build(), dict(network.values))


def agree(fast, plain, size, double):
    """Whether two results are equal but for rounding, of numbers of some size.

    Sums of large terms that cancel are rounded more than their size tells. Where the two differ by
    more than is usual, the fast one may be no further from `double()` than ten times the plain one.
    """
    if fast.shape != plain.shape:
        return False
    if np.allclose(fast, plain, rtol=2e-4, atol=2e-5 * size):
        return True
    true = double()
    return np.abs(fast - true).max() <= 10 * np.abs(plain - true).max()


def compare(seeds, exact, mode=ALONE):
    """Compile networks of seeds in one function, and compare what it gives with the plain networks.

    Parameters
    ----------
    seeds : sequence of int
    exact : bool
    mode : Mode

    Returns
    -------
    int
        Parts that went to the fast path.
    """
    networks, outputs = [], []
    for seed in seeds:
        network = Network(np.random.RandomState(seed), exact)
        outputs.append(network.build())
        networks.append(network)
    pairs = [pair for network in networks for pair in network.values]
    with mock.patch.object(convolution, "are_compared", (lambda *args: True) if exact else ties.are_compared):
        # Without borrow, Theano compiles an Op again for each choice of its outputs that are the function's.
        borrowed = [theano.Out(variable, borrow=True) for variable in sum(outputs, [])]
        function = theano.function([v for v, _ in pairs], borrowed, mode=mode, on_unused_input="ignore")
    results = iter(function(*[a for _, a in pairs]))
    for seed, network, variables in zip(seeds, networks, outputs):
        wanted = evaluate(variables, dict(network.values))
        # what a gradient is made of is as large as its network's other numbers
        size = max([1] + [np.abs(plain).max() for plain in wanted if plain.size])
        for k, (plain, fast) in enumerate(zip(wanted, results)):
            if not agree(np.asarray(fast), plain, size, lambda: in_double(seed, exact)[k]):
                raise AssertionError(
                    "seed {}, output {}: {} differs from {}\n{}".format(
                        seed, k, np.ravel(fast)[:6], plain.ravel()[:6], network.described
                    )
                )
    return sum(row.becomes is not None for row in rows(function))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--together", type=int, default=20, help="in one function")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true", help="compile all of a graph, after Theano's optimizations")
    args = parser.parse_args()
    mode, failed, taken = FAST if args.whole else ALONE, 0, 0
    for start in range(args.seed, args.seed + args.graphs, args.together):
        seeds = range(start, min(start + args.together, args.seed + args.graphs))
        exact = start // args.together % 4 > 0
        try:
            taken += compare(seeds, exact, mode)
        except Exception:
            for seed in seeds:
                try:
                    taken += compare([seed], exact, mode)
                except Exception as error:
                    failed += 1
                    print("seed", seed, type(error).__name__, str(error)[:600], flush=True)
        print("{} graphs, {} parts fast, {} failed".format(start + len(seeds) - args.seed, taken, failed), flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
