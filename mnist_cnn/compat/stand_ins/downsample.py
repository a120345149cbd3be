"""``theano.tensor.signal.downsample``: pooling with the names and arguments of before Theano 0.9.

The window, stride and padding of an Op are arguments of its constructor here; today they are inputs of its node.
"""

import theano.tensor.signal.pool as pool
from theano.tensor.signal.pool import max_pool_2d_same_size  # noqa: F401


def max_pool_2d(input, ds, ignore_border=None, st=None, padding=(0, 0), mode="max"):
    """`theano.tensor.signal.pool.pool_2d` with its name and keywords of before Theano 0.9."""
    return pool.pool_2d(input, ws=ds, ignore_border=bool(ignore_border), stride=st, pad=padding, mode=mode)


class _WithWindow:
    """An old Op: it has the window, which its call hands to one of today's Ops."""

    def __init__(self, ds, ignore_border=False, st=None, padding=(0, 0), mode="max"):
        self.ds, self.ignore_border, self.padding, self.mode = tuple(ds), bool(ignore_border), tuple(padding), mode
        self.st = self.ds if st is None else tuple(st)

    def _apply(self, op, *inputs):
        return op(*inputs, self.ds, self.st, self.padding)


class DownsampleFactorMax(_WithWindow):
    """Pooling over the last two axes; an instance is called with the images."""

    @staticmethod
    def out_shape(imgshape, ds, ignore_border=False, st=None, padding=(0, 0)):
        """Return the shape of the pooled images; the arguments are those of before Theano 0.9."""
        return pool.Pool.out_shape(imgshape, ds, ignore_border, st, padding)

    def __call__(self, x):
        return self._apply(pool.Pool(self.ignore_border, mode=self.mode), x)


class DownsampleFactorMaxGrad(_WithWindow):
    """The gradient of pooling by the images: called with images, pooled images, and their gradient."""

    def __call__(self, x, maxout, gz):
        if self.mode == "max":
            return self._apply(pool.MaxPoolGrad(self.ignore_border), x, maxout, gz)
        return self._apply(pool.AveragePoolGrad(self.ignore_border, self.mode), x, gz)


class DownsampleFactorMaxGradGrad(_WithWindow):
    """The gradient of `DownsampleFactorMaxGrad` by its third argument: called with images, pooled images, gradient."""

    def __call__(self, x, maxout, gz):
        return self._apply(pool.DownsampleFactorMaxGradGrad(self.ignore_border), x, maxout, gz)
