// Between Theano and conv2d's forward pass.
#pragma once

#include "bindings/conv2d.h"
#include "conv2d/measure.h"

namespace conv2d {

// Outputs that are not needed become empty arrays: y without keep_y, the codes without keep_codes, the pooled without
// a pooling. `file`: the measured ways.
inline int forward_numpy(PyArrayObject *x, PyArrayObject *W, PyArrayObject *b, const Pad &pad, Pair stride,
                         const After &after, bool keep_y, bool keep_codes, const char *file, PyArrayObject **y,
                         PyArrayObject **pooled, PyArrayObject **codes) {
    Problem p;
    if (check_problem(x, W, pad, stride, &p)) return -1;
    const npy_intp b_want[1] = {p.filters};
    const npy_intp y_dims[4] = {p.images, p.out_rows(), p.out_columns(), p.filters};
    npy_intp out_dims[4] = {}, none[4] = {};
    if (after.pool) pooled_dims(p, after, out_dims);
    if (arrays::check(b, "b", NPY_FLOAT32, 1, b_want) ||
        arrays::allocate(y, NPY_FLOAT32, 4, keep_y ? y_dims : none, false, true) ||
        arrays::allocate(pooled, NPY_FLOAT32, 4, out_dims, false, true) ||
        arrays::allocate(codes, NPY_UINT8, 4, keep_codes ? out_dims : none, false, true))
        return -1;
    try {
        forward(p, after, ways_of(p, file, measured_ways), input(x), filters(W), (const float *)PyArray_DATA(b),
                PyArray_STRIDE(b, 0) / (npy_intp)sizeof(float), keep_y ? (float *)PyArray_DATA(*y) : nullptr,
                after.pool ? (float *)PyArray_DATA(*pooled) : nullptr,
                keep_codes ? (uint8_t *)PyArray_DATA(*codes) : nullptr);
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace conv2d
