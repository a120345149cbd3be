// Between Theano and conv2d. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "conv2d/backward.h"
#include "conv2d/forward.h"

namespace conv2d {

inline Input input(PyArrayObject *a) {
    const npy_intp *s = PyArray_STRIDES(a);
    const npy_intp f = sizeof(float);
    return Input{(const float *)PyArray_DATA(a), s[0] / f, s[1] / f, s[2] / f, s[3] / f};
}

inline Filters filters(PyArrayObject *a) {
    const Input v = input(a);
    return Filters{v.data, v.image, v.row, v.column, v.channel};
}

// x: (images, rows, columns, channels); W: (filters, channels, size, size).
inline int check_problem(PyArrayObject *x, PyArrayObject *W, const Pad &pad, Problem *p) {
    const npy_intp any[4] = {-1, -1, -1, -1};
    if (arrays::check(x, "x", NPY_FLOAT32, 4, any)) return -1;
    const npy_intp w_want[4] = {-1, PyArray_DIM(x, 3), -1, PyArray_DIM(W, 2)};
    if (arrays::check(W, "W", NPY_FLOAT32, 4, w_want)) return -1;
    const npy_intp *d = PyArray_DIMS(x);
    if (d[0] > (1 << 30) || d[1] > (1 << 12) || d[2] > (1 << 12)) {
        PyErr_SetString(PyExc_ValueError, "x: too many images, or images of more than 4096 x 4096");
        return -1;
    }
    *p = Problem{(int)d[0], (int)d[1], (int)d[2], (int)d[3], (int)PyArray_DIM(W, 0), (int)PyArray_DIM(W, 2), pad};
    if (p->filters < 1 || p->channels < 1 || p->size < 1) {
        PyErr_SetString(PyExc_ValueError, "W: wanted at least one filter, channel and weight");
        return -1;
    }
    if (p->out_rows() < 1 || p->out_columns() < 1) {
        PyErr_Format(PyExc_ValueError, "x: images of %d x %d are smaller than the %d x %d filters", p->rows,
                     p->columns, p->size, p->size);
        return -1;
    }
    if (frame_of_x(*p).floats() > 1u << 30 || frame_of_g(*p).floats() > 1u << 30) {
        PyErr_SetString(PyExc_ValueError, "x: an image of more than 2**30 numbers");
        return -1;
    }
    return 0;
}

inline int forward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *b, const Pad &pad, double slope,
                         PyArrayObject **y) {
    Problem p;
    if (check_problem(x, W, pad, &p)) return -1;
    const npy_intp b_want[1] = {p.filters};
    const npy_intp y_dims[4] = {p.images, p.out_rows(), p.out_columns(), p.filters};
    if (arrays::check(b, "b", NPY_FLOAT32, 1, b_want) || arrays::allocate(y, NPY_FLOAT32, 4, y_dims, false, true))
        return -1;
    try {
        forward(p, input(x), filters(W), (const float *)PyArray_DATA(b),
                PyArray_STRIDE(b, 0) / (npy_intp)sizeof(float), (float)slope, (float *)PyArray_DATA(*y));
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// dx may be NULL: then it is neither computed nor allocated.
inline int backward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *y, PyArrayObject *g, const Pad &pad,
                          double slope, PyArrayObject **dW, PyArrayObject **db, PyArrayObject **dx) {
    Problem p;
    if (check_problem(x, W, pad, &p)) return -1;
    const npy_intp want[4] = {p.images, p.out_rows(), p.out_columns(), p.filters};
    if (arrays::check(y, "y", NPY_FLOAT32, 4, want) || arrays::check(g, "g", NPY_FLOAT32, 4, want)) return -1;
    if (!PyArray_IS_C_CONTIGUOUS(y)) {
        PyErr_SetString(PyExc_ValueError, "y: wanted a C-contiguous array");
        return -1;
    }
    const npy_intp b_dims[1] = {p.filters};
    if (arrays::allocate(dW, NPY_FLOAT32, 4, PyArray_DIMS(W), false, true) ||
        arrays::allocate(db, NPY_FLOAT32, 1, b_dims, false, true) ||
        (dx && arrays::allocate(dx, NPY_FLOAT32, 4, PyArray_DIMS(x), false, true)))
        return -1;
    try {
        backward(p, input(x), filters(W), (const float *)PyArray_DATA(y), input(g), (float)slope,
                 (float *)PyArray_DATA(*dW), (float *)PyArray_DATA(*db), dx ? (float *)PyArray_DATA(*dx) : nullptr);
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace conv2d
