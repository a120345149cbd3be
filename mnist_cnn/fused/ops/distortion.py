"""Distorted images in C++: the fast form of `mnist_cnn.training.distortions.move_pixels`."""

from collections.abc import Callable

import theano
import theano.tensor as T
from theano.gof import Apply
from theano.gradient import grad_undefined

from .base import NativeOp, checked_tensor

__all__ = ["DistortImages", "compile_move_pixels"]


class DistortImages(NativeOp):
    """Images whose pixels are displaced, by bilinear interpolation.

    Notes
    -----
    Called with images (n, 1, rows, columns), factors (2, m, k) and fields (k, rows * columns), all
    float32, m at most n. Gives n images, float32. In the first m, pixel (y, x) is read at
    (y + down, x + right), with ``down = factors[0, i] @ fields`` and ``right = factors[1, i] @ fields``
    for image i; outside an image is 0. The others stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused.ops.distortion import DistortImages
    >>> image = np.float32([[[[0, 4, 0], [0, 8, 0], [0, 0, 0]]]])
    >>> factors = np.float32([0, 1]).reshape(2, 1, 1)
    >>> DistortImages()(image, factors, np.full((1, 9), .5, np.float32)).eval()[0, 0]
    array([[2., 2., 0.],
           [4., 4., 0.],
           [0., 0., 0.]], dtype=float32)
    """

    __props__ = ()
    header = "bindings/distortion.h"

    def make_node(self, images, factors, fields):
        inputs = [
            checked_tensor(images, "images", 4),
            checked_tensor(factors, "factors", 3),
            checked_tensor(fields, "fields", 2),
        ]
        return Apply(self, inputs, [inputs[0].type()])

    def infer_shape(self, node, shapes):
        return [shapes[0]]

    def grad(self, inputs, gradients):
        return [grad_undefined(self, k, x, "distorted images have no gradient here") for k, x in enumerate(inputs)]

    def c_code(self, node, name, inputs, outputs, sub):
        return self.call("distortion::distort_numpy", inputs, outputs, sub)


def compile_move_pixels() -> Callable:
    """Compile `mnist_cnn.training.distortions.move_pixels`.

    Returns
    -------
    callable
        Equal to it up to rounding, on as many threads as the training.
    """
    images, factors, fields = T.ftensor4("images"), T.ftensor3("factors"), T.fmatrix("fields")
    return theano.function([images, factors, fields], DistortImages()(images, factors, fields))
