"""A reader of pickles that executes nothing.

Python's ``pickle`` runs what a file tells it to run. CIFAR-10's python version is a pickle of a
dictionary of numbers, texts and one array of bytes. This reader takes a pickle apart with
``pickletools``, which only parses, and puts together dictionaries, lists, tuples, numbers, texts
and arrays of bytes by itself. No name in a file is ever looked up; where one stands for anything
but NumPy's way of writing an array, the file is refused.
"""

import pickletools

import numpy as np

__all__ = ["read_pickle"]

MAX_DEPTH = 10


class _Name:
    """A global name in a pickle; nothing is ever made of it."""

    def __init__(self, module, name):
        self.text = "{}.{}".format(module, name)


class _Array:
    """An array that is being put together: its shape, and its bytes once BUILD gives them."""

    def __init__(self):
        self.value = None


_MARK = object()
_TYPE = object()  # of unsigned bytes
_CORE = ("numpy.core.multiarray", "numpy._core.multiarray")
_NAMES = {core + "._reconstruct" for core in _CORE} | {"numpy.ndarray", "numpy.dtype",
                                                      "_codecs.encode"}


def _array(shape, content):
    if not (isinstance(shape, tuple) and 1 <= len(shape) <= 4
            and all(isinstance(n, int) and 0 <= n < 2 ** 31 for n in shape)
            and isinstance(content, bytes)):
        raise ValueError("its array is none of bytes")
    size = 1
    for n in shape:
        size *= n
    if size != len(content):
        raise ValueError("its array of shape {} has {} bytes".format(shape, len(content)))
    return np.frombuffer(content, np.uint8).reshape(shape)


def _call(function, arguments):
    """What a pickle's call of a known name stands for."""
    text = function.text if isinstance(function, _Name) else "something that is no name"
    if text.endswith("._reconstruct"):
        return _Array()
    if text == "numpy.dtype" and arguments[:1] in (("u1",), (b"u1",)):
        return _TYPE
    if text == "_codecs.encode" and len(arguments) == 2 and isinstance(arguments[0], str) \
            and arguments[1] in ("latin1", b"latin1"):
        return arguments[0].encode("latin1")  # how Python 3 writes bytes for Python 2
    raise ValueError("it calls {}".format(text))


def _build(target, state):
    """What a pickle's BUILD stands for: an array's shape and content, or a type's byte order."""
    if target is _TYPE:
        return
    if not (isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5
            and state[2] is _TYPE and not state[3]):
        raise ValueError("its array is none of bytes in C's order")
    target.value = _array(state[1], state[4])


def read_pickle(content):
    """Read a pickle of dictionaries, lists, tuples, numbers, texts and arrays of bytes.

    Parameters
    ----------
    content : bytes
        Of protocol 2 to 4, as Python 2 or 3 and NumPy write it.

    Returns
    -------
    object
        Texts that Python 2 wrote are bytes; arrays are uint8.

    Raises
    ------
    ValueError
        When it is no such pickle, or names anything else.

    Examples
    --------
    >>> import pickle
    >>> from mnist_cnn.datasets.pickles import read_pickle
    >>> read_pickle(pickle.dumps({"labels": [7, 2]}, protocol=2))
    {'labels': [7, 2]}
    """
    stack, memo = [], {}

    def pop_mark():
        items = []
        while stack[-1] is not _MARK:
            items.append(stack.pop())
        stack.pop()
        return items[::-1]

    def name(module, name):
        if not isinstance(module, str) or not isinstance(name, str) \
                or "{}.{}".format(module, name) not in _NAMES:
            raise ValueError("it names {}.{}, which no data set needs".format(module, name))
        return _Name(module, name)

    def append(items):
        if not isinstance(stack[-1], list):
            raise ValueError("it appends to what is no list")
        stack[-1].extend(items)

    def set_items(items):
        if not isinstance(stack[-1], dict) or len(items) % 2:
            raise ValueError("it sets items of what is no dictionary")
        for key, value in zip(items[::2], items[1::2]):
            if not isinstance(key, (str, bytes)):
                raise ValueError("a key is no text")
            stack[-1][key] = value

    plain = {"BININT", "BININT1", "BININT2", "SHORT_BINSTRING", "BINSTRING", "BINUNICODE",
             "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "LONG1"}
    constants = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
    try:
        for opcode, argument, _ in pickletools.genops(content):
            code = opcode.name
            if code in plain:
                if isinstance(argument, str) and code.endswith("BINSTRING"):
                    argument = argument.encode("latin1")
                stack.append(argument)
            elif code in constants:
                stack.append(constants[code])
            elif code in ("PROTO", "FRAME"):
                pass
            elif code == "MARK":
                stack.append(_MARK)
            elif code == "EMPTY_DICT":
                stack.append({})
            elif code == "EMPTY_LIST":
                stack.append([])
            elif code == "EMPTY_TUPLE":
                stack.append(())
            elif code in ("TUPLE1", "TUPLE2", "TUPLE3"):
                count = int(code[-1])
                stack[-count:] = [tuple(stack[-count:])]
            elif code == "TUPLE":
                stack.append(tuple(pop_mark()))
            elif code in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif code == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif code in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif code == "APPEND":
                append([stack.pop()])
            elif code == "APPENDS":
                append(pop_mark())
            elif code == "SETITEM":
                value = stack.pop()
                set_items([stack.pop(), value])
            elif code == "SETITEMS":
                set_items(pop_mark())
            elif code == "GLOBAL":
                stack.append(name(*argument.split(" ", 1)))
            elif code == "STACK_GLOBAL":
                last = stack.pop()
                stack.append(name(stack.pop(), last))
            elif code == "REDUCE":
                arguments = stack.pop()
                if not isinstance(arguments, tuple):
                    raise ValueError("it calls something without arguments")
                stack.append(_call(stack.pop(), arguments))
            elif code == "BUILD":
                state = stack.pop()
                _build(stack[-1], state)
            elif code == "STOP":
                return _finished(stack.pop(), MAX_DEPTH)
            else:
                raise ValueError("it uses {}, which no data set needs".format(code))
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeError, OverflowError,
            RecursionError) as error:
        raise ValueError("it is damaged") from error
    raise ValueError("it ends too soon")


def _finished(value, depth):
    """A value with its arrays in their places; lists of numbers and texts are left as they are."""
    if depth == 0:
        raise ValueError("it lies too deep")
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("its array is empty")
        return value.value
    if isinstance(value, dict):
        return {key: _finished(item, depth - 1) for key, item in value.items()}
    return value
