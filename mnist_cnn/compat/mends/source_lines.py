"""Single lines of Theano's Python that mean something else today, or that NumPy no longer takes.

Each new line gives on NumPy 1.23 what the old one gave, so that all versions run the same code.
"""

from ..imports import LINES

__all__ = []


def _substitute(module, *lines):
    LINES.setdefault("theano." + module, []).extend(lines)


# --- NumPy 2: numbers that would change without an error ----------------------------------------

# copy() of a RandomState shares its generator: a draw would move the generator that it was given.
_substitute("tensor.raw_random", ("from copy import copy", "from copy import deepcopy as copy"))

# NEP 50: a Python number takes the type of the NumPy number that it meets, even where the two are
# compared: 3.8 == np.float32(3.8) is True. T.constant(3.8) would be a float32 in a float64 graph.
_substitute(
    "scalar.basic",
    ("if np.all(x == x_):", "if np.all(np.asarray(x) == x_):"),
    ("data == converted_data):", "np.asarray(data) == converted_data):"),
    # a double, as long as Python's floats are; the result would be a float32 rounded to a double
    ("return np.float32(1.0) / x", "return np.float32(1.0) / np.asarray(x)"),
    # np.int8(300) is 44 where a downcast is allowed, no OverflowError
    ("converted_data = py_type(data)", "converted_data = np.asarray(data, py_type)[()]"),
    ("return py_type(data)", "return converted_data"))

# The mask is no int32: (x - y) & 0xffffffff was an int64.
_substitute("sandbox.rng_mrg", ("mask = 0xffffffff", "mask = np.int64(0xffffffff)"))

# --- what raises ------------------------------------------------------------------------------

# itemset, gone since NumPy 2.0
_substitute("tensor.blas", ("z.itemset(z * a + b * np.dot(x, y))", "z[()] = z * a + b * np.dot(x, y)"))
_substitute("compile.debugmode", ("storage_map[r][0].itemset(dr_vals[r][0])",
                                  "storage_map[r][0][()] = dr_vals[r][0]"))

# the identity of a bitwise "and", -1, does not go into an unsigned type since NumPy 2.0
_substitute("tensor.elemwise", ("variable.fill(self.scalar_op.identity)",
                                "variable.fill(np.asarray(self.scalar_op.identity, variable.dtype))"))

# a dtype of an object whose attribute `dtype` is a name, such as a variable, since NumPy 2.0
_substitute("misc.safe_asarray", (
    "dtype = np.dtype(dtype)", "dtype = np.dtype(dtype if isinstance(dtype, (type, str, np.dtype)) "
    "else getattr(dtype, 'dtype', dtype))"))

# tostring, gone since NumPy 2.3
_substitute("printing", ("x.tostring()", "x.tobytes()"))

# a list of slices as an index, an error since NumPy 1.23
_substitute("tensor.sort", ("axis=axis)[idx]", "axis=axis)[tuple(idx)]"))

# In C, all axes are -2**31 since NumPy 2.0 and MAXDIMS before; see NPY_RAVEL_AXIS in c_code.
_substitute("tensor.extra_ops", ("np.MAXDIMS if self.axis", "np.RAVEL_AXIS if self.axis"))
