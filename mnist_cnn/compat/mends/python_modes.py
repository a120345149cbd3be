"""Convolutions in the modes that run Ops' Python code: FAST_COMPILE, DebugMode, linker=py.

Theano uses CorrMM there, too, which has no Python code: "perform: MethodNotDefined". The abstract
convolution that it replaces has.
"""

import numpy as np

from ..import_hooks import after

__all__ = []


def _abstract(op, name):
    from theano.tensor.nnet import abstract_conv

    return getattr(abstract_conv, name)(
        border_mode=op.border_mode,
        subsample=op.subsample,
        filter_flip=False,
        filter_dilation=op.filter_dilation,
        num_groups=op.num_groups,
        unshared=op.unshared,
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


@after("theano.tensor.nnet.corr")
def _convolve_in_python(module):
    def convolve(self, node, inputs, outputs, params=None):
        _abstract(self, "AbstractConv2d").perform(node, inputs, outputs)

    def weights(self, node, inputs, outputs, params=None):
        images, gradients, *shape = inputs
        if not shape:
            shape = [
                _kernel_length(self, image, gradient, axis)
                for axis, (image, gradient) in enumerate(zip(images.shape[2:], gradients.shape[2:]))
            ]
        _abstract(self, "AbstractConv2d_gradWeights").perform(node, [images, gradients, np.asarray(shape)], outputs)

    def images(self, node, inputs, outputs, params=None):
        kernels, gradients, *shape = inputs
        if not shape:
            shape = [
                _image_length(self, kernel, gradient, axis)
                for axis, (kernel, gradient) in enumerate(zip(kernels.shape[-2:], gradients.shape[2:]))
            ]
        _abstract(self, "AbstractConv2d_gradInputs").perform(node, [kernels, gradients, np.asarray(shape)], outputs)

    module.CorrMM.perform = convolve
    module.CorrMM_gradWeights.perform = weights
    module.CorrMM_gradInputs.perform = images
