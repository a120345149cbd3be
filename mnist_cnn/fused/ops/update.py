"""A Theano Op for the update of a parameter in one pass, in C++."""

from collections.abc import Sequence

import theano.tensor as T
from theano import scalar
from theano.gof import Apply, ParamsType

from .base import NativeOp, checked_tensor

__all__ = ["ElementwiseUpdate"]


class ElementwiseUpdate(NativeOp):
    """An elementwise program: new values from old ones and gradients of one shape.

    Parameters
    ----------
    arrays, scalars : int
        Number of inputs of either kind.
    program : tuple of (scalar Op, tuple of int)
        Operations in their order. Operands are numbered: first the arrays, then the scalars, then the
        results of earlier operations.
    results : tuple of int
        The operations whose results are the outputs.
    old : tuple of (int or None)
        For each output the array that it replaces, if any.
    in_place : int
        Bit k: output k overwrites that array. An optimization sets the bits.

    Notes
    -----
    Called with the arrays, then the scalars, all float32. The arrays have one shape and pattern of
    broadcasting, the scalars a single number. Gives float32 arrays of that shape.

    A result that several operations read is rounded to float32 and kept, as in Theano; all others are
    parts of one expression. So the roundings are Theano's. All operations read the old values.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.update import ElementwiseUpdate
    >>> from theano import scalar
    >>> descent = ElementwiseUpdate(2, 1, ((scalar.mul, (2, 1)), (scalar.sub, (0, 3))), (1,), (0,))
    >>> descent(np.float32([1, 2]), np.float32([2, 0]), np.float32(.5)).eval()
    array([0., 2.], dtype=float32)
    """

    __props__ = ("arrays", "scalars", "program", "results", "old", "in_place")
    header = "bindings/update.h"
    params_type = ParamsType(in_place=scalar.int64)  # read at run time: one module for all

    def __init__(
        self,
        arrays: int,
        scalars: int,
        program: Sequence[tuple[scalar.ScalarOp, tuple[int, ...]]],
        results: Sequence[int],
        old: Sequence[int | None],
        in_place: int = 0,
        openmp: bool | None = None,
    ) -> None:
        super().__init__(openmp)
        self.arrays, self.scalars, self.program = arrays, scalars, tuple(program)
        self.results, self.old, self.in_place = tuple(results), tuple(old), in_place
        if in_place:
            self.destroy_map = {k: [array] for k, array in enumerate(self.old) if in_place >> k & 1}

    def __str__(self):
        return "ElementwiseUpdate{%s}" % "; ".join(
            "%s(%s)" % (op, ", ".join("abcdefghijklmnopqrstuvwxyz"[k] if k < 26 else str(k) for k in operands))
            for op, operands in self.program
        )

    def make_node(self, *inputs):
        inputs = [T.as_tensor_variable(value) for value in inputs]
        ndim = inputs[0].ndim
        inputs = [
            checked_tensor(value, "input %d" % k, ndim if k < self.arrays else value.ndim)
            for k, value in enumerate(inputs)
        ]
        return Apply(self, inputs, [inputs[0].type() for _ in self.results])

    def infer_shape(self, node, shapes):
        return [shapes[0]] * len(node.outputs)

    def c_code_cache_version(self):
        return super().c_code_cache_version() + tuple(op.c_code_cache_version() for op, _ in self.program)

    def c_support_code_apply(self, node, name):
        return _Loops(self).code("Rule_" + name)

    def c_code(self, node, name, inputs, outputs, sub):
        def braces(values):
            return "{%s}" % ", ".join(values)

        return self.call(
            "update::step_numpy<Rule_%s>" % name,
            [
                braces(inputs[: self.arrays]),
                braces(inputs[self.arrays :]),
                braces("-1" if array is None else str(array) for array in self.old),
                "%s->in_place" % sub["params"],
                braces("&" + output for output in outputs),
            ],
            [],
            sub,
        )


class _Loops:
    """The program of an `ElementwiseUpdate` as a struct in C++ for csrc/update/elementwise.h.

    Each result that is an output, or that several operations read, has a loop of its own, which the compiler
    vectorizes. Between the loops the numbers stay in the processor's cache.
    """

    def __init__(self, op):
        self.op, self.first = op, op.arrays + op.scalars  # operands from there on are results
        readers = [sum(self.first + k in operands for _, operands in op.program) for k in range(len(op.program))]
        nodes = []
        for scalar_op, operands in op.program:
            types = [scalar.float32 if k < self.first else nodes[k - self.first].outputs[0].type for k in operands]
            nodes.append(scalar_op.make_node(*[kind() for kind in types]))
        self.kept = [
            k
            for k, node in enumerate(nodes)
            if k in op.results or readers[k] > 1 and node.outputs[0].dtype == "float32"
        ]
        self.expressions = {k: self.expression(k) for k in self.kept}
        # A new value is written to its place at once, unless a later loop reads the old value there.
        self.places, self.waiting = {}, []
        for k in self.kept:
            output = op.results.index(k) if k in op.results else None
            later = [self.expressions[n][0] for n in self.kept if n > k]
            if output is not None and not any(op.old[output] in sources for sources in later):
                self.places[k] = "updated[%d]" % output
            else:
                self.places[k] = "locals[%d]" % sum(place.startswith("l") for place in self.places.values())
                if output is not None:
                    self.waiting.append((self.places[k], output))

    def expression(self, k):
        """A loop's expression: (scalar variable of each operand that it reads, scalar result)."""
        sources, made = {}, {}

        def result(n):
            if n not in made:
                scalar_op, operands = self.op.program[n]
                made[n] = scalar_op.make_node(*map(value, operands)).outputs[0]
            return made[n]

        def value(operand):
            n = operand - self.first
            if n >= 0 and n not in self.kept:
                return result(n)
            return sources.setdefault(operand, scalar.float32())

        return sources, result(k)

    def loop(self, k, name):
        sources, result = self.expressions[k]
        before, inside = [], []
        for operand in sources:
            if self.op.arrays <= operand < self.first:
                before.append("const npy_float32 v%d = scalars[%d];" % (operand, operand - self.op.arrays))
                continue
            before.append(
                "const float *from%d = %s;"
                % (operand, "arrays[%d]" % operand if operand < self.first else self.places[operand - self.first])
            )
            inside.append("const npy_float32 v{0} = from{0}[i];".format(operand))
        # as Theano writes C for its own fused elementwise operations
        composite = scalar.Composite(list(sources.values()), [result])
        inside.append(
            composite.c_code(
                composite.make_node(*sources.values()),
                "%s_%d" % (name, k),
                ["v%d" % operand for operand in sources],
                ["to[i]"],
                {"fail": ""},
            )
        )
        return "{ %s float *to = %s; UPDATE_LOOP for (int i = 0; i < n; i++) { %s } }" % (
            "\n".join(before),
            self.places[k],
            "\n".join(inside),
        )

    def code(self, name):
        return """
        struct %s {
            enum { ARRAYS = %d, SCALARS = %d, UPDATED = %d, LOCALS = %d };
            static void chunk(const float *const *arrays, const float *scalars, float *const *updated,
                              float (*locals)[update::CHUNK], int n) {
                %s
                %s
            }
        };""" % (
            name,
            self.op.arrays,
            self.op.scalars,
            len(self.op.results),
            sum(place.startswith("l") for place in self.places.values()),
            "\n".join(self.loop(k, name) for k in self.kept),
            "\n".join("std::copy({0}, {0} + n, updated[{1}]);".format(*pair) for pair in self.waiting),
        )
