"""The base of all Ops in C++: their code is in `csrc`, and Theano compiles it for the processor at hand."""

import copy
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import theano.tensor as T
from theano.gof import Apply, Variable
from theano.gof.op import OpenMPOp
from theano.gradient import DisconnectedType

__all__ = ["DifferentiableOp", "GradientOp", "NativeOp", "checked_tensor", "is_disconnected", "with_changes"]


_SOURCES = Path(__file__).resolve().parent.parent / "csrc"


@functools.cache
def _digest():
    """Hash of all headers: when one changes, modules compiled from the old ones must not be found."""
    sha = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.h")):
        sha.update(path.read_bytes())
    return sha.hexdigest()


class NativeOp(OpenMPOp):
    """An Op that is one call of a C++ function from a header of this package.

    A subclass sets `header`, and its ``c_code`` returns what `call` writes.

    Examples
    --------
    >>> from mnist_cnn.fused.ops.base import NativeOp
    >>> NativeOp().call("run", ["x"], ["y"], {"fail": "goto fail;"})
    'if (run(x, &y)) { goto fail; }'
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

    def call(self, function: str, arguments: Sequence[str], outputs: Sequence[str], sub: Mapping[str, str]) -> str:
        """C code that calls a function with some arguments and the addresses of the outputs."""
        arguments = [*arguments, *("&" + output for output in outputs)]
        return "if (%s(%s)) { %s }" % (function, ", ".join(arguments), sub["fail"])


class DifferentiableOp(NativeOp):
    """An Op whose first output has a gradient, which `differentiate` writes."""

    def differentiate(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], gradient: Variable
    ) -> list[Variable]:
        """The gradients of all inputs, from that of the first output."""
        raise NotImplementedError

    def L_op(self, inputs, outputs, gradients):
        if is_disconnected(gradients[0]):
            return [DisconnectedType()() for _ in inputs]
        results = self.differentiate(inputs, outputs, gradients[0])
        return [T.patternbroadcast(result, x.broadcastable) for x, result in zip(inputs, results)]


class GradientOp(NativeOp):
    """The gradient of another Op; it has none itself."""

    def L_op(self, inputs, outputs, gradients):
        name = type(self).__name__[: -len("Grad")]
        raise NotImplementedError("%s has no second derivative; use Theano's own operations" % name)


def is_disconnected(gradient: Variable) -> bool:
    """Whether an output has no gradient, since the cost does not depend on it."""
    return isinstance(gradient.type, DisconnectedType)


def with_changes(node: Apply, **attributes: Any) -> list[Variable]:
    """Apply a copy of a node's Op, with other attributes, to the node's inputs.

    The new node keeps the tag by which `explain` knows its part.

    Returns
    -------
    list of Theano variables
        The new node's outputs.
    """
    op = copy.copy(node.op)
    vars(op).update(attributes)
    new = op.make_node(*node.inputs)
    new.tag = copy.copy(node.tag)
    return new.outputs


def checked_tensor(value: np.ndarray | Variable, name: str, ndim: int, dtype: str = "float32") -> Variable:
    """Make a value a Theano variable, and check its type.

    Parameters
    ----------
    value : array or Theano variable
    name : str
        The argument's name, for the errors.
    ndim : int
    dtype : str

    Raises
    ------
    TypeError
        When it has other dimensions or another dtype.
    """
    value = T.as_tensor_variable(value)
    if value.ndim != ndim:
        raise TypeError("%s: wanted %d dimensions, got %d" % (name, ndim, value.ndim))
    if value.dtype != dtype:
        raise TypeError("%s: wanted dtype %s, got %s" % (name, dtype, value.dtype))
    return value
