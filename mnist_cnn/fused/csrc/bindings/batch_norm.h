// Between Theano and normalization. Each function returns 0, or -1 with a Python exception set that names the argument.
#pragma once

#include "bindings/arrays.h"
#include "normalization/batch_norm.h"

namespace normalization {

using arrays::Contiguous;

// x: (.., channels) of any number of dimensions.
inline int check_problem(PyArrayObject *x, Problem *p) {
    const npy_intp any[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    if (arrays::check(x, "x", NPY_FLOAT32, std::min(8, PyArray_NDIM(x)), any)) return -1;
    const npy_intp channels = PyArray_DIM(x, PyArray_NDIM(x) - 1);
    if (channels < 1 || channels > 1 << 24 || PyArray_SIZE(x) / channels > (npy_intp)1 << 36) {
        PyErr_SetString(PyExc_ValueError, "x: wanted 1 to 2**24 channels, and up to 2**36 rows of them");
        return -1;
    }
    *p = Problem{PyArray_SIZE(x) / channels, (int)channels};
    return 0;
}

inline int forward_numpy(PyArrayObject *x, PyArrayObject *gamma, PyArrayObject *beta, float epsilon,
                         const Nonlinearity &f, PyArrayObject **y, PyArrayObject **mean, PyArrayObject **inv_std) {
    Problem p;
    if (check_problem(x, &p)) return -1;
    const npy_intp dims[1] = {p.channels};
    const Contiguous cx(x), cg(gamma), cb(beta);
    if (arrays::check(gamma, "gamma", NPY_FLOAT32, 1, dims) || arrays::check(beta, "beta", NPY_FLOAT32, 1, dims) ||
        !cx.array || !cg.array || !cb.array ||
        arrays::allocate(y, NPY_FLOAT32, PyArray_NDIM(x), PyArray_DIMS(x), false, true) ||
        arrays::allocate(mean, NPY_FLOAT32, 1, dims, false, true) ||
        arrays::allocate(inv_std, NPY_FLOAT32, 1, dims, false, true))
        return -1;
    try {
        forward(p, cx.data(), cg.data(), cb.data(), epsilon, f, (float *)PyArray_DATA(*y), (float *)PyArray_DATA(*mean),
                (float *)PyArray_DATA(*inv_std));
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

inline int backward_numpy(PyArrayObject *x, PyArrayObject *gamma, PyArrayObject *y, PyArrayObject *mean,
                          PyArrayObject *inv_std, PyArrayObject *g, const Nonlinearity &f, PyArrayObject **dx,
                          PyArrayObject **dgamma, PyArrayObject **dbeta) {
    Problem p;
    if (check_problem(x, &p)) return -1;
    const npy_intp dims[1] = {p.channels};
    const Contiguous cx(x), cgamma(gamma), cy(y), cm(mean), cs(inv_std), cg(g);
    if (arrays::check(gamma, "gamma", NPY_FLOAT32, 1, dims) || arrays::check(mean, "mean", NPY_FLOAT32, 1, dims) ||
        arrays::check(inv_std, "inv_std", NPY_FLOAT32, 1, dims) ||
        arrays::check(y, "y", NPY_FLOAT32, PyArray_NDIM(x), PyArray_DIMS(x)) ||
        arrays::check(g, "g", NPY_FLOAT32, PyArray_NDIM(x), PyArray_DIMS(x)) || !cx.array || !cgamma.array ||
        !cy.array || !cm.array || !cs.array || !cg.array ||
        arrays::allocate(dx, NPY_FLOAT32, PyArray_NDIM(x), PyArray_DIMS(x), false, true) ||
        arrays::allocate(dgamma, NPY_FLOAT32, 1, dims, false, true) ||
        arrays::allocate(dbeta, NPY_FLOAT32, 1, dims, false, true))
        return -1;
    try {
        backward(p, cx.data(), cgamma.data(), f, cy.data(), cm.data(), cs.data(), cg.data(), (float *)PyArray_DATA(*dx),
                 (float *)PyArray_DATA(*dgamma), (float *)PyArray_DATA(*dbeta));
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

}  // namespace normalization
