// Between Theano and conv2d's gradients.
#pragma once

#include "bindings/conv2d.h"
#include "conv2d/backward.h"
#include "conv2d/kept_ways.h"

namespace conv2d {

// Without wrt_x, dx is an empty array, without wrt_W dW and db are. Where nothing pools, `pooled` is not read and g is
// the gradient of y, else of the pooled. With has_codes y is not read, otherwise the codes are not read.
inline int backward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *y, PyArrayObject *pooled,
                          PyArrayObject *codes, PyArrayObject *g, const Pad &pad, Pair stride, const After &after,
                          bool wrt_x, bool has_codes, const char *file, bool wrt_W, PyArrayObject **dW,
                          PyArrayObject **db, PyArrayObject **dx) {
    if (!after.pool) pooled = nullptr;
    (has_codes ? y : codes) = nullptr;
    Problem p;
    if (check_problem(x, W, pad, stride, &p)) return -1;
    const npy_intp want[4] = {p.images, p.out_rows(), p.out_columns(), p.filters};
    npy_intp g_want[4] = {want[0], want[1], want[2], want[3]};
    if (pooled) pooled_dims(p, after, g_want);
    if ((y && arrays::check(y, "y", NPY_FLOAT32, 4, want)) ||
        (pooled && arrays::check(pooled, "pooled", NPY_FLOAT32, 4, g_want)) ||
        (codes && arrays::check(codes, "codes", NPY_UINT8, 4, g_want)) || arrays::check(g, "g", NPY_FLOAT32, 4, g_want))
        return -1;
    const arrays::Contiguous kept(has_codes ? codes : y), maxima(pooled ? pooled : y ? y : codes);
    if (!kept.array || !maxima.array) return -1;
    const npy_intp b_dims[1] = {p.filters}, none[4] = {};
    if (arrays::allocate(dW, NPY_FLOAT32, 4, wrt_W ? PyArray_DIMS(W) : none, false, true) ||
        arrays::allocate(db, NPY_FLOAT32, 1, wrt_W ? b_dims : none, false, true) ||
        arrays::allocate(dx, NPY_FLOAT32, 4, wrt_x ? PyArray_DIMS(x) : none, false, true))
        return -1;
    try {
        backward(p, after, ways_of(p, file), input(x), filters(W), has_codes ? nullptr : kept.data(),
                 after.pool ? maxima.data() : nullptr, has_codes ? (const uint8_t *)kept.data() : nullptr, input(g),
                 wrt_W ? (float *)PyArray_DATA(*dW) : nullptr, (float *)PyArray_DATA(*db),
                 wrt_x ? (float *)PyArray_DATA(*dx) : nullptr);
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace conv2d
