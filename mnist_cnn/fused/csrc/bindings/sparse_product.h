// Between Theano and sparse_product.h.
#pragma once

#include "bindings/arrays.h"
#include "bindings/gemm.h"
#include "dense/sparse_product.h"

namespace sparse_product {

inline Matrix view(PyArrayObject *a) {
    const npy_intp f = sizeof(float);
    return Matrix{(const float *)PyArray_DATA(a), PyArray_STRIDE(a, 0) / f, PyArray_STRIDE(a, 1) / f};
}

// Returns 0, or -1 with a Python exception set that names the argument.
inline int multiply_numpy(PyArrayObject *a, PyArrayObject *b, PyArrayObject **c) {
    const npy_intp any[2] = {-1, -1};
    if (arrays::check(a, "a", NPY_FLOAT32, 2, any)) return -1;
    const npy_intp b_want[2] = {PyArray_DIM(a, 1), -1};
    if (arrays::check(b, "b", NPY_FLOAT32, 2, b_want)) return -1;
    const npy_intp dims[2] = {PyArray_DIM(a, 0), PyArray_DIM(b, 1)};
    for (npy_intp length : {dims[0], dims[1], b_want[0]})
        if (length > 1 << 30) {
            PyErr_SetString(PyExc_ValueError, "a, b: matrices of more than 2**30 rows or columns");
            return -1;
        }
    if (arrays::allocate(c, NPY_FLOAT32, 2, dims, false, true)) return -1;
    try {
        multiply((int)dims[0], (int)b_want[0], (int)dims[1], view(a), view(b), (float *)PyArray_DATA(*c));
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// *c = a b; or, where there is a z, *c = z and z = kept * z + factor * a b: if that skips so many zeros that BLAS would
// take longer. Returns whether it is done; -1 with a Python exception set. Whatever does not fit is left to Theano's
// code.
inline int multiply_if_sparse(PyArrayObject *a, PyArrayObject *b, PyArrayObject *z, float factor, float kept,
                              PyArrayObject **c) {
    const npy_intp m = PyArray_DIM(a, 0), k = PyArray_DIM(a, 1), n = PyArray_DIM(b, 1);
    for (PyArrayObject *array : {a, b, z})
        if (array && (!PyArray_ISALIGNED(array) || PyArray_STRIDE(array, 0) % sizeof(float) ||
                      PyArray_STRIDE(array, 1) % sizeof(float)))
            return 0;
    if (PyArray_DIM(b, 0) != k || std::max(m, std::max(k, n)) > 1 << 30 || !simd::finite(factor) || !simd::finite(kept))
        return 0;
    if (z && (PyArray_DIM(z, 0) != m || PyArray_DIM(z, 1) != n || !PyArray_IS_C_CONTIGUOUS(z))) return 0;
    if (!is_worth((int)m, (int)k, (int)n, view(a))) return 0;
    const npy_intp dims[2] = {m, n};
    if (z) {
        Py_INCREF(z);
        Py_XDECREF(*c);
        *c = z;
    } else if (arrays::allocate(c, NPY_FLOAT32, 2, dims, false, true)) {
        return -1;
    }
    float *sums = (float *)PyArray_DATA(*c);
    if (z && kept != 1)
        for (npy_intp i = 0; i < m * n; i++) sums[i] = kept == 0 ? 0 : kept * sums[i];  // as BLAS: 0 hides NaN
    try {
        multiply((int)m, (int)k, (int)n, view(a), view(b), sums, factor, z != nullptr);
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 1;
}

}  // namespace sparse_product
