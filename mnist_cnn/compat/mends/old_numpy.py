"""NumPy for Theano and Lasagne: a module with the old names and rules in front of today's.

NumPy itself stays unchanged, since other libraries test for its names.
"""

from __future__ import annotations

import functools
import importlib
import types
import warnings
from typing import Any, Literal

import numpy as np

from ..import_hooks import OLD_MODULES

__all__ = ["NUMPY_2", "old_numpy"]

NUMPY_2 = int(np.__version__.partition(".")[0]) >= 2


# --- types of dropped names: np.float and so on since 1.24, np.float_ and so on since 2.0 -------

_TYPES = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
    "long": int,
    "unicode": str,
    "float_": np.float64,
    "complex_": np.complex128,
    "cfloat": np.complex128,
    "singlecomplex": np.complex64,
    "longfloat": np.longdouble,
    "clongfloat": np.clongdouble,
    "longcomplex": np.clongdouble,
    "string_": np.bytes_,
    "unicode_": np.str_,
    "int0": np.intp,
    "uint0": np.uintp,
    "bool8": np.bool_,
    "object0": np.object_,
    "str0": np.str_,
    "bytes0": np.bytes_,
    "void0": np.void,
}

_CONSTANTS = {
    "Inf": np.inf,
    "Infinity": np.inf,
    "infty": np.inf,
    "PINF": np.inf,
    "NINF": -np.inf,
    "NaN": np.nan,
    "NAN": np.nan,
    "PZERO": 0.0,
    "NZERO": -0.0,
    "MAXDIMS": 64 if NUMPY_2 else 32,
    "RAVEL_AXIS": -(2**31) if NUMPY_2 else 32,  # axis=None in C
}


def _dtype_of(key):
    """The dtype of a type, a name, or an object with a dtype, which may be a name itself."""
    return np.dtype(key if isinstance(key, type) else getattr(key, "dtype", key))


class _Cast:
    def __getitem__(self, key):
        dtype = _dtype_of(key)
        return lambda x: np.asarray(x).astype(dtype)


def _find_common_type(array_types, scalar_types):
    """The common type of arrays and scalars, where a scalar counts only if its kind is greater."""
    arrays, scalars = (
        np.result_type(*types) if types else None
        for types in ([*map(np.dtype, array_types)], [*map(np.dtype, scalar_types)])
    )
    if arrays is None or scalars is None:
        return scalars if arrays is None else arrays
    kinds = "buifcSUVOMm"
    greater = kinds.index(scalars.kind) > kinds.index(arrays.kind)
    return np.result_type(arrays, scalars) if greater else arrays


# --- functions that took other arguments, or gave other results -------------------------------


def _named(dtype):
    """A dtype; NumPy 1.x also took an object whose attribute `dtype` is a name, such as a variable."""
    return dtype.dtype if isinstance(getattr(dtype, "dtype", None), str) else dtype


def _takes_named_dtype(function):
    @functools.wraps(function)
    def function_(shape, dtype=None, *args, **kwargs):
        return function(shape, _named(dtype), *args, **kwargs)

    return function_


def _wrap_round(values, dtype):
    """Integers out of a type's range wrap round; as in NumPy 1.x, none may be larger than a C long."""
    dtype = np.dtype(dtype)
    if values.dtype == object:  # the results of a Python function over arrays
        values = np.array(values.tolist())
    if values.dtype.kind not in "biuf" or dtype.kind not in "iu" or (values.dtype == np.uint64 and dtype.kind == "i"):
        raise OverflowError("Python int too large to convert to C long")
    return values.astype(dtype)


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool = True,
    order: Literal["K", "A", "C", "F"] | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    **kwargs: Any,
) -> np.ndarray:
    """`numpy.array` of NumPy 1.x: ``copy=False`` copies where it must, integers wrap round.

    Examples
    --------
    >>> from mnist_cnn.compat.mends.old_numpy import array
    >>> array([255, 256, -1], "uint8", copy=False).tolist()
    [255, 0, 255]
    """
    dtype = _named(dtype)
    # In NumPy 2, None is what False was.
    kwargs.update(copy=(copy or None) if NUMPY_2 else copy, order=order, subok=subok, ndmin=ndmin)
    try:
        return np.array(object, dtype, **kwargs)
    except OverflowError:
        if dtype is None:
            raise
        return _wrap_round(np.array(object, **kwargs), dtype)


def asarray(a: Any, dtype: Any = None, order: Literal["K", "A", "C", "F"] | None = None, **kwargs: Any) -> np.ndarray:
    """`numpy.asarray` of NumPy 1.x: integers wrap round."""
    dtype = _named(dtype)
    try:
        return np.asarray(a, dtype, order, **kwargs)
    except OverflowError:
        if dtype is None:
            raise
        return _wrap_round(np.asarray(a, order=order, **kwargs), dtype)


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    **kwargs: Any,
) -> np.ndarray | tuple[np.ndarray, ...]:
    """`numpy.unique` of NumPy 1.x, whose inverse is flat."""
    kwargs.update(return_index=return_index, return_inverse=return_inverse, return_counts=return_counts, axis=axis)
    result: Any = np.unique(ar, **kwargs)
    if return_inverse:
        place = 1 + bool(return_index)
        result = result[:place] + (result[place].reshape(-1),) + result[place + 1 :]
    return result


def linspace(start: Any, stop: Any, num: float = 50, *args: Any, **kwargs: Any) -> np.ndarray:
    """`numpy.linspace` of NumPy before 1.18, where a number of points may be a float."""
    return np.linspace(start, stop, int(num), *args, **kwargs)


# --- the module --------------------------------------------------------------------------------


class _OldNumPy(types.ModuleType):
    """Names that are not set in it are NumPy's, such as parts that NumPy imports at their first use."""

    def __getattr__(self, name):
        return getattr(np, name)


def _functions():
    core = getattr(np, "_core", None) or np.core
    exceptions = getattr(np, "exceptions", np)  # since 1.25
    return {
        "array": array,
        "asarray": asarray,
        "unique": unique,
        "linspace": linspace,
        "zeros": _takes_named_dtype(np.zeros),
        "ones": _takes_named_dtype(np.ones),
        "empty": _takes_named_dtype(np.empty),
        "cast": _Cast(),
        "core": core,
        # dropped by 2.0 and after it
        "product": np.prod,
        "cumproduct": np.cumprod,
        "sometrue": np.any,
        "alltrue": np.all,
        "round_": np.round,
        "row_stack": np.vstack,
        "asscalar": lambda a: np.asarray(a).item(),
        "alen": len,
        "trapz": getattr(np, "trapezoid", None) or np.trapz,
        "mat": np.asmatrix,
        "msort": lambda a: np.sort(a, axis=0),
        "in1d": lambda ar1, ar2, **kwargs: np.isin(np.ravel(ar1), ar2, **kwargs),
        "asfarray": lambda a, dtype=np.float64: np.asarray(
            a, dtype if np.issubdtype(dtype, np.inexact) else np.float64
        ),
        "sctypeDict": core.numerictypes.sctypeDict,
        "typeDict": core.numerictypes.sctypeDict,
        "sctype2char": lambda sctype: np.dtype(sctype).char,
        "obj2sctype": lambda rep, default=None: _dtype_of(rep).type,
        "issctype": lambda rep: isinstance(rep, (type, np.dtype)) and np.dtype(rep).type != np.object_,
        "issubsctype": lambda arg1, arg2: issubclass(_dtype_of(arg1).type, _dtype_of(arg2).type),
        "issubclass_": lambda arg1, arg2: isinstance(arg1, type) and issubclass(arg1, arg2),
        "maximum_sctype": lambda t: np.dtype({"f": "g", "c": "G", "i": "q", "u": "Q"}.get(np.dtype(t).kind, t)).type,
        "sctypes": {
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
            "float": [np.float16, np.float32, np.float64, np.longdouble],
            "complex": [np.complex64, np.complex128, np.clongdouble],
            "others": [bool, object, bytes, str, np.void],
        },
        "find_common_type": _find_common_type,
        # moved to numpy.exceptions
        **{
            name: getattr(exceptions, name)
            for name in ("ComplexWarning", "VisibleDeprecationWarning", "AxisError", "TooHardError")
        },
        "RankWarning": getattr(exceptions, "RankWarning", None) or np.RankWarning,
    }


def _make():
    old = _OldNumPy("numpy", np.__doc__)
    names = vars(old)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy 1.24 and 1.25 warn about names that they will drop
        names.update(
            (name, value)
            for name, value in vars(np).items()
            if not name.startswith("__") or name in ("__version__", "__path__", "__file__")
        )
        names.update(_TYPES, **_CONSTANTS)
        names.update(_functions())
    # Theano asks numpy.distutils, gone with Python 3.12, for NumPy's headers; for a BLAS only where
    # blas.ldflags is not set, which it always is.
    distutils = old.distutils = types.ModuleType("numpy.distutils")
    distutils.misc_util = types.SimpleNamespace(get_numpy_include_dirs=lambda: [np.get_include()])
    distutils.__config__ = None
    return old


def _skipif(condition, msg=""):
    import unittest  # tests alone need it

    return unittest.skipIf(condition() if callable(condition) else condition, msg)


class _OldTesting(types.ModuleType):
    """`numpy.testing` with the decorators of before NumPy 1.25; it is imported at its first use."""

    dec = types.SimpleNamespace(skipif=_skipif, knownfailureif=_skipif, slow=lambda test: test)

    def __getattr__(self, name):
        return getattr(importlib.import_module("numpy.testing"), name)


#: NumPy for old code
old_numpy = _make()

OLD_MODULES.update(
    {
        "numpy": old_numpy,
        "numpy.distutils": old_numpy.distutils,
        "numpy.distutils.__config__": old_numpy.distutils,
        "numpy.linalg.linalg": np.linalg,
        "numpy.testing": _OldTesting("numpy.testing"),
    }
)
