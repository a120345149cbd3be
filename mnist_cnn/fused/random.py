"""Theano's random numbers, MRG31k3p, in vectors and on all threads: the same numbers."""
import numpy as np
import theano
import theano.tensor as T
from theano import scalar
from theano.compile import optdb
from theano.gof import Apply, local_optimizer
from theano.gof.opt import in2out
from theano.sandbox.rng_mrg import mrg_uniform
from theano.tensor.elemwise import DimShuffle, Elemwise

from .ops import _NativeOp, _tensor

__all__ = ["BernoulliMask", "VectorUniform"]


class VectorUniform(_NativeOp, mrg_uniform):
    """Random numbers between 0 and 1 of MRG31k3p [1]_, as ``MRG_RandomStreams`` draws them.

    Takes the place of Theano's ``mrg_uniform`` and gives the same numbers and states, bit for bit,
    with any number of threads. Its Python version is Theano's own.

    Parameters
    ----------
    output_type : TensorType
        Of the numbers: float32 or float64, of any number of dimensions.
    inplace : bool
        Whether the state is overwritten. Theano's own rule for its generators turns it on where
        nothing else reads the old state later.

    Notes
    -----
    Called with a state, int32 (streams, 6), and a shape, an integer vector. Gives the state to go on
    with and the numbers, of which number i is the next one of stream ``i % streams``.

    References
    ----------
    .. [1] P. L'Ecuyer, R. Touzin: Fast combined multiple recursive generators with multipliers of
       the form a = +/- 2^d +/- 2^e. Winter Simulation Conference 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.random import VectorUniform
    >>> import theano.tensor as T
    >>> state = np.full((1, 6), 12345, np.int32)  # the seed of MRG_RandomStreams, one stream
    >>> following, numbers = VectorUniform(T.fvector)(state, [3])
    >>> numbers.eval()
    array([0.7353244 , 0.6142074 , 0.11007805], dtype=float32)
    """

    header = "bindings/mrg31k3p.h"

    def __init__(self, output_type, inplace=False, openmp=None):
        _NativeOp.__init__(self, openmp)
        mrg_uniform.__init__(self, output_type, inplace)

    def c_support_code(self):
        return ""   # not Theano's

    def c_kind(self, inputs):
        return "mrg31k3p::Uniform()"

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call(
            "mrg31k3p::draw_numpy({kind}, {0}, {1}, {{{p}->ndim, {p}->otypenum, (bool){p}->inplace}}, "
            "&{2}, &{3})".format(*inputs[:2], *outputs, kind=self.c_kind(inputs), p=sub["params"]), sub)


class BernoulliMask(VectorUniform):
    """Random zeros and ones: whether the numbers of `VectorUniform` are less than p.

    Parameters
    ----------
    output_type : TensorType
        Of the mask: float32, of any number of dimensions.
    inplace : bool
        As for `VectorUniform`.

    Notes
    -----
    Called with a state and a shape, as `VectorUniform` is, and the probability of a one, p, a number or
    an expression without dimensions. Gives the state to go on with and the mask.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.random import BernoulliMask
    >>> import theano.tensor as T
    >>> state = np.full((1, 6), 12345, np.int32)
    >>> following, mask = BernoulliMask(T.fvector)(state, [3], .7)
    >>> mask.eval()
    array([0., 1., 1.], dtype=float32)
    """

    def make_node(self, rstate, size, p):
        node = super(BernoulliMask, self).make_node(rstate, size)
        return Apply(self, node.inputs + [_tensor(T.cast(p, "float64"), "p", 0, "float64")],
                     [variable.type() for variable in node.outputs])

    def perform(self, node, inputs, outputs, params):
        super(BernoulliMask, self).perform(node, inputs[:2], outputs, params)
        numbers = outputs[1]
        numbers[0] = np.asarray(numbers[0] < inputs[2], numbers[0].dtype)

    def c_kind(self, inputs):
        return "mrg31k3p::Bernoulli{mrg31k3p::up(*(const double *)PyArray_DATA(%s))}" % inputs[2]


def _only_client(variable, kind):
    """The node that reads a variable, if there is one alone and it is of this elementwise kind."""
    if len(variable.clients) == 1:
        node, _ = variable.clients[0]
        if node != "output" and isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, kind):
            return node
    return None


def _mask(numbers):
    """(mask, p) where nothing is made of numbers but ``cast(numbers < p, "float32")``; else None."""
    less = _only_client(numbers, scalar.LT)
    cast = less and _only_client(less.outputs[0], scalar.Cast)
    if not cast or numbers.dtype != "float32" or cast.outputs[0].dtype != "float32":
        return None
    left, p = less.inputs
    if left is not numbers or not all(p.broadcastable) or p.dtype not in ("float32", "float64"):
        return None
    if isinstance(p, T.TensorConstant):
        return cast.outputs[0], T.constant(p.data.item(), dtype="float64")
    return cast.outputs[0], DimShuffle(p.broadcastable, [])(p)


@local_optimizer([mrg_uniform])
def local_vector_random(node):
    """Replaces Theano's generator on the CPU, with the comparison that makes a mask of its numbers."""
    op = node.op
    if (type(op) is not mrg_uniform or op.output_type.dtype not in ("float32", "float64")
            or not theano.config.cxx):
        return False
    state, numbers = node.outputs
    mask, p = _mask(numbers) or (None, None)
    if mask is None:
        return VectorUniform(op.output_type, op.inplace)(*node.inputs, return_list=True)
    return dict(zip([state, mask], BernoulliMask(op.output_type, op.inplace)(*node.inputs, p)))


# After the GPU's (48.5), before comparison and cast are fused with others (49). Theano's rule that makes its
# generators work in place (99) is for these as well.
optdb.register("mnist_cnn_random", in2out(local_vector_random, ignore_newtrees=True), 48.6,
               "fast_run", "mnist_cnn")
