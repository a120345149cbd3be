"""Convolutions in the modes that run Ops' Python code: FAST_COMPILE, DebugMode, linker=py.

Theano uses CorrMM and Corr3dMM there, too, which have no Python code: "perform: MethodNotDefined". The abstract
convolutions that they replace have.
"""

import numpy as np

from ..import_hooks import after

__all__ = []


def _abstract(op, name):
    from theano.tensor.nnet import abstract_conv

    settings = {"unshared": op.unshared} if hasattr(op, "unshared") else {}  # in two dimensions alone
    return getattr(abstract_conv, name)(
        border_mode=op.border_mode,
        subsample=op.subsample,
        filter_flip=False,
        filter_dilation=op.filter_dilation,
        num_groups=op.num_groups,
        **settings,
    )


# An Op without a shape has strides of 1 and a border mode other than "half".


def _kernel_length(op, image, gradient, axis):
    if op.border_mode == "full":
        length = gradient - image + 1
    else:
        length = image - gradient + 1 + (0 if op.border_mode == "valid" else sum(op.border_mode[axis]))
    return (length - 1) // op.filter_dilation[axis] + 1


def _image_length(op, kernel, gradient, axis):
    kernel = (kernel - 1) * op.filter_dilation[axis] + 1
    if op.border_mode == "full":
        return gradient - kernel + 1
    return gradient + kernel - 1 - (0 if op.border_mode == "valid" else sum(op.border_mode[axis]))


def _convolve_in_python(module, op, abstract):
    def convolve(self, node, inputs, outputs, params=None):
        _abstract(self, abstract).perform(node, inputs, outputs)

    def weights(self, node, inputs, outputs, params=None):
        images, gradients, *shape = inputs
        if not shape:
            shape = [
                _kernel_length(self, image, gradient, axis)
                for axis, (image, gradient) in enumerate(zip(images.shape[2:], gradients.shape[2:]))
            ]
        _abstract(self, abstract + "_gradWeights").perform(node, [images, gradients, np.asarray(shape)], outputs)

    def images(self, node, inputs, outputs, params=None):
        kernels, gradients, *shape = inputs
        if not shape:
            lengths = kernels.shape[2 - gradients.ndim :]  # unshared kernels have more axes
            shape = [
                _image_length(self, kernel, gradient, axis)
                for axis, (kernel, gradient) in enumerate(zip(lengths, gradients.shape[2:]))
            ]
        _abstract(self, abstract + "_gradInputs").perform(node, [kernels, gradients, np.asarray(shape)], outputs)

    getattr(module, op).perform = convolve
    getattr(module, op + "_gradWeights").perform = weights
    getattr(module, op + "_gradInputs").perform = images


after("theano.tensor.nnet.corr")(lambda module: _convolve_in_python(module, "CorrMM", "AbstractConv2d"))
after("theano.tensor.nnet.corr3d")(lambda module: _convolve_in_python(module, "Corr3dMM", "AbstractConv3d"))
