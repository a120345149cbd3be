// Between Theano and the convolution. Each function returns 0, or -1 with a Python exception set that
// names the argument.
#pragma once

#include "bindings/arrays.h"
#include "convolution/backward.h"
#include "convolution/forward.h"

namespace convolution {

using arrays::allocate;
using arrays::check;

template <class View> View view(PyArrayObject *a) {
    const npy_intp *s = PyArray_STRIDES(a);
    const npy_intp f = sizeof(float);
    return View{(float *)PyArray_DATA(a), s[0] / f, s[1] / f, s[2] / f, s[3] / f};
}

template <int IN, int OUT, int SIZE>
int check_inputs(PyArrayObject *x, PyArrayObject *W, const npy_intp **x_dims) {
    const npy_intp x_want[4] = {-1, IN, -1, -1}, w_want[4] = {OUT, IN, SIZE, SIZE};
    if (check(x, "x", NPY_FLOAT32, 4, x_want) || check(W, "W", NPY_FLOAT32, 4, w_want)) return -1;
    *x_dims = PyArray_DIMS(x);
    const npy_intp rows = PyArray_DIM(x, 2), columns = PyArray_DIM(x, 3);
    if (rows < SIZE || columns < SIZE) {
        PyErr_Format(PyExc_ValueError, "x: images of %ld x %ld are smaller than the %d x %d filters", (long)rows,
                     (long)columns, SIZE, SIZE);
        return -1;
    }
    if (PyArray_DIM(x, 0) > (1 << 30) || rows > (1 << 12) || columns > (1 << 12)) {
        PyErr_SetString(PyExc_ValueError, "x: too many images, or images of more than 4096 x 4096");
        return -1;
    }
    return 0;
}

// Unless `with_codes`, codes become empty, and rounding decides ties.
template <int IN, int OUT, int SIZE>
int forward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *b, PyArrayObject **y, PyArrayObject **codes,
                  bool channels_last, bool with_codes) {
    const npy_intp *d, b_want[1] = {OUT};
    if (check_inputs<IN, OUT, SIZE>(x, W, &d) || check(b, "b", NPY_FLOAT32, 1, b_want)) return -1;
    const Shape s((int)d[0], (int)d[2], (int)d[3], SIZE);
    const npy_intp y_dims[4] = {d[0], OUT, s.window_rows, s.window_columns};
    const npy_intp code_dims[4] = {d[0], s.window_rows, s.window_columns, OUT}, none[4] = {};
    if (allocate(y, NPY_FLOAT32, 4, y_dims, channels_last, false) ||
        allocate(codes, NPY_UINT8, 4, with_codes ? code_dims : none, false, true))
        return -1;
    try {
        forward<IN, OUT, SIZE>(s, view<Input>(x), view<Input>(W), (const float *)PyArray_DATA(b),
                               PyArray_STRIDE(b, 0) / (npy_intp)sizeof(float), view<Output>(*y),
                               with_codes ? (uint8_t *)PyArray_DATA(*codes) : nullptr);
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// dx may be NULL: then it is neither computed nor allocated.
template <int IN, int OUT, int SIZE, bool DX>
int backward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *codes, PyArrayObject *g, PyArrayObject **dW,
                   PyArrayObject **db, PyArrayObject **dx) {
    const npy_intp *d;
    if (check_inputs<IN, OUT, SIZE>(x, W, &d)) return -1;
    const Shape s((int)d[0], (int)d[2], (int)d[3], SIZE);
    const npy_intp g_want[4] = {d[0], OUT, s.window_rows, s.window_columns};
    const npy_intp code_want[4] = {d[0], s.window_rows, s.window_columns, OUT};
    const npy_intp w_dims[4] = {OUT, IN, SIZE, SIZE}, b_dims[1] = {OUT};
    if (check(codes, "codes", NPY_UINT8, 4, code_want) || check(g, "g", NPY_FLOAT32, 4, g_want)) return -1;
    if (!PyArray_IS_C_CONTIGUOUS(codes)) {
        PyErr_SetString(PyExc_ValueError, "codes: wanted a C-contiguous array");
        return -1;
    }
    if (allocate(dW, NPY_FLOAT32, 4, w_dims, false, true) || allocate(db, NPY_FLOAT32, 1, b_dims, false, true) ||
        (DX && allocate(dx, NPY_FLOAT32, 4, d, true, false)))
        return -1;
    try {
        backward<IN, OUT, SIZE, DX>(s, view<Input>(x), view<Input>(W), view<Input>(g),
                                    (const uint8_t *)PyArray_DATA(codes), (float *)PyArray_DATA(*dW),
                                    (float *)PyArray_DATA(*db), DX ? view<Output>(*dx) : Output());
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace convolution
