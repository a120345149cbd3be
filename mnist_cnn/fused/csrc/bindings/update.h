// Between Theano and elementwise.h.
#pragma once

#include <initializer_list>

#include "bindings/arrays.h"
#include "update/elementwise.h"

namespace update {

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

// arrays: of one shape. old[k]: which of them has the old value of updated[k], or -1. Bit k of in_place: whether
// updated[k] becomes that array itself, unless it is not contiguous. Returns 0, or -1 with a Python exception set.
template <class Rule>
int step_numpy(std::initializer_list<PyArrayObject *> arrays, std::initializer_list<PyArrayObject *> scalars,
               std::initializer_list<int> old, int64_t in_place, std::initializer_list<PyArrayObject **> updated) {
    PyArrayObject *const *a = arrays.begin();
    const int ndim = PyArray_NDIM(a[0]);
    const npy_intp *dims = PyArray_DIMS(a[0]);
    for (int k = 1; k < Rule::ARRAYS; k++)
        for (int axis = 0; axis < ndim; axis++)
            if (PyArray_DIM(a[k], axis) != dims[axis]) {
                PyErr_Format(PyExc_ValueError,
                             "Input dimension mis-match. (input[0].shape[%d] = %ld, input[%d].shape[%d] = %ld)", axis,
                             (long)dims[axis], k, axis, (long)PyArray_DIM(a[k], axis));
                return -1;
            }
    int flags[Rule::ARRAYS];
    std::fill_n(flags, (int)Rule::ARRAYS, NPY_ARRAY_CARRAY_RO);
    for (int k = 0; k < Rule::UPDATED; k++)
        if (in_place >> k & 1) flags[old.begin()[k]] = NPY_ARRAY_CARRAY;
    Contiguous before[Rule::ARRAYS];
    const float *from[Rule::ARRAYS];
    for (int k = 0; k < Rule::ARRAYS; k++) {
        if (!before[k].set(a[k], flags[k])) return -1;
        from[k] = before[k].data();
    }
    float *to[Rule::UPDATED];
    for (int k = 0; k < Rule::UPDATED; k++) {
        PyArrayObject **array = updated.begin()[k];
        if (in_place >> k & 1) {
            PyArrayObject *same = before[old.begin()[k]].array;
            Py_INCREF(same);
            Py_XDECREF(*array);
            *array = same;
        } else if (arrays::allocate(array, NPY_FLOAT32, ndim, dims, false, true)) {
            return -1;
        }
        to[k] = (float *)PyArray_DATA(*array);
    }
    float values[Rule::SCALARS + 1];
    for (int k = 0; k < Rule::SCALARS; k++) values[k] = *(const float *)PyArray_DATA(scalars.begin()[k]);
    step<Rule>(from, values, to, PyArray_SIZE(a[0]));
    return 0;
}

}  // namespace update
