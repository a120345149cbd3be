// Between Theano and double_sum.h. Returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "sums/double_sum.h"

namespace sums {

// y = sum of the terms of x, of any dimensions.
template <class Term> int sum_numpy(PyArrayObject *x, PyArrayObject **y) {
    if (arrays::check(x, "x", NPY_FLOAT32, PyArray_NDIM(x), PyArray_DIMS(x)) ||
        arrays::allocate(y, NPY_FLOAT32, 0, PyArray_DIMS(x), false, true))
        return -1;
    float *to = (float *)PyArray_DATA(*y);
    if (PyArray_ISONESEGMENT(x)) {  // a transposed matrix as well
        *to = sum<Term>((const float *)PyArray_DATA(x), PyArray_SIZE(x));
        return 0;
    }
    const arrays::Contiguous from(x);
    if (!from.array) return -1;
    *to = sum<Term>(from.data(), PyArray_SIZE(x));
    return 0;
}

}  // namespace sums
