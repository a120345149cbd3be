"""A reader of pickles that executes nothing.

Python's ``pickle`` calls any function that a file names. Data sets and weights are pickles of
dictionaries, lists, numbers, texts and arrays. This reader parses a pickle with ``pickletools``, which
executes nothing, and builds these objects itself. A few names stand for functions of this module; a
file with any other name is refused.
"""

import math
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["read_pickle"]

MAX_DEPTH = 10
MAX_DIMS = 5

#: The dtypes of arrays, as a pickle writes them.
TYPES = ("b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")


class _Name:
    """A global name in a pickle, with the function of this module that it stands for, if any."""

    def __init__(self, text, function):
        self.text, self.function = text, function


class _Array:
    """An array under construction; BUILD gives its shape and bytes."""

    value = None

    def build(self, state):
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _Type)):
            raise ValueError("its array does not hold numbers")
        self.value = _array(state[4], state[2], state[1], "F" if state[3] else "C")


class _Type:
    """An array's dtype; BUILD gives its byte order."""

    def __init__(self, letters, *_):
        letters = letters.decode("ascii") if isinstance(letters, bytes) else letters
        if letters not in TYPES:
            raise ValueError("its array has the type {!r}".format(letters)[:60])
        self.dtype = np.dtype(letters)

    def build(self, state):
        if not (
            isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "=", b"<", b">", b"|", b"=")
        ):
            raise ValueError("its array's type is invalid")
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Ordered(dict):
    """An OrderedDict; BUILD adds PyTorch's metadata, which is ignored."""

    def __init__(self, pairs=()):
        super().__init__()
        for pair in pairs:
            key, self[key] = pair

    def build(self, state):
        pass


def _array(content, kind, shape, order="C"):
    if not (
        isinstance(shape, tuple)
        and len(shape) <= MAX_DIMS
        and all(type(n) is int and 0 <= n < 2**31 for n in shape)
        and isinstance(content, (bytes, bytearray))
        and isinstance(kind, _Type)
        and order in ("C", "F")
    ):
        raise ValueError("its array does not hold numbers")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise ValueError("its array of shape {} has {} bytes".format(shape, len(content)))
    array = np.frombuffer(content, kind.dtype).reshape(shape, order=order)
    return array.astype(kind.dtype.newbyteorder("="), copy=False)


def _bytes_of(text, encoding):
    """Undo the encoding of bytes that Python 3 writes for protocol 2."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise ValueError("it calls _codecs.encode with other arguments than bytes need")
    return text.encode("latin1")


#: What the names of NumPy and Python stand for.
NAMES: dict = {
    "numpy.ndarray": None,
    "numpy.dtype": _Type,
    "_codecs.encode": _bytes_of,
    "collections.OrderedDict": _Ordered,
}
for _core in ("numpy.core", "numpy._core"):
    NAMES[_core + ".multiarray._reconstruct"] = lambda *_: _Array()
    NAMES[_core + ".numeric._frombuffer"] = _array

_PLAIN = {
    "BININT",
    "BININT1",
    "BININT2",
    "INT",
    "LONG",
    "LONG1",
    "FLOAT",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "UNICODE",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # Python 2's: bytes
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_MARK = object()


def read_pickle(
    content: bytes,
    names: Mapping[str, Callable[..., object] | None] | None = None,
    persistent: Callable[[Any], object] | None = None,
) -> Any:
    """Read a pickle of dictionaries, lists, tuples, numbers, texts and arrays of numbers.

    Parameters
    ----------
    content : bytes
        Of protocol 0 to 5, as Python 2 or 3 and NumPy write it.
    names : dict, optional
        From further global names to the functions that they stand for; None for a name that is never
        called.
    persistent : callable, optional
        From the persistent id of an object outside of the pickle to that object.

    Returns
    -------
    object
        Python 2's str objects are bytes.

    Raises
    ------
    ValueError
        When it is damaged, or holds any other name or type.

    Examples
    --------
    >>> import pickle
    >>> from mnist_cnn.datasets.pickles import read_pickle
    >>> read_pickle(pickle.dumps({"labels": [7, 2]}, protocol=2))
    {'labels': [7, 2]}
    """
    names = dict(NAMES, **names or {})
    stack, memo = [], {}

    def pop_mark():
        items = []
        while stack[-1] is not _MARK:
            items.append(stack.pop())
        stack.pop()
        return items[::-1]

    def name(module, name):
        text = "{}.{}".format(module, name)
        if text not in names:
            raise ValueError("it names {}, which no such file needs".format(text))
        return _Name(text, names[text])

    def call(function, arguments):
        if not isinstance(arguments, tuple):
            raise ValueError("it calls something without arguments")
        if not isinstance(function, _Name) or function.function is None:
            raise ValueError("it calls {}".format(getattr(function, "text", "an object without a name")))
        return function.function(*arguments)

    def append(items):
        if not isinstance(stack[-1], list):
            raise ValueError("it appends to an object that is not a list")
        stack[-1].extend(items)

    def set_items(target, items):
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError("it sets items of an object that is not a dictionary")
        for key, value in zip(items[::2], items[1::2]):
            if not isinstance(key, (str, bytes)):
                raise ValueError("a key is not a text")
            target[key] = value
        return target

    argument: Any
    try:
        for opcode, argument, _ in pickletools.genops(content):
            code = opcode.name
            if code in _PLAIN:
                stack.append(argument)
            elif code in _TEXTS:
                stack.append(argument.encode("latin1"))
            elif code in _CONSTANTS:
                stack.append(_CONSTANTS[code])
            elif code in _EMPTY:
                stack.append(_EMPTY[code]())
            elif code in ("PROTO", "FRAME"):
                pass
            elif code == "MARK":
                stack.append(_MARK)
            elif code in ("TUPLE1", "TUPLE2", "TUPLE3"):
                count = int(code[-1])
                stack[-count:] = [tuple(stack[-count:])]
            elif code == "TUPLE":
                stack.append(tuple(pop_mark()))
            elif code == "LIST":
                stack.append(pop_mark())
            elif code == "DICT":
                stack.append(set_items({}, pop_mark()))
            elif code in ("PUT", "BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif code == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif code in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif code == "APPEND":
                append([stack.pop()])
            elif code == "APPENDS":
                append(pop_mark())
            elif code == "SETITEM":
                value = stack.pop()
                set_items(stack[-2], [stack.pop(), value])
            elif code == "SETITEMS":
                items = pop_mark()
                set_items(stack[-1], items)
            elif code == "GLOBAL":
                stack.append(name(*argument.split(" ", 1)))
            elif code == "STACK_GLOBAL":
                last = stack.pop()
                stack.append(name(stack.pop(), last))
            elif code == "REDUCE":
                arguments = stack.pop()
                stack.append(call(stack.pop(), arguments))
            elif code == "BUILD":
                state = stack.pop()
                if not hasattr(stack[-1], "build"):
                    raise ValueError("it builds an object that is not an array")
                stack[-1].build(state)
            elif code == "BINPERSID" and persistent is not None:
                stack.append(persistent(stack.pop()))
            elif code == "STOP":
                return _finished(stack.pop(), MAX_DEPTH, {})
            else:
                raise ValueError("it uses {}, which no such file needs".format(code))
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeError, OverflowError, RecursionError) as error:
        raise ValueError("it is damaged") from error
    raise ValueError("it ends too soon")


def _finished(value, depth, done):
    """Replace each `_Array` in a value by its array; `done` holds the parts that are finished."""
    if isinstance(value, (_Name, _Type)):
        raise ValueError("it holds a name instead of a value")
    if not isinstance(value, (_Array, dict, list, tuple)):
        return value
    if depth == 0:
        raise ValueError("it is nested too deeply")
    if id(value) not in done:
        if isinstance(value, _Array):
            if value.value is None:
                raise ValueError("its array is empty")
            finished = value.value
        elif isinstance(value, dict):
            finished = {key: _finished(item, depth - 1, done) for key, item in value.items()}
        else:
            finished = type(value)(_finished(item, depth - 1, done) for item in value)
        done[id(value)] = value, finished
    return done[id(value)][1]
