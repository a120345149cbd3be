"""``theano.sandbox.cuda.type``: pickles of GPU arrays and their types are read as those of the CPU."""

import numpy as np
from theano.tensor import TensorType


class CudaNdarrayType(TensorType):
    """The type of arrays on the GPU; a call, and a pickle, give a float32 `TensorType`."""

    def __new__(cls, broadcastable=None, name=None, dtype=None):
        if broadcastable is None:  # pickle makes an empty instance first
            return super().__new__(cls)
        return TensorType("float32", broadcastable, name)

    def __setstate__(self, state):
        self.__class__ = TensorType
        self.__init__("float32", state["broadcastable"], state.get("name"))


def CudaNdarray_unpickler(npa):
    """Return the array of a pickled GPU array, which pickle calls by this name."""
    return np.asarray(npa)
