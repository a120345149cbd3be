// Arrays from Theano for conv2d. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "conv2d/copies.h"

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

// Codes in place of all four numbers of a Pad: half the filters' size, rounded down, or the size minus one.
constexpr int HALF_SIZE = -1, FULL_SIZE = -2;
inline Pad pad_for(Pad pad, Pair size) {
    const auto known = [](int n, int size) { return n == HALF_SIZE ? size / 2 : n == FULL_SIZE ? size - 1 : n; };
    return Pad{known(pad.top, size.rows), known(pad.bottom, size.rows), known(pad.left, size.columns),
               known(pad.right, size.columns)};
}

// x: (images, rows, columns, channels); W: (filters, channels, rows, columns).
inline int check_problem(PyArrayObject *x, PyArrayObject *W, const Pad &pad, Pair stride, Problem *p) {
    const npy_intp any[4] = {-1, -1, -1, -1};
    if (arrays::check(x, "x", NPY_FLOAT32, 4, any)) return -1;
    const npy_intp w_want[4] = {-1, PyArray_DIM(x, 3), -1, -1};
    if (arrays::check(W, "W", NPY_FLOAT32, 4, w_want)) return -1;
    const npy_intp *d = PyArray_DIMS(x);
    if (d[0] > (1 << 30) || d[1] > (1 << 12) || d[2] > (1 << 12)) {
        PyErr_SetString(PyExc_ValueError, "x: too many images, or images of more than 4096 x 4096");
        return -1;
    }
    const Pair size{(int)PyArray_DIM(W, 2), (int)PyArray_DIM(W, 3)};
    *p = Problem{(int)d[0], (int)d[1], (int)d[2], (int)d[3], (int)PyArray_DIM(W, 0), size, pad_for(pad, size), stride};
    if (size.rows < 1 || size.columns < 1) {
        PyErr_SetString(PyExc_ValueError, "W: filters without weights");
        return -1;
    }
    if (p->out_rows() < 1 || p->out_columns() < 1) {
        PyErr_Format(PyExc_ValueError, "x: images of %d x %d are smaller than the %d x %d filters", p->rows, p->columns,
                     size.rows, size.columns);
        return -1;
    }
    if (frame_of_x(*p).floats() > 1u << 30 || frame_of_g(*p).floats() > 1u << 30) {
        PyErr_SetString(PyExc_ValueError, "x: an image of more than 2**30 numbers");
        return -1;
    }
    return 0;
}

// The pooled array's dimensions.
inline void pooled_dims(const Problem &p, const After &after, npy_intp *dims) {
    const pooling::Problem pool = after.pooling(p);
    dims[0] = p.images, dims[1] = pool.out_rows(), dims[2] = pool.out_columns(), dims[3] = p.filters;
}

}  // namespace conv2d
