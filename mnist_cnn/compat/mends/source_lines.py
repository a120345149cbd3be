"""Single lines of Theano's Python that mean something else today, or that NumPy no longer takes.

Each new line gives on NumPy 1.23 what the old one gave, so that all versions run the same code.
"""

from ..import_hooks import LINES

__all__ = []


def _substitute(module, *lines):
    LINES.setdefault("theano." + module, []).extend(lines)


# --- NumPy 2: numbers that would change without an error ----------------------------------------

# copy() of a RandomState shares its generator: a draw from the copy would advance the original.
_substitute("tensor.raw_random", ("from copy import copy", "from copy import deepcopy as copy"))

# NEP 50: a Python number takes the type of the NumPy number that it meets, even where the two are
# compared: 3.8 == np.float32(3.8) is True. T.constant(3.8) would be a float32 in a float64 graph.
_substitute(
    "scalar.basic",
    ("if np.all(x == x_):", "if np.all(np.asarray(x) == x_):"),
    ("data == converted_data):", "np.asarray(data) == converted_data):"),
    # the inverse of a Python float is a double; it would be a float32
    ("return np.float32(1.0) / x", "return np.float32(1.0) / np.asarray(x)"),
    # a sum of NumPy's numbers begins with a Python 0, which made it an int64 or a double: 100 + 100 of int8
    ("return sum(inputs)", "return sum(inputs, np.int64(0))"),
    # a Python float, from an array of doubles, times np.float32(.5), of a constant, was a double
    ("return inputs[idx]", "return np.asarray(inputs[idx])[()]"),
    # np.uint8(-128), where a graph says T.cast, is 128 as in C, no OverflowError
    ("return self.ctor(input)", "return np.asarray(input).astype(self.o_type.dtype)[()]"),
    # the angle of a number was computed in double precision
    ("return np.angle(x)", "return np.angle(np.asarray(x, np.result_type(x, np.float64)))"),
    # np.int8(300) is 44 where a downcast is allowed, no OverflowError
    ("converted_data = py_type(data)", "converted_data = np.asarray(data, py_type)[()]"),
    ("return py_type(data)", "return converted_data"),
)

# The mask is no int32: (x - y) & 0xffffffff was an int64.
_substitute("sandbox.rng_mrg", ("mask = 0xffffffff", "mask = np.int64(0xffffffff)"))

# --- what raises ------------------------------------------------------------------------------

# `sig` with the letter of the result's dtype, an error since NumPy 2.0
_substitute("scalar.basic", (", sig='f')", ", dtype='f')"))
_substitute("tensor.nnet.sigm", (", sig='f')", ", dtype='f')"))

# itemset, gone since NumPy 2.0
_substitute("tensor.blas", ("z.itemset(z * a + b * np.dot(x, y))", "z[()] = z * a + b * np.dot(x, y)"))
_substitute("compile.debugmode", ("storage_map[r][0].itemset(dr_vals[r][0])", "storage_map[r][0][()] = dr_vals[r][0]"))

# the identity of a bitwise "and", -1, is out of an unsigned type's range since NumPy 2.0
_substitute(
    "tensor.elemwise",
    ("variable.fill(self.scalar_op.identity)", "variable.fill(np.asarray(self.scalar_op.identity, variable.dtype))"),
)

# a dtype of an object whose attribute `dtype` is a name, such as a variable, since NumPy 2.0
_substitute(
    "misc.safe_asarray",
    (
        "dtype = np.dtype(dtype)",
        "dtype = np.dtype(dtype if isinstance(dtype, (type, str, np.dtype)) else getattr(dtype, 'dtype', dtype))",
    ),
)

# tostring, gone since NumPy 2.3
_substitute("printing", ("x.tostring()", "x.tobytes()"))

# a list of slices as an index, an error since NumPy 1.23: all pooling in Python
_substitute("tensor.sort", ("axis=axis)[idx]", "axis=axis)[tuple(idx)]"))

# partition and argpartition have different orders since NumPy 2.0: topk's values came in another order alone than
# with their indices, which the gradient uses
_substitute(
    "tensor.sort",
    (
        "np.partition(x, -k, axis=axis)[tuple(idx)]",
        "np.take_along_axis(x, np.argpartition(x, -k, axis=axis), axis)[tuple(idx)]",
    ),
)
_substitute(
    "tensor.signal.pool",
    ("yk[[region_slices[i][r[i]] for i in xrange(nd)]]", "yk[tuple(region_slices[i][r[i]] for i in xrange(nd))]"),
    ("gxk[region_slice] += val", "gxk[tuple(region_slice)] += val"),
)

# attributes of a Pickler and an Unpickler, read-only since Python 3.13
_substitute(
    "misc.pkl_utils",
    (
        "p = pickle.Pickler(f, protocol=protocol)\n            p.persistent_id = persistent_id(zip_file)\n",
        "p = type('Pickler', (pickle.Pickler,), {'persistent_id': staticmethod(persistent_id(zip_file))})"
        "(f, protocol=protocol)\n",
    ),
    (
        "p = pickle.Unpickler(BytesIO(zip_file.open('pkl').read()))\n"
        "        p.persistent_load = persistent_load(zip_file)\n",
        "p = type('Unpickler', (pickle.Unpickler,), {'persistent_load': staticmethod(persistent_load(zip_file))})"
        "(BytesIO(zip_file.open('pkl').read()))\n",
    ),
)

# In C, all axes are -2**31 since NumPy 2.0 and MAXDIMS before; see NPY_RAVEL_AXIS in c_code.
_substitute("tensor.extra_ops", ("np.MAXDIMS if self.axis", "np.RAVEL_AXIS if self.axis"))

# --- what NumPy 1.23 brought --------------------------------------------------------------------

# The strides of empty arrays are 0, which Theano refuses: "some matrix has no unit stride". BLAS needs strides
# other than 0, even for empty matrices.
for _name in "xyz":
    _substitute(
        "tensor.blas",
        *(
            (old.format(_name), new.format(_name))
            for old, new in (
                ("(S{0}[1] == type_size || N{0}[1]==1)", "(S{0}[1] == type_size || N{0}[1]<=1 || N{0}[0]==0)"),
                ("s{0}_0 = (N{0}[0] > 1) ?", "s{0}_0 = (N{0}[0] > 1 && N{0}[1] > 0) ?"),
                (
                    "s{0}_1 = (N{0}[1] > 1) ? S{0}[1]/type_size : (N{0}[0]",
                    "s{0}_1 = (N{0}[1] > 1 && N{0}[0] > 0) ? S{0}[1]/type_size : (N{0}[0]",
                ),
                # of three-dimensional arrays
                ("(S{0}[2] == type_size || N{0}[2] == 1)", "(S{0}[2] == type_size || N{0}[2]<=1 || N{0}[1]==0)"),
                (
                    "s{0}_1 = (N{0}[1] > 1) ? S{0}[1]/type_size : (N{0}[2]",
                    "s{0}_1 = (N{0}[1] > 1 && N{0}[2] > 0) ? S{0}[1]/type_size : (N{0}[2]",
                ),
                ("s{0}_2 = (N{0}[2] > 1) ?", "s{0}_2 = (N{0}[2] > 1 && N{0}[1] > 0) ?"),
            )
        ),
    )
_substitute(
    "tensor.blas_c",
    (
        "if (PyArray_STRIDES(%(Z)s)[0] == elemsize)",
        "if (Nz0 * Nz1 == 0) {} else if (PyArray_STRIDES(%(Z)s)[0] == elemsize)",
    ),
)

# --- what is wrong on any Python ------------------------------------------------------------------

# The copy of a function ran its nodes in an order that overwrites values before they are read.
_substitute(
    "compile.function_module",
    ("# Re initialize Outs and swap update and variable in Ins", "fg_cpy.attach_feature(gof.DestroyHandler())"),
)
