// Between Theano and mrg31k3p.h.
#pragma once

#include <cmath>

#include "bindings/arrays.h"
#include "dropout/mrg31k3p.h"

namespace mrg31k3p {

// The parameters of a node of the Op.
struct Node {
    int ndim, type;  // of the samples
    bool in_place;   // whether the next state is the array `state` itself, unless that is not contiguous
};

// Float32 numbers below a double p are those below the smallest float32 that is not less than p.
inline float up(double p) {
    const float rounded = (float)p;
    return rounded < p ? std::nextafter(rounded, INFINITY) : rounded;
}

// Returns 0, or -1 with a Python exception set that names the argument.
template <class Kind>
int draw_numpy(Kind kind, PyArrayObject *state, PyArrayObject *size, Node node, PyArrayObject **following,
               PyArrayObject **samples) {
    if (PyArray_DIM(state, 1) != WORDS) {
        PyErr_Format(PyExc_ValueError, "rstate: wanted %d columns, got %ld", WORDS, (long)PyArray_DIM(state, 1));
        return -1;
    }
    npy_intp dims[NPY_MAXDIMS];
    if (arrays::read_lengths(size, node.ndim, dims)) return -1;
    double n = 1;
    for (int k = 0; k < node.ndim; k++) n *= dims[k];
    if (n > M1) {
        PyErr_SetString(PyExc_ValueError, "size: rng_mrg does not support more than 2**31 - 1 samples");
        return -1;
    }
    const size_t streams = PyArray_DIM(state, 0);
    if (n > 0 && !streams) {
        PyErr_SetString(PyExc_ValueError, "rstate: wanted a row for each stream, got none");
        return -1;
    }
    if (arrays::allocate(samples, node.type, node.ndim, dims, false, true)) return -1;
    const int flags = NPY_ARRAY_CARRAY | (node.in_place ? 0 : NPY_ARRAY_ENSURECOPY);
    PyArrayObject *next = (PyArrayObject *)PyArray_FROM_OF((PyObject *)state, flags);
    if (!next) return -1;
    Py_XDECREF(*following);
    *following = next;
    if (n == 0) return 0;
    int32_t *words = (int32_t *)PyArray_DATA(next);
    void *to = PyArray_DATA(*samples);
    if (node.type == NPY_FLOAT32)
        draw(kind, words, streams, (float *)to, PyArray_SIZE(*samples));
    else
        draw(Uniform(), words, streams, (double *)to, PyArray_SIZE(*samples));
    return 0;
}

}  // namespace mrg31k3p
