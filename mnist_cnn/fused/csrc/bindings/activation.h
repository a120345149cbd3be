// Between Theano and activation.h. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "dense/activation.h"

namespace activation {

using arrays::Contiguous;

inline int check_problem(PyArrayObject *a, const char *name, Problem *p) {
    const npy_intp any[2] = {-1, -1};
    if (arrays::check(a, name, NPY_FLOAT32, 2, any)) return -1;
    for (const npy_intp length : {PyArray_DIM(a, 0), PyArray_DIM(a, 1)})
        if (length > 1 << 30) {
            PyErr_Format(PyExc_ValueError, "%s: a matrix of more than 2**30 rows or columns", name);
            return -1;
        }
    *p = Problem{PyArray_DIM(a, 0), (int)PyArray_DIM(a, 1)};
    return 0;
}

inline int forward_numpy(PyArrayObject *z, PyArrayObject *b, const Nonlinearity &f, PyArrayObject **y) {
    Problem p;
    if (check_problem(z, "z", &p)) return -1;
    const npy_intp length[1] = {p.columns};
    if (arrays::check(b, "b", NPY_FLOAT32, 1, length)) return -1;
    const Contiguous cz(z), cb(b);
    if (!cz.array || !cb.array || arrays::allocate(y, NPY_FLOAT32, 2, PyArray_DIMS(z), false, true)) return -1;
    forward(p, cz.data(), cb.data(), f, (float *)PyArray_DATA(*y));
    return 0;
}

inline int backward_numpy(PyArrayObject *y, PyArrayObject *g, const Nonlinearity &f, PyArrayObject **dz,
                          PyArrayObject **db) {
    Problem p;
    if (check_problem(y, "y", &p) || arrays::check(g, "g", NPY_FLOAT32, 2, PyArray_DIMS(y))) return -1;
    const npy_intp length[1] = {p.columns};
    const Contiguous cy(y), cg(g);
    if (!cy.array || !cg.array || arrays::allocate(dz, NPY_FLOAT32, 2, PyArray_DIMS(y), false, true) ||
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

}  // namespace activation
