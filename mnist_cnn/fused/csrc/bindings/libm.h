// Between Theano and vectors.h. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "libm/vectors.h"

namespace libm {

// y = f(x), of any dimensions. The columns of another matrix are read where they are.
template <class Function> int apply_numpy(PyArrayObject *x, PyArrayObject **y) {
    const int ndim = PyArray_NDIM(x);
    if (arrays::check(x, "x", NPY_FLOAT32, ndim, PyArray_DIMS(x)) ||
        arrays::allocate(y, NPY_FLOAT32, ndim, PyArray_DIMS(x), false, true))
        return -1;
    float *to = (float *)PyArray_DATA(*y);
    const npy_intp size = PyArray_SIZE(x);
    if (ndim == 2 && PyArray_STRIDE(x, 1) == sizeof(float) && !PyArray_IS_C_CONTIGUOUS(x)) {
        const npy_intp rows = PyArray_DIM(x, 0), columns = PyArray_DIM(x, 1);
        for (npy_intp r = 0; r < rows; r++)
            apply<Function>((const float *)PyArray_GETPTR2(x, r, 0), to + r * columns, columns);
        return 0;
    }
    const arrays::Contiguous from(x);
    if (!from.array) return -1;
    apply<Function>(from.data(), to, size);
    return 0;
}

}  // namespace libm
