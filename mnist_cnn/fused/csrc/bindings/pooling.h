// Between Theano and pooling. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "pooling/pooling.h"

namespace pooling {

using arrays::Contiguous;

inline int check_problem(PyArrayObject *x, const Window &w, Problem *p) {
    const npy_intp any[4] = {-1, -1, -1, -1};
    if (arrays::check(x, "x", NPY_FLOAT32, 4, any)) return -1;
    const npy_intp *d = PyArray_DIMS(x);
    for (int k = 0; k < 4; k++)
        if (d[k] > 1 << 24) {
            PyErr_SetString(PyExc_ValueError, "x: more than 2**24 images, rows, columns or channels");
            return -1;
        }
    if ((d[1] < 1 || d[2] < 1) && (!w.ignore_border || w.pad_rows || w.pad_columns)) {
        PyErr_SetString(PyExc_ValueError, "x: images without pixels");
        return -1;
    }
    *p = Problem{(int)d[0], (int)d[1], (int)d[2], (int)d[3], w};
    return 0;
}

inline int forward_numpy(PyArrayObject *x, const Window &w, PyArrayObject **y) {
    Problem p;
    if (check_problem(x, w, &p)) return -1;
    const npy_intp dims[4] = {p.images, p.out_rows(), p.out_columns(), p.channels};
    const Contiguous from(x);
    if (!from.array || arrays::allocate(y, NPY_FLOAT32, 4, dims, false, true)) return -1;
    forward(p, from.data(), (float *)PyArray_DATA(*y));
    return 0;
}

inline int backward_numpy(PyArrayObject *x, PyArrayObject *y, PyArrayObject *g, const Window &w, PyArrayObject **dx) {
    Problem p;
    if (check_problem(x, w, &p)) return -1;
    const npy_intp want[4] = {p.images, p.out_rows(), p.out_columns(), p.channels};
    if (arrays::check(y, "y", NPY_FLOAT32, 4, want) || arrays::check(g, "g", NPY_FLOAT32, 4, want)) return -1;
    const Contiguous cx(x), cy(y), cg(g);
    if (!cx.array || !cy.array || !cg.array || arrays::allocate(dx, NPY_FLOAT32, 4, PyArray_DIMS(x), false, true))
        return -1;
    backward(p, cx.data(), cy.data(), cg.data(), (float *)PyArray_DATA(*dx));
    return 0;
}

}  // namespace pooling
