"""Theano's C code, for NumPy 2's C API, today's Python and the BLAS of SciPy's wheels."""

import functools
import re
from collections.abc import Callable

from ..import_hooks import after, wrap
from .old_numpy import NUMPY_2

__all__ = ["mend", "use_new_accelerate", "use_scipy_openblas"]

# NumPy 2 has made private the iterator by which Theano adds to x[index] where an index comes twice. numpy.add.at
# takes 15 times as long as a loop over rows, which the gradient of an embedding asks for.
_INPLACE_INCREMENT = """
template <class Float> static void add_rows(PyArrayObject *x, const npy_intp *rows, PyArrayObject *y) {
    const npy_intp count = PyArray_DIM(y, 0), width = count ? PyArray_SIZE(y) / count : 0;
    for (npy_intp i = 0; i < count; i++) {
        Float *to = (Float *)PyArray_DATA(x) + rows[i] * width;
        const Float *from = (const Float *)PyArray_DATA(y) + i * width;
        for (npy_intp j = 0; j < width; j++) to[j] += from[j];
    }
}
// Whether x[index] += y was done: for rows of contiguous floats, a vector of numbers within the array.
static bool incremented_rows(PyArrayObject *x, PyObject *index, PyArrayObject *y) {
    const int ndim = PyArray_NDIM(x), type = PyArray_TYPE(x);
    if (!PyArray_Check(index) || !PyArray_Check((PyObject *)y) || ndim == 0 || PyArray_NDIM(y) != ndim ||
        (type != NPY_FLOAT32 && type != NPY_FLOAT64) || PyArray_TYPE(y) != type || !PyArray_ISCARRAY(x) ||
        !PyArray_ISCARRAY_RO(y) || PyArray_NDIM((PyArrayObject *)index) != 1 ||
        !PyArray_ISINTEGER((PyArrayObject *)index) ||
        !PyArray_CanCastSafely(PyArray_TYPE((PyArrayObject *)index), NPY_INTP) ||
        PyArray_DIM((PyArrayObject *)index, 0) != PyArray_DIM(y, 0) ||
        !PyArray_CompareLists(PyArray_DIMS(x) + 1, PyArray_DIMS(y) + 1, ndim - 1))
        return false;
    const char *from = PyArray_BYTES(y), *to = PyArray_BYTES(x);
    if (from < to + PyArray_NBYTES(x) && to < from + PyArray_NBYTES(y)) return false;
    PyArrayObject *all =
        (PyArrayObject *)PyArray_FROMANY(index, NPY_INTP, 1, 1, NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY);
    if (!all) { PyErr_Clear(); return false; }
    npy_intp *rows = (npy_intp *)PyArray_DATA(all);
    const npy_intp count = PyArray_DIM(all, 0), length = PyArray_DIM(x, 0);
    bool inside = true;
    for (npy_intp i = 0; i < count; i++) {
        if (rows[i] < 0) rows[i] += length;
        inside = inside && rows[i] >= 0 && rows[i] < length;
    }
    if (inside && type == NPY_FLOAT32) add_rows<npy_float32>(x, rows, y);
    if (inside && type == NPY_FLOAT64) add_rows<npy_float64>(x, rows, y);
    Py_DECREF(all);
    return inside;
}
static int inplace_increment(PyArrayObject *x, PyObject *index, PyArrayObject *y, int inc) {
    int result = -1;
    if (!inc) return PyObject_SetItem((PyObject *)x, index, (PyObject *)y);
    if (incremented_rows(x, index, y)) return 0;
    PyObject *numpy = PyImport_ImportModule("numpy");
    PyObject *add = numpy ? PyObject_GetAttrString(numpy, "add") : NULL;
    PyObject *done = add ? PyObject_CallMethod(add, "at", "OOO", x, index, y) : NULL;
    if (done) result = 0;
    Py_XDECREF(done); Py_XDECREF(add); Py_XDECREF(numpy);
    return result;
}
"""

# The names that Theano uses of numpy/npy_3kcompat.h, which shrinks from release to release.
_NPY_3KCOMPAT = """\
#include <Python.h>
#ifndef NPY_PY3K
#define NPY_PY3K 1
#define PyInt_Check PyLong_Check
#define PyInt_AsLong PyLong_AsLong
#define PyInt_FromLong PyLong_FromLong
#define NpyCapsule_Check PyCapsule_CheckExact
#define NpyCapsule_AsVoidPtr(capsule) PyCapsule_GetPointer(capsule, NULL)
#define NpyCapsule_GetDesc(capsule) PyCapsule_GetContext(capsule)
#endif
"""

# NumPy 2's complex number is the C compiler's: it has no .real and .imag, and no C++ struct can inherit
# from it. {0} is 64 or 128, {1} half of it.
_COMPLEX_HEAD = """\
struct theano_complex{0} {{
                npy_float{1} real, imag;
                operator npy_complex{0}() const {{
                    npy_complex{0} z; memcpy(&z, this, sizeof z); return z; }}"""

_spell: Callable[[str], str] | None = None  # gives the name by which the BLAS in use knows "sgemm_"; None: by that one


def use_scipy_openblas() -> None:
    """Have BLAS called by the names of SciPy's wheels since 1.13: ``scipy_sgemm_`` for ``sgemm_``."""
    global _spell
    _spell = "scipy_{}".format


def _accelerate_name(name):
    return name.rstrip("_") + "$NEWLAPACK"


def use_new_accelerate() -> None:
    """Have BLAS called by Accelerate's names since macOS 13.3: ``sgemm$NEWLAPACK`` for ``sgemm_``.

    They are what Apple's headers make of ``sgemm_`` with ACCELERATE_NEW_LAPACK; Theano includes no header.
    The old names stay f2c's, whose ``sdot_`` returns a double.
    """
    global _spell
    _spell = _accelerate_name


@functools.cache
def _blas_names(spell):
    from theano.tensor.blas_headers import blas_header_text

    names = set(re.findall(r"\b([a-z0-9]+_(?:sub_)?)\(", blas_header_text()))
    names |= {"openblas_set_num_threads", "openblas_get_num_threads"}
    return "".join("#define {} {}\n".format(name, spell(name)) for name in sorted(names))


@after("theano.tensor.blas_headers")
def _accelerate_returns_floats(module):
    if _spell is _accelerate_name:  # Theano would test the old sdot_, and define another one
        module.detect_macos_sdot_bug.tested, module.detect_macos_sdot_bug.present = True, False


def mend(code: str) -> str:
    """The C code of a module, changed for today's headers."""
    if _spell and "void xerbla_(" in code:
        code = _blas_names(_spell) + code
    if NUMPY_2:  # the number for all axes, which MAXDIMS was before 2.0
        code = re.sub(r"\bNPY_MAXDIMS\b", "NPY_RAVEL_AXIS", code)
    # DimShuffle takes each axis of stride 0 for a new one and makes a stride up; an array of
    # numpy.broadcast_to has longer axes of stride 0, and was read past its end.
    for axis in ("nd_out - 1", "i"):
        code = code.replace(
            "if (strides[{}] == 0)\n".format(axis), "if (strides[{0}] == 0 && dimensions[{0}] <= 1)\n".format(axis)
        )
    # the names without a prefix, which ConvOp includes and does not use, are gone since NumPy 2.0
    code = code.replace("#include <numpy/noprefix.h>", "#include <numpy/ndarrayobject.h>")
    return code.replace('#include "numpy/npy_3kcompat.h"', _NPY_3KCOMPAT)


@after("theano.gof.cmodule")
def _mend_what_is_compiled(module):
    from . import digest

    # The flags are a part of a compiled module's key: a changed mend compiles all anew.
    # NumPy 2 shows a dtype's element size only to code that asks for NumPy 2.
    flags = ["-DMNIST_CNN_MENDS=0x" + digest()]
    if NUMPY_2:
        flags.append("-DNPY_TARGET_VERSION=NPY_2_0_API_VERSION")

    @wrap(module.GCC_compiler, "compile_args")
    def compile_args(old, *args, **kwargs):
        return old(*args, **kwargs) + flags

    @wrap(module.GCC_compiler, "compile_str")
    def compile_str(old, module_name, src_code, *args, **kwargs):
        return old(module_name, mend(src_code), *args, **kwargs)

    @wrap(module.DynamicModule, "code")
    def code(old, self):
        return mend(old(self))


if NUMPY_2:

    @after("theano.tensor.inc_code")
    def _mend_increment(module):
        module.inc_code = lambda: _INPLACE_INCREMENT

    @after("theano.scalar.basic")
    def _mend_complex(module):
        @wrap(module.Scalar, "c_support_code")
        def c_support_code(old, self):
            code = old(self)
            for bits in (64, 128):
                head = "struct theano_complex{0} : public npy_complex{0}\n            {{".format(bits)
                if code and head not in code:
                    raise ImportError("Theano's C code has no {!r}: it is another version".format(head))
                code = code.replace(head, _COMPLEX_HEAD.format(bits, bits // 2))
            return "#include <string.h>\n" + code if code else code
