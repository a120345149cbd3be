// Between Theano and conv2d's forward pass.
#pragma once

#include "bindings/conv2d.h"
#include "conv2d/measure.h"

namespace conv2d {

// Without keep_y, y is neither written nor allocated; without keep_codes neither are the codes, nor pooled without a
// pooling. `file`: of the measured ways.
inline int forward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *b, const Pad &pad, const After &after,
                         bool keep_y, bool keep_codes, const char *file, PyArrayObject **y, PyArrayObject **pooled,
                         PyArrayObject **codes) {
    if (!keep_y) y = nullptr;
    if (!after.pool) pooled = nullptr;
    if (!keep_codes) codes = nullptr;
    Problem p;
    if (check_problem(x, W, pad, &p)) return -1;
    const npy_intp b_want[1] = {p.filters};
    const npy_intp y_dims[4] = {p.images, p.out_rows(), p.out_columns(), p.filters};
    npy_intp out_dims[4];
    pooled_dims(p, after, out_dims);
    if (arrays::check(b, "b", NPY_FLOAT32, 1, b_want) ||
        (y && arrays::allocate(y, NPY_FLOAT32, 4, y_dims, false, true)) ||
        (pooled && arrays::allocate(pooled, NPY_FLOAT32, 4, out_dims, false, true)) ||
        (codes && arrays::allocate(codes, NPY_UINT8, 4, out_dims, false, true)))
        return -1;
    try {
        forward(p, after, ways_of(p, file, measured_ways), input(x), filters(W), (const float *)PyArray_DATA(b),
                PyArray_STRIDE(b, 0) / (npy_intp)sizeof(float), y ? (float *)PyArray_DATA(*y) : nullptr,
                pooled ? (float *)PyArray_DATA(*pooled) : nullptr, codes ? (uint8_t *)PyArray_DATA(*codes) : nullptr);
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace conv2d
