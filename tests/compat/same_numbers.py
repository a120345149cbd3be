"""Numbers that must be the same on every Python and NumPy: expressions, draws, layers, a training.

    python tests/compat/same_numbers.py FILE.json.gz

Each entry is an array. The names of those that go through BLAS, or through functions such as exp whose last digit
is the machine's, begin with "rounded"; all others are the same to the bit on every machine.
"""

import gzip
import itertools
import json
import sys
import warnings

import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne import layers
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams

import mnist_cnn  # noqa: F401  before Theano and Lasagne

PYTHON = theano.Mode("py", "fast_compile")
C = theano.Mode("cvm", "fast_run")

FLOATS, INTEGERS = ("float32", "float64"), ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
#: What a NumPy that is 2.0 or later takes for a weak scalar, near the borders of its types.
NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    127,
    128,
    -129,
    255,
    256,
    65535,
    2**31,
    -(2**31),
    2**40,
    0.1,
    3.8,
    0.5,
    -2.5,
    1e-50,
    1e40,
    float("inf"),
    float("nan"),
    True,
)


def _value_of(function):
    """What a function returns, or 'refused'."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # overflow, as is meant
        try:
            return np.asarray(function())
        except (TypeError, OverflowError, ValueError):
            return np.asarray("refused")


def constants():
    """The types of numbers, by each way to make a variable of them, in both precisions."""
    for floatX in FLOATS:
        with theano.configparser.change_flags(floatX=floatX):
            for number in (
                *NUMBERS,
                np.float32(3.8),
                np.float64(3.8),
                np.float64(0.5),
                np.int8(3),
                np.uint8(200),
                np.int64(3),
                np.bool_(True),
                1 + 2j,
            ):
                kind = "np.{}".format(number.dtype) if isinstance(number, np.generic) else type(number).__name__
                yield "constant {} {} {}".format(number, kind, floatX), (_value_of(lambda: T.constant(number).value))
                yield (
                    "scalar {} {} {}".format(number, kind, floatX),
                    (_value_of(lambda: theano.scalar.constant(number).data)),
                )
            yield "list " + floatX, T.constant([1, 2, 3]).value
            yield "floats " + floatX, T.constant([1.0, 2.5]).value
            yield "empty " + floatX, T.constant([]).value


def conversions():
    """What a variable takes for its value: the value, or 'refused'."""
    for dtype in FLOATS + INTEGERS:
        types = {"strict": dict(strict=True), "downcast": dict(allow_downcast=True), "": {}}
        for number, (how, kwargs) in itertools.product(NUMBERS, types.items()):
            for kind, variable in (("tensor", T.scalar(dtype=dtype)), ("number", theano.scalar.Scalar(dtype)())):
                if how == "downcast" and isinstance(number, float) and dtype in INTEGERS and abs(number) > 100:
                    continue  # undefined in C
                yield (
                    "value {} {} {} {}".format(kind, dtype, number, how),
                    (_value_of(lambda: variable.type.filter(number, **kwargs))),
                )


def arithmetic():
    """Every type with every number, in Python, where NumPy chooses types; and some of it in C."""
    operations = {
        "plus": T.add,
        "minus": T.sub,
        "times": T.mul,
        "less than": T.lt,
        "equal to": T.eq,
        "maximum with": T.maximum,
        "over": T.true_div,
    }
    names, inputs, values, outputs = [], [], [], []
    for dtype in FLOATS + INTEGERS:
        x, y = T.vector(dtype=dtype), T.scalar(dtype=dtype)
        inputs += [x, y]
        values += [np.asarray([0, 1, 3, 100], dtype), np.asarray(7, dtype)]
        for number, operation in itertools.product((2, 200, 0.1, 3.8), operations):
            for shape, variable in (("vector", x), ("scalar", y)):
                names.append("{} {} {} {}".format(shape, dtype, operation, number))
                outputs.append(operations[operation](variable, number))
        for other in FLOATS + INTEGERS:
            z = T.scalar(dtype=other)
            inputs.append(z)
            values.append(np.asarray(3, other))
            names.append("{} times scalar {}".format(dtype, other))
            outputs.append(x * z)
    for name, value in zip(names, theano.function(inputs, outputs, mode=PYTHON)(*values)):
        yield "arithmetic " + name, value


def scalar_operations():
    """The scalar Ops' own Python code, on Python's numbers and on NumPy's."""
    scalar = theano.scalar
    for name, op in sorted(vars(scalar).items()):
        if not isinstance(op, scalar.UnaryScalarOp):
            continue
        exact = name in (
            "abs_",
            "neg",
            "inv",
            "sgn",
            "ceil",
            "floor",
            "trunc",
            "sqr",
            "sqrt",
            "invert",
            "identity",
            "isnan",
            "isinf",
            "round_half_to_even",
            "round_half_away_from_zero",
            "cast",
            "second",
        )
        for dtype in ("float32", "float64", "int8", "uint8", "int64"):
            try:
                out = op(scalar.Scalar(dtype)()).dtype
                value = op.impl(np.asarray(0.3 if dtype in FLOATS else 3, dtype)[()])
                python = op.impl(0.3 if dtype in FLOATS else 3)
            except Exception:  # not for this type, on no version
                continue
            for kind, result in (("NumPy's", value), ("Python's", python)):
                if np.asarray(result).dtype.kind in "biufc":
                    yield (
                        "{}{} of {} {}".format("" if exact else "rounded ", name, kind, dtype),
                        (np.asarray(result).astype(out)),
                    )


def elementwise():
    """Elementwise Ops over arrays, in Python and compiled."""
    a, b = T.fvector(), T.dvector()
    i, u = T.bvector(), T.vector(dtype="uint8")
    values = [
        np.float32([0.5, -1.25, 3.75]),
        np.array([0.1, 2.7, -3.5]),
        np.int8([100, -128, 3]),
        np.uint8([200, 3, 0]),
    ]
    outputs = {
        "mixed": a * b + i - u,
        "power": T.sqr(a) * i,
        "inverse": T.inv(a) + T.inv(b),
        "integers": i * 2 + u,
        "division": T.true_div(i, 3),
        "floor": T.int_div(i, 3) + T.int_div(u, 7),
        "remainder": i % 7,
        "clip": T.clip(a, -1, 1) + T.clip(i, -5, 5),
        "switch": T.switch(a > 0, i, b),
        "bits": (i & 15) | (u ^ 3),
        "sums": T.sum(i) + T.sum(u) + T.prod(i),
        "mean": T.mean(i),
        "mean32": T.mean(a),
        "any": T.any(i) + T.all(u),
        "max": T.max(i) + T.min(a),
        "argmax": T.argmax(a),
        "casts": T.cast(b, "int8") + T.cast(i, "uint8"),
        "complex": T.real(T.complex(a, b)) + T.imag(T.complex(a, b)) + T.abs_(T.complex(a * 0 + 3, a * 0 + 4)),
        "rounded tanh": T.tanh(a) + T.exp(b),
        "rounded sigmoid": T.nnet.sigmoid(a) + T.nnet.softplus(b),
    }
    compiled = {name: outputs[name] for name in ("mixed", "complex", "casts", "argmax")}
    for kind, mode, wanted in (("Python", PYTHON, outputs), ("C", C, compiled)):
        results = theano.function([a, b, i, u], list(wanted.values()), mode=mode, on_unused_input="ignore")(*values)
        for name, value in zip(wanted, results):
            yield ("rounded " if "rounded" in name else "") + "elementwise {} {}".format(name, kind), value


def indexing():
    """Sorts, cumulative sums, and indices that come twice."""
    m, i = T.dmatrix(), T.lvector()
    value, index = np.array([[1.0, 5.0, 2.0, 5.0], [7.0, 2.0, -1.0, 0.0], [3.0, 3.0, 3.0, 4.0]]), np.array([1, 1, 2])
    outputs = {
        "argmax": T.argmax(m),
        "argmax of rows": T.argmax(m, axis=1),
        "cumsum": T.extra_ops.cumsum(m),
        "cumprod": T.extra_ops.cumprod(m, axis=1),
        "sort": T.sort(m, axis=1),
        "argsort": T.argsort(m, axis=0),
        "take": m[i],
        "set": T.set_subtensor(m[i], 1.5),
        "add": T.inc_subtensor(m[i], 1.5),
        "add pairs": T.inc_subtensor(m[i, i], 1.5),
        "bincount": T.extra_ops.bincount(i),
        "repeat": T.repeat(m, 2, axis=1),
        "diff": T.extra_ops.diff(m),
        "take int32": m.flatten()[T.cast(i, "int32")],
        "mask": m[T.gt(m, 2).nonzero()],
    }
    compiled = {name: outputs[name] for name in ("argmax", "argmax of rows", "cumsum", "take", "add", "add pairs")}
    for kind, mode, wanted in (("Python", PYTHON, outputs), ("C", C, compiled)):
        results = theano.function([m, i], list(wanted.values()), mode=mode)(value, index)
        for name, value_ in zip(wanted, results):
            yield "indexing {} {}".format(name, kind), value_
    outputs = {"topk": T.topk(m, 2, sorted=False), "unique": T.extra_ops.Unique(True, True, True)(m)[1]}
    for name, value_ in zip(outputs, theano.function([m], list(outputs.values()), mode=PYTHON)(value)):
        yield "indexing " + name, value_


def draws():
    """Draws of both generators, twice each: a draw moves its own generator alone."""
    rng = RandomStreams(3)
    variables = {
        "uniform": rng.uniform((3,)),
        "binomial": rng.binomial((4,), n=5, p=0.3),
        "permutation": rng.permutation(n=5),
        "integers": rng.random_integers((4,), low=2, high=9),
        "choice": rng.choice((3,), a=7),
        "rounded normal": rng.normal((3,)),
        "multinomial": rng.multinomial((2,), n=5, pvals=[0.2, 0.3, 0.5]),
    }
    function = theano.function([], list(variables.values()), mode=PYTHON)
    for number in (1, 2):
        for name, value in zip(variables, function()):
            yield "{}draw {} {}".format("rounded " if "normal" in name else "", name, number), value
    for kind, mode in (("Python", PYTHON), ("C", C)):
        rng = MRG_RandomStreams(7)
        variables = {
            "uniform32": rng.uniform((3,), dtype="float32"),
            "uniform64": rng.uniform((3,), dtype="float64"),
            "binomial": rng.binomial((5,), p=0.3, dtype="int8"),
            "rounded normal": rng.normal((4,), dtype="float64"),
        }
        function = theano.function([], list(variables.values()), mode=mode)
        for number in (1, 2):
            for name, value in zip(variables, function()):
                yield "{}MRG {} {} {}".format("rounded " if "normal" in name else "", name, kind, number), value


def initial_weights():
    """Lasagne's initial weights from a seed."""
    lasagne.random.set_rng(np.random.RandomState(5))
    for name in (
        "GlorotUniform",
        "HeUniform",
        "Uniform",
        "Constant",
        "GlorotNormal",
        "HeNormal",
        "Normal",
        "Sparse",
        "Orthogonal",
    ):
        value = getattr(lasagne.init, name)().sample((8, 6))
        yield ("rounded " if name.endswith(("Normal", "Sparse", "Orthogonal")) else "") + "weights " + name, value


def networks():
    """Three steps of training of a network of Lasagne's layers, by two rules, and recurrent layers: in Python."""
    lasagne.random.set_rng(np.random.RandomState(6))
    rng = np.random.RandomState(7)
    X, t = rng.randn(4, 2, 6).astype(theano.config.floatX), np.array([0, 4, 2, 2])
    for rule in ("adam", "nesterov_momentum"):
        l_in = layers.InputLayer((4, 2, 6))
        network = layers.DenseLayer(layers.DropoutLayer(l_in, 0.3), 7)
        network = layers.DenseLayer(network, 5, nonlinearity=lasagne.nonlinearities.softmax)
        target_var = T.lvector()
        loss = lasagne.objectives.categorical_crossentropy(layers.get_output(network), target_var).mean()
        params = layers.get_all_params(network)
        step = theano.function(
            [l_in.input_var, target_var], loss, mode=PYTHON, updates=getattr(lasagne.updates, rule)(loss, params, 0.01)
        )
        for number in range(3):
            yield "rounded loss {} {}".format(number, rule), step(X, t)
        for number, value in enumerate(layers.get_all_param_values(network)):
            yield "rounded parameter {} {}".format(number, rule), value
    l_in = layers.InputLayer((2, 5, 3))
    network = layers.ConcatLayer([layers.LSTMLayer(l_in, 4), layers.GRULayer(l_in, 3)], axis=2)
    yield (
        "rounded recurrent",
        theano.function([l_in.input_var], layers.get_output(network), mode=PYTHON)(
            rng.randn(2, 5, 3).astype(theano.config.floatX)
        ),
    )


def compute():
    """All entries, from a name to an array.

    Returns
    -------
    dict
    """
    groups = (
        constants,
        conversions,
        arithmetic,
        scalar_operations,
        elementwise,
        indexing,
        draws,
        initial_weights,
        networks,
    )
    entries = {}
    with np.errstate(all="ignore"), theano.configparser.change_flags(floatX="float64"):
        for group in groups:
            for name, value in group():
                assert name not in entries, name
                entries[name] = np.asarray(value)
    return entries


def save(path, entries):
    """Write entries to a file, each as its type, its shape and its bytes."""
    texts = {name: [value.dtype.str, value.shape, value.tobytes().hex()] for name, value in entries.items()}
    with gzip.GzipFile(path, "wb", mtime=0) as file:  # the same bytes each time
        file.write(json.dumps(texts, indent=0).encode())


def load(path):
    """Read the entries that `save` wrote."""
    with gzip.open(path) as file:
        return {
            name: np.frombuffer(bytes.fromhex(data), dtype).reshape(shape)
            for name, (dtype, shape, data) in json.load(file).items()
        }


if __name__ == "__main__":
    save(sys.argv[1], compute())
