// NumPy's arrays on the way into a kernel and out: checks, and memory for results. Each function returns 0,
// or -1 with a Python exception set that names the argument.
#pragma once

#include <climits>

#include "runtime/simd.h"
#include "runtime/threads.h"

namespace arrays {

// -1 unless `a` is an aligned array of this type and these dimensions; -1 in `dims` fits any length.
inline int check(PyArrayObject *a, const char *name, int type, int ndim, const npy_intp *dims) {
    if (PyArray_TYPE(a) != type) {
        PyErr_Format(PyExc_TypeError, "%s: wanted an array of %s, got type number %d", name,
                     type == NPY_FLOAT32 ? "float32" : "uint8", PyArray_TYPE(a));
        return -1;
    }
    if (PyArray_NDIM(a) != ndim) {
        PyErr_Format(PyExc_ValueError, "%s: wanted %d dimensions, got %d", name, ndim, PyArray_NDIM(a));
        return -1;
    }
    if (!PyArray_ISALIGNED(a) || PyArray_ISBYTESWAPPED(a)) {
        PyErr_Format(PyExc_ValueError, "%s: wanted an aligned array in the machine's byte order", name);
        return -1;
    }
    for (int k = 0; k < ndim; k++)
        if (dims[k] >= 0 && PyArray_DIM(a, k) != dims[k]) {
            PyErr_Format(PyExc_ValueError, "%s: wanted length %ld along axis %d, got %ld", name, (long)dims[k], k,
                         (long)PyArray_DIM(a, k));
            return -1;
        }
    return 0;
}

// The lengths of an array, from an integer vector of `ndim` numbers.
inline int read_lengths(PyArrayObject *size, int ndim, npy_intp *dims) {
    if (PyArray_DIM(size, 0) != ndim) {
        PyErr_Format(PyExc_ValueError, "size: wanted %d lengths, got %ld", ndim, (long)PyArray_DIM(size, 0));
        return -1;
    }
    PyArrayObject *lengths = (PyArrayObject *)PyArray_FROM_OT((PyObject *)size, NPY_INTP);
    if (!lengths) return -1;
    for (int k = 0; k < ndim; k++) dims[k] = *(npy_intp *)PyArray_GETPTR1(lengths, k);
    Py_DECREF(lengths);
    return 0;
}

// *out becomes a writable array of these dimensions: the one from the last call where it fits,
// else a new one. channels_last: its memory runs over images, rows, columns, then channels.
inline int allocate(PyArrayObject **out, int type, int ndim, const npy_intp *dims, bool channels_last,
                    bool contiguous) {
    if (*out && PyArray_TYPE(*out) == type && PyArray_NDIM(*out) == ndim && PyArray_ISBEHAVED(*out) &&
        PyArray_CompareLists(PyArray_DIMS(*out), dims, ndim) && (!contiguous || PyArray_IS_C_CONTIGUOUS(*out)))
        return 0;
    Py_CLEAR(*out);
    if (!channels_last) {
        *out = (PyArrayObject *)PyArray_EMPTY(ndim, (npy_intp *)dims, type, 0);
        return *out ? 0 : -1;
    }
    npy_intp memory[4] = {dims[0], dims[2], dims[3], dims[1]}, order[4] = {0, 3, 1, 2};
    PyArray_Dims axes = {order, 4};
    PyArrayObject *a = (PyArrayObject *)PyArray_EMPTY(4, memory, type, 0);
    if (!a) return -1;
    *out = (PyArrayObject *)PyArray_Transpose(a, &axes);
    Py_DECREF(a);
    return *out ? 0 : -1;
}

// A contiguous copy of an aligned float32 array whose last axis is farthest apart in memory, such as maps with channels
// first that are read with channels last. Null for another array, or if there is no memory.
inline PyArrayObject *turned_copy(PyArrayObject *a) {
    const int last = PyArray_NDIM(a) - 1;
    const npy_intp *dims = PyArray_DIMS(a), *strides = PyArray_STRIDES(a), size = sizeof(float);
    if (last < 2 || PyArray_TYPE(a) != NPY_FLOAT32 || !PyArray_ISBEHAVED_RO(a)) return nullptr;
    npy_intp pixels = 1;
    for (int k = last - 1; k > 0; pixels *= dims[k--])
        if (strides[k] != pixels * size) return nullptr;
    if (strides[last] % size || pixels > INT_MAX || dims[last] > INT_MAX) return nullptr;
    PyArrayObject *copy = (PyArrayObject *)PyArray_EMPTY(last + 1, (npy_intp *)dims, NPY_FLOAT32, 0);
    for (npy_intp n = 0; copy && n < dims[0]; n++)
        simd::copy_matrix((const float *)(PyArray_BYTES(a) + n * strides[0]), 1, strides[last] / size, (int)pixels,
                          (int)dims[last], (float *)PyArray_DATA(copy) + n * pixels * dims[last], (int)dims[last]);
    if (!copy) PyErr_Clear();
    return copy;
}

// A reference to the array, or to a contiguous copy, for as long as this lives.
struct Contiguous {
    PyArrayObject *array;
    explicit Contiguous(PyArrayObject *a) : array(PyArray_IS_C_CONTIGUOUS(a) ? nullptr : turned_copy(a)) {
        if (!array) array = (PyArrayObject *)PyArray_GETCONTIGUOUS(a);
    }
    ~Contiguous() { Py_XDECREF(array); }
    const float *data() const { return (const float *)PyArray_DATA(array); }
    Contiguous(const Contiguous &) = delete;
};

}  // namespace arrays
