"""Pickles of Theano's GPU back-end are read as arrays and variables of the CPU where no GPU is in use.

Theano needs pygpu, or ``experimental.unpickle_gpu_on_cpu``, to read the arrays, and reads variables for a GPU only.
"""

from ..import_hooks import after

__all__ = []


@after("theano.gpuarray.type")
def _read_on_cpu(module):
    from theano.tensor import TensorConstant, TensorType, TensorVariable
    from theano.tensor.sharedvar import TensorSharedVariable

    from ..devices import on_device

    old = module.GpuArray_unpickler

    def GpuArray_unpickler(npa, ctx_name):
        return old(npa, ctx_name) if on_device() else npa

    def set_type(self, state):
        self.__dict__.update(state)
        if not on_device():
            self.__class__ = TensorType
            self.__init__(state["dtype"], state["broadcastable"], state.get("name"))

    def becomes(plain):
        def set_variable(self, state):
            self.__dict__.update(state)
            if not on_device():
                self.__class__ = plain

        return set_variable

    module.GpuArray_unpickler = GpuArray_unpickler
    module.GpuArrayType.__setstate__ = set_type
    module.GpuArrayVariable.__setstate__ = becomes(TensorVariable)
    module.GpuArrayConstant.__setstate__ = becomes(TensorConstant)
    module.GpuArraySharedVariable.__setstate__ = becomes(TensorSharedVariable)
