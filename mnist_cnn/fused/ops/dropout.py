"""Theano Ops for the random numbers of MRG31k3p and masks made of them, in C++: in vectors, on all threads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import theano.tensor as T
from theano.gof import Apply, Generic
from theano.sandbox.rng_mrg import mrg_uniform
from theano.tensor.raw_random import RandomStateType

from .base import NativeOp, checked_tensor

__all__ = ["BernoulliMask", "NumpyMask", "VectorUniform", "binomial"]

# C code takes a RandomState as it takes any Python object, where Theano has none for this type; and the cache of
# compiled modules finds them again in the next process.
for _method in [
    "c_declare",
    "c_init",
    "c_extract",
    "c_cleanup",
    "c_sync",
    "c_code_cache_version",
    "__eq__",
    "__hash__",
]:
    setattr(RandomStateType, _method, getattr(Generic, _method))


def binomial(generator: np.random.RandomState, n: np.ndarray, p: np.ndarray, size: tuple[int, ...] | None) -> Any:
    """The numbers of ``generator.binomial(n, p, size)``, in vectors for n = 1.

    NumPy draws each number by a loop. For n = 1 it takes one uniform number and compares it with a
    rounded 1 - p, and so one number in 2**52 or so may differ.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.dropout import binomial
    >>> ours, numpys = np.random.RandomState(1), np.random.RandomState(1)
    >>> bool((binomial(ours, 1, np.float64(.7), (50, 60)) == numpys.binomial(1, .7, (50, 60))).all())
    True
    """
    p = np.asarray(p, "float64")
    if size is None or np.any(np.not_equal(n, 1)) or not np.all((p >= 0) & (p <= 1)):
        return generator.binomial(n, p, size)
    is_likely = p > 0.5
    fewer = np.where(is_likely, 1 - p, p)
    return (generator.random_sample(size) > 1 - fewer) != is_likely


class VectorUniform(NativeOp, mrg_uniform):
    """Random numbers between 0 and 1 of MRG31k3p [1]_, as ``MRG_RandomStreams`` draws them.

    Takes the place of Theano's ``mrg_uniform`` and gives the same numbers and states, bit for bit,
    with any number of threads. Its Python version is Theano's own.

    Parameters
    ----------
    output_type : TensorType
        The numbers' type: float32 or float64, of any number of dimensions.
    inplace : bool
        Whether the state is overwritten. Theano's own rule for its generators turns it on where
        nothing else reads the old state later.

    Notes
    -----
    Called with a state, int32 (streams, 6), and a shape, an integer vector. Gives the next state and
    the numbers; number i is the next one of stream ``i % streams``.

    References
    ----------
    .. [1] P. L'Ecuyer, R. Touzin: Fast combined multiple recursive generators with multipliers of
       the form a = +/- 2^d +/- 2^e. Winter Simulation Conference 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.dropout import VectorUniform
    >>> import theano.tensor as T
    >>> state = np.full((1, 6), 12345, np.int32)  # the seed of MRG_RandomStreams, one stream
    >>> following, numbers = VectorUniform(T.fvector)(state, [3])
    >>> numbers.eval()
    array([0.7353244 , 0.6142074 , 0.11007805], dtype=float32)
    """

    header = "bindings/mrg31k3p.h"

    def __init__(self, output_type, inplace=False, openmp=None):
        NativeOp.__init__(self, openmp)
        mrg_uniform.__init__(self, output_type, inplace)

    def make_node(self, rstate, size):
        size = T.as_tensor_variable(size)
        if size.dtype not in T.discrete_dtypes:  # () is an empty vector of float64
            size = T.cast(size, "int64")
        return super().make_node(rstate, size)

    def c_support_code(self):
        return ""  # not Theano's

    def c_kind(self, inputs: Sequence[str]) -> str:
        return "mrg31k3p::Uniform()"

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "mrg31k3p::draw_numpy",
            [
                self.c_kind(inputs),
                *inputs[:2],
                "{{{0}->ndim, {0}->otypenum, (bool){0}->inplace}}".format(sub["params"]),
            ],
            outputs,
            sub,
        )


class BernoulliMask(VectorUniform):
    """Random zeros and ones: whether the numbers of `VectorUniform` are less than p.

    Parameters
    ----------
    output_type : TensorType
        The mask's type: float32, of any number of dimensions.
    inplace : bool
        As for `VectorUniform`.

    Notes
    -----
    Called with a state and a shape, as `VectorUniform` is, and the probability of a one, p, a scalar.
    Gives the next state and the mask.
    """

    def make_node(self, rstate, size, p):
        node = super().make_node(rstate, size)
        return Apply(
            self,
            node.inputs + [checked_tensor(T.cast(p, "float64"), "p", 0, "float64")],
            [variable.type() for variable in node.outputs],
        )

    def perform(self, node, inputs, outputs, params):
        super().perform(node, inputs[:2], outputs, params)
        numbers = outputs[1]
        numbers[0] = np.asarray(numbers[0] < inputs[2], numbers[0].dtype)

    def c_kind(self, inputs: Sequence[str]) -> str:
        return "mrg31k3p::Bernoulli{mrg31k3p::up(*(const double *)PyArray_DATA(%s))}" % inputs[2]


class NumpyMask(NativeOp):
    """Random zeros and ones: ``generator.binomial(1, p, size)`` of NumPy's RandomState, in vectors.

    The numbers are those of `binomial`, and the generator goes on as NumPy's does.

    Parameters
    ----------
    output_type : TensorType
        The numbers' type: int64, float32 or float64, of any number of dimensions.
    inplace : bool
        Whether the given generator is advanced, not a copy. An optimization turns it on where nothing
        else reads the generator later.

    Notes
    -----
    Called with a RandomState of MT19937 [1]_, a shape, an integer vector, and the probability of a one, p,
    a scalar. Gives the generator and the numbers.

    References
    ----------
    .. [1] M. Matsumoto, T. Nishimura: Mersenne twister. ACM Transactions on Modeling and Computer
       Simulation 8 (1998).

    Examples
    --------
    >>> from mnist_cnn.fused.ops.dropout import NumpyMask
    >>> from theano.tensor.raw_random import random_state_type
    >>> import numpy as np
    >>> import theano
    >>> import theano.tensor as T
    >>> state = random_state_type()
    >>> draw = theano.function([state], NumpyMask(T.lvector)(state, [8], 0.5)[1])
    >>> draw(np.random.RandomState(1))
    array([0, 1, 0, 0, 0, 0, 0, 0])
    """

    header = "bindings/mt19937.h"
    __props__ = ("output_type", "inplace")

    def __init__(self, output_type, inplace=False):
        super().__init__(openmp=False)  # it has no threads
        self.output_type, self.inplace = output_type, inplace

    @property
    def destroy_map(self) -> dict[int, list[int]]:
        """By output, the inputs whose memory it takes."""
        return {0: [0]} if self.inplace else {}

    def make_node(self, generator, size, p):
        size = T.as_tensor_variable(size)
        p = checked_tensor(T.cast(p, "float64"), "p", 0, "float64")
        return Apply(self, [generator, size, p], [generator.type(), self.output_type()])

    def infer_shape(self, node, shapes):
        return [None, [node.inputs[1][k] for k in range(self.output_type.ndim)]]

    def c_code(self, node, name, inputs, outputs, sub):
        parameters = "{%d, %d, %s}" % (
            self.output_type.ndim,
            np.dtype(self.output_type.dtype).num,
            "true" if self.inplace else "false",
        )
        return self.call("mt19937::draw_numpy", [*inputs, parameters], outputs, sub)
