// Between Theano and distortion.h.
#pragma once

#include "bindings/arrays.h"
#include "distortion/distortion.h"

namespace distortion {

// Returns 0, or -1 with a Python exception set that names the argument.
inline int distort_numpy(PyArrayObject *images, PyArrayObject *factors, PyArrayObject *fields,
                         PyArrayObject **results) {
    const npy_intp images_want[4] = {-1, 1, -1, -1}, factors_want[3] = {2, -1, PyArray_DIM(fields, 0)};
    if (arrays::check(images, "images", NPY_FLOAT32, 4, images_want) ||
        arrays::check(factors, "factors", NPY_FLOAT32, 3, factors_want))
        return -1;
    const npy_intp *d = PyArray_DIMS(images), fields_want[2] = {-1, d[2] * d[3]};
    if (arrays::check(fields, "fields", NPY_FLOAT32, 2, fields_want)) return -1;
    if (d[0] > 1 << 30 || d[2] > 1 << 10 || d[3] > 1 << 10 || factors_want[2] > 1 << 10) {
        PyErr_SetString(PyExc_ValueError, "images: more than 1024 rows, columns or fields");
        return -1;
    }
    if (PyArray_DIM(factors, 1) > d[0]) {
        PyErr_Format(PyExc_ValueError, "factors: wanted at most %ld images, got %ld", (long)d[0],
                     (long)PyArray_DIM(factors, 1));
        return -1;
    }
    for (PyArrayObject *a : {images, factors, fields})
        if (!PyArray_IS_C_CONTIGUOUS(a)) {
            PyErr_SetString(PyExc_ValueError, "images, factors, fields: wanted C-contiguous arrays");
            return -1;
        }
    if (arrays::allocate(results, NPY_FLOAT32, 4, d, false, true)) return -1;
    const Problem p = {(int)d[0], (int)PyArray_DIM(factors, 1), (int)d[2], (int)d[3], (int)factors_want[2]};
    try {
        distort(p, (const float *)PyArray_DATA(images), (const float *)PyArray_DATA(factors),
                (const float *)PyArray_DATA(fields), (float *)PyArray_DATA(*results));
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace distortion
