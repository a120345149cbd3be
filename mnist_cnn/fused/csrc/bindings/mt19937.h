// Between Theano and mt19937.h.
#pragma once

#include <numpy/random/bitgen.h>

#include <cmath>

#include "bindings/arrays.h"
#include "dropout/mt19937.h"

namespace mt19937 {

// The words of a RandomState, or null with a Python exception set.
inline State *state_of(PyObject *generator) {
    PyObject *bits = PyObject_GetAttrString(generator, "_bit_generator"), *capsule = nullptr;
    State *state = nullptr;
    if (bits && strcmp(Py_TYPE(bits)->tp_name, "numpy.random._mt19937.MT19937"))
        PyErr_Format(PyExc_TypeError, "wanted a RandomState of MT19937, got one of %s", Py_TYPE(bits)->tp_name);
    else if (bits && (capsule = PyObject_GetAttrString(bits, "capsule"))) {
        bitgen_t *functions = (bitgen_t *)PyCapsule_GetPointer(capsule, "BitGenerator");
        if (functions) state = (State *)functions->state;
    }
    Py_XDECREF(capsule);
    Py_XDECREF(bits);  // the generator has it, too
    return state;
}

// The parameters of a node of the Op.
struct Node {
    int ndim, type;  // of the samples
    bool in_place;   // whether the next state is `generator` itself
};

// The numbers of generator.binomial(1, p, size), as ops/dropout.py's `binomial` draws them. Returns 0, or -1 with a
// Python exception set.
inline int draw_numpy(PyObject *generator, PyArrayObject *size, PyArrayObject *p, Node node, PyObject **following,
                      PyArrayObject **samples) {
    const double likely = *(const double *)PyArray_DATA(p);
    if (!(likely >= 0 && likely <= 1)) {
        PyErr_SetString(PyExc_ValueError, "p < 0, p > 1 or p is NaN");
        return -1;
    }
    npy_intp dims[NPY_MAXDIMS];
    if (arrays::read_lengths(size, node.ndim, dims) ||
        arrays::allocate(samples, node.type, node.ndim, dims, false, true))
        return -1;
    PyObject *next = generator;
    if (node.in_place) {
        Py_INCREF(next);
    } else {
        PyObject *copy = PyImport_ImportModule("copy");
        next = copy ? PyObject_CallMethod(copy, "deepcopy", "O", generator) : nullptr;
        Py_XDECREF(copy);
        if (!next) return -1;
    }
    Py_XDECREF(*following);
    *following = next;
    State *state = state_of(next);
    if (!state) return -1;
    const size_t n = PyArray_SIZE(*samples);
    void *to = PyArray_DATA(*samples);
    const bool turned = likely > .5;
    const double bound = turned ? 1 - (1 - likely) : 1 - likely;
    if (node.type == NPY_INT64)
        draw_mask(state, bound, turned, (int64_t *)to, n);
    else if (node.type == NPY_FLOAT32)
        draw_mask(state, bound, turned, (float *)to, n);
    else
        draw_mask(state, bound, turned, (double *)to, n);
    return 0;
}

}  // namespace mt19937
