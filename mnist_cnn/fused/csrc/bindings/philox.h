// Between Theano and philox.h.
#pragma once

#include "bindings/arrays.h"
#include "dropout/philox.h"

namespace philox {

// Returns 0, or -1 with a Python exception set that names the argument.
template <int NDIM>
int bernoulli_numpy(PyArrayObject *state, PyArrayObject *shape, uint64_t keep, PyArrayObject **following,
                    PyArrayObject **mask) {
    const npy_intp two[1] = {2};
    if (PyArray_DIM(state, 0) != 2) {
        PyErr_SetString(PyExc_ValueError, "state: wanted two numbers, the key and the block");
        return -1;
    }
    if (PyArray_DIM(shape, 0) != NDIM) {
        PyErr_Format(PyExc_ValueError, "shape: wanted %d lengths", NDIM);
        return -1;
    }
    npy_intp dims[NDIM];
    for (int k = 0; k < NDIM; k++) dims[k] = *(npy_int64 *)PyArray_GETPTR1(shape, k);
    const uint64_t key = *(npy_uint64 *)PyArray_GETPTR1(state, 0), first = *(npy_uint64 *)PyArray_GETPTR1(state, 1);
    Py_CLEAR(*following);       // never the old array, which may be `state` itself
    if (arrays::allocate(following, NPY_UINT64, 1, two, false, true)) return -1;
    if (arrays::allocate(mask, NPY_FLOAT32, NDIM, dims, false, true)) return -1;
    npy_uint64 *next = (npy_uint64 *)PyArray_DATA(*following);
    next[0] = key;
    next[1] = bernoulli(key, first, keep, (float *)PyArray_DATA(*mask), PyArray_SIZE(*mask));
    return 0;
}

}  // namespace philox
