"""What all Ops in C++ have in common: their code is in `csrc`, compiled by Theano for the processor it runs on."""

import copy
import functools
import hashlib
from pathlib import Path

import theano.tensor as T
from theano.gof.op import OpenMPOp

__all__ = ["NativeOp", "checked_tensor", "with_op"]


_SOURCES = Path(__file__).resolve().parent.parent / "csrc"


@functools.cache
def _digest():
    """Hash of all headers: a changed one must not find modules compiled from the old."""
    sha = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.h")):
        sha.update(path.read_bytes())
    return sha.hexdigest()


class NativeOp(OpenMPOp):
    """An Op that is one call of a C++ function from a header of this package.

    A class of it has `header`, and a ``c_code`` that returns what `call` makes of the function's call.

    Examples
    --------
    >>> from mnist_cnn.fused.ops.base import NativeOp
    >>> NativeOp().call("run(x)", {"fail": "goto fail;"})
    'if (run(x)) { goto fail; }'
    """

    header: str | None = None
    check_input = False  # the headers check, and name the argument

    def c_headers(self):
        return super().c_headers() + ['"%s"' % self.header]

    def c_header_dirs(self):
        return [str(_SOURCES)]

    def c_libraries(self):
        return super().c_libraries() + ["pthread"]

    def c_code_cache_version(self):
        # Theano does not see by itself that `params_type` has other fields than before.
        fields = self.params_type.fields if hasattr(self, "params_type") else ()
        return (2, _digest()) + tuple(fields)

    def make_thunk(self, node, storage_map, compute_map, no_recycling, impl=None):
        # There is no Python version; modes that prefer one (FAST_COMPILE) run this one too.
        return super().make_thunk(node, storage_map, compute_map, no_recycling, impl="c")

    def call(self, expression, sub):
        return "if (%s) { %s }" % (expression, sub["fail"])


def with_op(node, op):
    """Apply another Op to a node's inputs; `explain` still knows what part it is of.

    Parameters
    ----------
    node : theano.gof.Apply
    op : theano.gof.Op

    Returns
    -------
    list of Theano variables
        The new node's outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.base import with_op
    >>> import theano.tensor as T
    >>> product, = with_op((T.constant(2) + T.constant(3)).owner, T.mul)
    >>> product.eval().item()
    6
    """
    new = op.make_node(*node.inputs)
    new.tag = copy.copy(node.tag)
    return new.outputs


def checked_tensor(value, name, ndim, dtype):
    """Make a value a Theano variable of a kind.

    Parameters
    ----------
    value : array or Theano variable
    name : str
        What the errors call it.
    ndim : int
    dtype : str

    Returns
    -------
    Theano variable

    Raises
    ------
    TypeError
        When it has other dimensions or another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.base import checked_tensor
    >>> checked_tensor(np.zeros((2, 3)), "x", 2, "float64").type
    TensorType(float64, matrix)
    """
    value = T.as_tensor_variable(value)
    if value.ndim != ndim:
        raise TypeError("%s: wanted %d dimensions, got %d" % (name, ndim, value.ndim))
    if value.dtype != dtype:
        raise TypeError("%s: wanted dtype %s, got %s" % (name, dtype, value.dtype))
    return value
