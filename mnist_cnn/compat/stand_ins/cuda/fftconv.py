"""``theano.sandbox.cuda.fftconv``: convolutions, by matrix products here."""

from theano.tensor import nnet


def conv2d_fft(input, filters, image_shape=None, filter_shape=None, border_mode="valid", pad_last_dim=False):
    """Return `theano.tensor.nnet.conv2d` of images and filters."""
    return nnet.conv2d(input, filters, image_shape, filter_shape, border_mode)


def conv3d_fft(input, filters, image_shape=None, filter_shape=None, border_mode="valid", pad_last_dim=False):
    """Return `theano.tensor.nnet.conv3d` of volumes and filters."""
    return nnet.conv3d(input, filters, image_shape, filter_shape, border_mode)
