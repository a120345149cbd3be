"""A Theano Op for the update of a parameter in one pass, in C++."""

import theano.tensor as T
from theano import scalar
from theano.gof import Apply, ParamsType

from .base import NativeOp, checked_tensor

__all__ = ["ElementwiseUpdate"]


class ElementwiseUpdate(NativeOp):
    """New values from old ones and gradients of one shape, each number for itself.

    Parameters
    ----------
    arrays, scalars : int
        Number of inputs of either kind.
    program : tuple of (scalar Op, tuple of int)
        Operations in their order. An operand is the number of an array, `arrays` and more for a scalar,
        ``arrays + scalars`` and more for an earlier operation's result.
    results : tuple of int
        The operations whose results are the outputs.
    old : tuple of (int or None)
        For each output the array whose place it takes, if any.
    in_place : int
        Bit k is set where output k overwrites that array. An optimization sets those that it may.

    Notes
    -----
    Called with the arrays, then the scalars, all float32. The arrays have one shape and pattern of
    broadcasting, the scalars a single number. Gives float32 arrays of that shape.

    A result that several operations read is rounded to float32 and kept, as Theano keeps it; what else
    is computed in one expression as Theano does it, so that the roundings are Theano's. All operations read
    the old values.

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
    params_type = ParamsType(in_place=scalar.int64)  # known when it runs: one module for all

    def __init__(self, arrays, scalars, program, results, old, in_place=0, openmp=None):
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
            checked_tensor(value, "input %d" % k, ndim if k < self.arrays else value.ndim, "float32")
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
        return self.call(
            "update::step_numpy<Rule_%s>({%s}, {%s}, {%s}, %s->in_place, {%s})"
            % (
                name,
                ", ".join(inputs[: self.arrays]),
                ", ".join(inputs[self.arrays :]),
                ", ".join("-1" if array is None else str(array) for array in self.old),
                sub["params"],
                ", ".join("&" + output for output in outputs),
            ),
            sub,
        )


class _Loops:
    """The program of an `ElementwiseUpdate` as a struct in C++ for csrc/update/elementwise.h.

    Each result that is an output, or that several operations read, has a loop of its own, which the compiler
    makes vectors of. Between the loops the numbers stay in the cache.
    """

    def __init__(self, op):
        self.op, self.first = op, op.arrays + op.scalars  # from there on operands are results
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
        # A new value goes to its place at once, unless that has an old one that a later loop reads.
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
        """What a loop computes: (scalar variable of each operand that it reads, scalar result)."""
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
        # Theano's own way from an expression to C, which it takes for its operations as well
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
