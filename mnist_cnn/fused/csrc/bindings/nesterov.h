// Between Theano and nesterov.h.
#pragma once

#include <cstdio>

#include "bindings/arrays.h"
#include "update/nesterov.h"

namespace nesterov {

// An array that is contiguous: the one given, or a copy.
struct Contiguous {
    PyArrayObject *array = nullptr;
    ~Contiguous() { Py_XDECREF(array); }
    bool set(PyArrayObject *a, int flags) {
        array = (PyArrayObject *)PyArray_FROM_OF((PyObject *)a, flags);
        return array != nullptr;
    }
    float *data() const { return (float *)PyArray_DATA(array); }
};

// old: the parameters, then their velocities; updated: the same after the step, where IN_PLACE the arrays
// of `old` themselves, unless they are not contiguous. Returns 0, or -1 with a Python exception set that names
// the argument.
template <int COUNT, bool IN_PLACE>
int update_numpy(PyArrayObject *const (&old)[2 * COUNT], PyArrayObject *const (&gradients)[COUNT],
                 PyArrayObject *rate, PyArrayObject *momentum, PyArrayObject **const (&updated)[2 * COUNT]) {
    for (int k = 0; k < 3 * COUNT; k++) {
        static const char *const names[] = {"params", "velocities", "gradients"};
        char name[40];
        snprintf(name, sizeof name, "%s[%d]", names[k / COUNT], k % COUNT);
        PyArrayObject *param = old[k % COUNT], *a = k < 2 * COUNT ? old[k] : gradients[k % COUNT];
        if (arrays::check(a, name, NPY_FLOAT32, PyArray_NDIM(param), PyArray_DIMS(param))) return -1;
    }
    if (arrays::check(rate, "learning_rate", NPY_FLOAT32, 0, nullptr)) return -1;
    if (arrays::check(momentum, "momentum", NPY_FLOAT32, 0, nullptr)) return -1;

    Contiguous before[2 * COUNT], slopes[COUNT];
    for (int k = 0; k < COUNT; k++)
        if (!slopes[k].set(gradients[k], NPY_ARRAY_CARRAY_RO)) return -1;
    for (int k = 0; k < 2 * COUNT; k++) {
        if (!before[k].set(old[k], IN_PLACE ? NPY_ARRAY_CARRAY : NPY_ARRAY_CARRAY_RO)) return -1;
        if (IN_PLACE) {
            Py_INCREF(before[k].array);
            Py_XDECREF(*updated[k]);
            *updated[k] = before[k].array;
        } else if (arrays::allocate(updated[k], NPY_FLOAT32, PyArray_NDIM(old[k]), PyArray_DIMS(old[k]), false, true)) {
            return -1;
        }
    }
    Parameter parameters[COUNT];
    for (int k = 0; k < COUNT; k++)
        parameters[k] = Parameter{before[k].data(), before[COUNT + k].data(), slopes[k].data(),
                                  (float *)PyArray_DATA(*updated[k]), (float *)PyArray_DATA(*updated[COUNT + k]),
                                  (size_t)PyArray_SIZE(old[k])};
    update(parameters, COUNT, *(const float *)PyArray_DATA(rate), *(const float *)PyArray_DATA(momentum));
    return 0;
}

}  // namespace nesterov
