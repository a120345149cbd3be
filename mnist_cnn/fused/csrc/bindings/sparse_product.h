// Between Theano and sparse_product.h.
#pragma once

#include "bindings/arrays.h"
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

}  // namespace sparse_product
