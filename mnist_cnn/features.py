"""What the network computes on the way from an image to its answer, as arrays."""

import theano
import theano.tensor as T

__all__ = ["feature_maps"]


def feature_maps(kernels, images):
    """Convolve images with kernels, as the first layer does before its bias and rectifier.

    It is a true convolution: Theano flips the kernels, as mathematics does and most of the
    field's libraries do not.

    Parameters
    ----------
    kernels : array
        (maps, channels, rows, columns), e.g. ``arr_0`` of a saved model.
    images : array
        (n, channels, rows, columns).

    Returns
    -------
    array
        (n, maps, rows - kernel rows + 1, columns - kernel columns + 1), where the kernel lies
        wholly within the image.
    """
    inputs = T.tensor4("inputs")
    convolve = theano.function([inputs], T.nnet.conv2d(inputs, kernels.astype(inputs.dtype)))
    return convolve(images.astype(inputs.dtype))
