"""``theano.sandbox.cuda.dnn``: cuDNN's functions by the CPU's Ops."""

import theano.tensor as T
from theano.tensor import nnet
from theano.tensor.nnet import abstract_conv, bn
from theano.tensor.signal import pool


def dnn_available():
    """Return False: there is no cuDNN."""
    return False


dnn_available.avail = False  # type: ignore[attr-defined]
dnn_available.msg = "Theano 0.10 removed this GPU back-end"  # type: ignore[attr-defined]


def dnn_version():
    """Raise an exception: there is no cuDNN whose version this could be."""
    raise Exception("We can't determine the cudnn version as it is not available", dnn_available.msg)


# --- convolutions ------------------------------------------------------------------------------


class GpuDnnConvDesc:
    """The description of a convolution; a call with the shapes of images and filters gives itself."""

    def __init__(self, border_mode, subsample=(1, 1), conv_mode="conv", precision=None, num_groups=1):
        self.keywords = dict(
            border_mode=border_mode, subsample=tuple(subsample), filter_flip=conv_mode == "conv", num_groups=num_groups
        )

    def __call__(self, *shapes):
        return self


class _Described:
    """An Op of cuDNN, which is called with two arrays, the output's array, and a description."""

    def __init__(self, *args, **kwargs):
        pass  # the choice of an algorithm


class GpuDnnConv(_Described):
    """The convolution of images with filters."""

    def __call__(self, img, kern, output, desc):
        conv = nnet.conv3d if img.ndim == 5 else nnet.conv2d
        return conv(img, kern, **desc.keywords)


class GpuDnnConvGradW(_Described):
    """The gradient of a convolution by the filters."""

    def __call__(self, img, topgrad, output, desc):
        name = "conv{}d_grad_wrt_weights".format(img.ndim - 2)
        return getattr(abstract_conv, name)(img, topgrad, _shape(output), **desc.keywords)


class GpuDnnConvGradI(_Described):
    """The gradient of a convolution by the images."""

    def __call__(self, kern, topgrad, output, desc):
        name = "conv{}d_grad_wrt_inputs".format(kern.ndim - 2)
        return getattr(abstract_conv, name)(topgrad, kern, _shape(output), **desc.keywords)


GpuDnnConv3d, GpuDnnConv3dGradW, GpuDnnConv3dGradI = GpuDnnConv, GpuDnnConvGradW, GpuDnnConvGradI


def _shape(output):
    return (None, None, *(output.shape[axis] for axis in range(2, output.ndim)))


def dnn_conv(
    img,
    kerns,
    border_mode="valid",
    subsample=(1, 1),
    conv_mode="conv",
    direction_hint=None,
    workmem=None,
    algo=None,
    precision=None,
    num_groups=1,
):
    """Return the convolution of images with filters; 'cross' as `conv_mode` leaves the filters unflipped."""
    return GpuDnnConv()(img, kerns, None, GpuDnnConvDesc(border_mode, subsample, conv_mode, num_groups=num_groups))


def dnn_conv3d(img, kerns, border_mode="valid", subsample=(1, 1, 1), *args, **kwargs):
    """Return the convolution of volumes with filters, as `dnn_conv` does for images."""
    return dnn_conv(img, kerns, border_mode, subsample, *args, **kwargs)


def dnn_gradweight(img, topgrad, kerns_shp, border_mode="valid", subsample=(1, 1), conv_mode="conv"):
    """Return the gradient of a convolution by the filters, whose shape is given."""
    output = T.AllocEmpty(img.dtype)(*(kerns_shp[axis] for axis in range(img.ndim)))
    return GpuDnnConvGradW()(img, topgrad, output, GpuDnnConvDesc(border_mode, subsample, conv_mode))


def dnn_gradinput(kerns, topgrad, img_shp, border_mode="valid", subsample=(1, 1), conv_mode="conv"):
    """Return the gradient of a convolution by the images, whose shape is given."""
    output = T.AllocEmpty(kerns.dtype)(*(img_shp[axis] for axis in range(kerns.ndim)))
    return GpuDnnConvGradI()(kerns, topgrad, output, GpuDnnConvDesc(border_mode, subsample, conv_mode))


# --- others ------------------------------------------------------------------------------------


def dnn_pool(img, ws, stride=None, mode="max", pad=None):
    """Return the pooled images or volumes; a window that is not full is left out, and the stride is 1 by default."""
    stride, pad = stride or (1,) * len(ws), pad or (0,) * len(ws)
    pooled = pool.pool_3d if len(ws) == 3 else pool.pool_2d
    if any(isinstance(length, T.TensorVariable) for length in ws):
        ws = T.as_tensor_variable(ws)  # a tuple of numbers would be compared with the padding
    return pooled(img, ws=ws, ignore_border=True, stride=stride, pad=pad, mode=mode)


def dnn_batch_normalization_train(inputs, gamma, beta, mode="per-activation", *args, **kwargs):
    """Return the normalized inputs, their means and inverse standard deviations, and running averages if given."""
    return bn.batch_normalization_train(inputs, gamma, beta, mode, *args, **kwargs)


def dnn_batch_normalization_test(inputs, gamma, beta, mean, var, mode="per-activation", epsilon=1e-4):
    """Return the inputs normalized by given means and variances."""
    return bn.batch_normalization_test(inputs, gamma, beta, mean, var, mode, epsilon)


class GpuDnnSoftmax:
    """Softmax over the channels at each pixel (mode 'channel'), or over an image ('instance')."""

    def __init__(self, tensor_format="bc01", algo="accurate", mode="channel"):
        channel = tensor_format.index("c")
        self.axes = (channel,) if mode == "channel" else tuple(axis for axis in range(4) if tensor_format[axis] != "b")
        self.log = algo == "log"

    def __call__(self, x):
        x = x - x.max(axis=self.axes, keepdims=True)
        total = T.exp(x).sum(axis=self.axes, keepdims=True)
        return x - T.log(total) if self.log else T.exp(x) / total
