// Between Theano and activation.h. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "dense/activation.h"

namespace activation {

using arrays::Contiguous;

// a: (.., columns), of one dimension or more.
inline int check_problem(PyArrayObject *a, const char *name, Problem *p) {
    const int ndim = PyArray_NDIM(a);
    if (arrays::check(a, name, NPY_FLOAT32, ndim, PyArray_DIMS(a))) return -1;
    const npy_intp columns = PyArray_DIM(a, ndim - 1);
    npy_intp rows = 1;
    for (int k = 0; k < ndim - 1; k++) rows *= PyArray_DIM(a, k);
    if (columns > 1 << 30 || rows > (npy_intp)1 << 34) {
        PyErr_Format(PyExc_ValueError, "%s: more than 2**34 rows or 2**30 columns", name);
        return -1;
    }
    *p = Problem{rows, (int)columns};
    return 0;
}

inline int forward_numpy(PyArrayObject *z, PyArrayObject *b, const Nonlinearity &f, PyArrayObject **y) {
    Problem p;
    if (check_problem(z, "z", &p)) return -1;
    const npy_intp length[1] = {p.columns};
    if (arrays::check(b, "b", NPY_FLOAT32, 1, length)) return -1;
    const Contiguous cz(z), cb(b);
    if (!cz.array || !cb.array || arrays::allocate(y, NPY_FLOAT32, PyArray_NDIM(z), PyArray_DIMS(z), false, true))
        return -1;
    forward(p, cz.data(), cb.data(), f, (float *)PyArray_DATA(*y));
    return 0;
}

inline int backward_numpy(PyArrayObject *y, PyArrayObject *g, const Nonlinearity &f, PyArrayObject **dz,
                          PyArrayObject **db) {
    Problem p;
    if (check_problem(y, "y", &p) || arrays::check(g, "g", NPY_FLOAT32, PyArray_NDIM(y), PyArray_DIMS(y))) return -1;
    const npy_intp length[1] = {p.columns};
    const Contiguous cy(y), cg(g);
    if (!cy.array || !cg.array || arrays::allocate(dz, NPY_FLOAT32, PyArray_NDIM(y), PyArray_DIMS(y), false, true) ||
        arrays::allocate(db, NPY_FLOAT32, 1, length, false, true))
        return -1;
    try {
        backward(p, cy.data(), f, cg.data(), (float *)PyArray_DATA(*dz), (float *)PyArray_DATA(*db));
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// Arrays of any dimensions, all alike; where nothing is added `b` is `a` again.
inline int forward_of_sum_numpy(PyArrayObject *a, PyArrayObject *b, const Nonlinearity &f, PyArrayObject **y) {
    const int ndim = PyArray_NDIM(a);
    if (arrays::check(a, "a", NPY_FLOAT32, ndim, PyArray_DIMS(a)) ||
        arrays::check(b, "b", NPY_FLOAT32, ndim, PyArray_DIMS(a)))
        return -1;
    const Contiguous ca(a), cb(b);
    if (!ca.array || !cb.array || arrays::allocate(y, NPY_FLOAT32, ndim, PyArray_DIMS(a), false, true)) return -1;
    forward_of_sum(PyArray_SIZE(a), ca.data(), b == a ? nullptr : cb.data(), f, (float *)PyArray_DATA(*y));
    return 0;
}

// From one gradient of y, or from two that are added; without a second one `h` is `g` again.
inline int backward_of_sum_numpy(PyArrayObject *y, PyArrayObject *g, PyArrayObject *h, const Nonlinearity &f,
                                 PyArrayObject **dz) {
    const int ndim = PyArray_NDIM(y);
    if (arrays::check(y, "y", NPY_FLOAT32, ndim, PyArray_DIMS(y)) ||
        arrays::check(g, "g", NPY_FLOAT32, ndim, PyArray_DIMS(y)) ||
        arrays::check(h, "g", NPY_FLOAT32, ndim, PyArray_DIMS(y)))
        return -1;
    const Contiguous cy(y), cg(g), ch(h);
    if (!cy.array || !cg.array || !ch.array || arrays::allocate(dz, NPY_FLOAT32, ndim, PyArray_DIMS(y), false, true))
        return -1;
    backward_of_sum(PyArray_SIZE(y), cy.data(), f, cg.data(), h == g ? nullptr : ch.data(), (float *)PyArray_DATA(*dz));
    return 0;
}

}  // namespace activation
