"""Theano Ops for products of matrices, sparse and dense, in C++."""

import theano.tensor as T
from theano.gof import Apply, Op
from theano.tensor.blas import Dot22, Dot22Scalar, Gemm, GemmRelated

from ...compat import flags
from .base import DifferentiableOp, NativeOp, checked_tensor

__all__ = [
    "DenseDot22",
    "DenseDot22Scalar",
    "DenseGemm",
    "Dot22OfZeros",
    "GemmOfZeros",
    "MayHaveZeros",
    "SparseProduct",
]


class SparseProduct(DifferentiableOp):
    """Product of two matrices that takes time for the non-zero values of the first alone.

    Notes
    -----
    Called with a (m, k) and b (k, n), both float32. Gives a b, float32 (m, n), equal to
    ``T.dot(a, b)``, NaN and infinity included.
    """

    __props__ = ()
    header = "bindings/sparse_product.h"

    def make_node(self, a, b):
        return Apply(self, [checked_tensor(a, "a", 2), checked_tensor(b, "b", 2)], [T.fmatrix()])

    def infer_shape(self, node, shapes):
        return [(shapes[0][0], shapes[1][1])]

    def differentiate(self, inputs, outputs, gradient):
        a, b = inputs
        return [self(gradient, b.T), self(a.T, gradient)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("sparse_product::multiply_numpy", inputs, outputs, sub)


class MayHaveZeros(Op):
    """Marks the left factor of a product, a matrix that may have many zeros; it changes nothing.

    The optimizer leaves it where Theano looks for products that it can join with a sum, and removes it
    afterwards.
    """

    __props__ = ()
    view_map = {0: [0]}

    def make_node(self, a):
        return Apply(self, [a], [a.type()])

    def infer_shape(self, node, shapes):
        return shapes

    def L_op(self, inputs, outputs, gradients):
        return gradients

    def perform(self, node, inputs, outputs):
        outputs[0][0] = inputs[0]


#: OpenBLAS's names of its kernels whose vectors are those of AVX2.
_AVX2_KERNELS = ("Haswell", "Zen", "Excavator")


class _DenseProduct(NativeOp):
    """An Op of Theano's for a product of float32 matrices, without its call of BLAS where that is slow.

    All threads share what is left of the calls, unless BLAS has threads of its own.
    """

    header = "bindings/gemm.h"

    def c_headers(self):
        return NativeOp.c_headers(self) + GemmRelated.c_headers(self)

    def c_libraries(self):
        return NativeOp.c_libraries(self) + GemmRelated.c_libraries(self)

    def c_compile_args(self):
        arguments = ["-DBLAS_HAS_AVX2_ONLY"] if flags.blas_kernels in _AVX2_KERNELS else []
        return NativeOp.c_compile_args(self) + GemmRelated.c_compile_args(self) + arguments

    def c_header_dirs(self):
        return NativeOp.c_header_dirs(self) + GemmRelated.c_header_dirs(self)

    def c_code_cache_version(self):
        version = NativeOp.c_code_cache_version(self) + super(NativeOp, self).c_code_cache_version()
        return (*version, flags.blas_has_one_thread)

    def c_code(self, node, name, inputs, outputs, sub):
        code = super(NativeOp, self).c_code(node, name, inputs, outputs, sub)
        return code.replace("sgemm_(", "gemm::multiply(sgemm_, ") if flags.blas_has_one_thread else code


class DenseDot22(_DenseProduct, Dot22):
    """The product of two matrices."""


class DenseDot22Scalar(_DenseProduct, Dot22Scalar):
    """The product of two matrices and a number."""


class DenseGemm(_DenseProduct, Gemm):
    """``kept * z + factor * dot(a, b)`` in place of z."""

    def __init__(self, openmp=None):
        NativeOp.__init__(self, openmp)
        Gemm.__init__(self, inplace=True)


def _unless_sparse(arguments, output, code, sub):
    """C code that skips zeros where the left factor is sparse, and does else what `code` does."""
    return """
    const int is_done = sparse_product::multiply_if_sparse({}, &{});
    if (is_done < 0) {{ {} }}
    if (!is_done) {{ {} }}
    """.format(", ".join(arguments), output, sub["fail"], code)


class Dot22OfZeros(DenseDot22):
    """The product of a matrix that may have many zeros with another."""

    header = "bindings/sparse_product.h"

    def c_code(self, node, name, inputs, outputs, sub):
        code = super().c_code(node, name, inputs, outputs, sub)
        return _unless_sparse([*inputs, "nullptr", "1", "0"], outputs[0], code, sub)


class GemmOfZeros(DenseGemm):
    """``kept * z + factor * dot(a, b)`` in place of z, for an a that may have many zeros."""

    header = "bindings/sparse_product.h"

    def c_code(self, node, name, inputs, outputs, sub):
        code = super().c_code(node, name, inputs, outputs, sub)
        z, factor, a, b, kept = inputs
        numbers = ["*(float *)PyArray_DATA({})".format(number) for number in (factor, kept)]
        return _unless_sparse([a, b, z, *numbers], outputs[0], code, sub)
