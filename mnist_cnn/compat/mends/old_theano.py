"""Names and keywords of Theano before 0.9, which Lasagne and old programs use."""

import theano
import theano.tensor.nnet
import theano.tensor.signal.pool

from ..import_hooks import MOVED, import_when_asked, wrap

__all__ = ["apply"]

_STAND_INS = "mnist_cnn.compat.stand_ins."
MOVED.update(
    {
        # gone since Theano 0.9, and imported by Lasagne
        "theano.tensor.signal.downsample": _STAND_INS + "downsample",
        # the first GPU back-end; the module of today only imports nose, which few have
        "theano.sandbox.cuda": _STAND_INS + "cuda",
        **{
            "theano.sandbox.cuda." + name: _STAND_INS + "cuda." + name
            for name in "basic_ops blas blocksparse dnn fftconv neighbours rng_curand type var".split()
        },
        # what Theano had for Python 2, gone since 0.8 and 1.0
        "theano.compat.six": "six",
        "theano.compat.six.moves": "six.moves",
        "theano.compat.python2x": _STAND_INS + "python2x",
        "theano.gof.python25": _STAND_INS + "python2x",
        # the place of today's GPU back-end before Theano 0.9
        "theano.sandbox.gpuarray": "theano.gpuarray",
    }
)


def _rename_image_shape():
    # Lasagne's layers use the keyword's old name: a warning at every layer.
    @wrap(theano.tensor.nnet, "conv2d")
    def conv2d(old, input, filters, input_shape=None, filter_shape=None, *args, image_shape=None, **kwargs):
        return old(input, filters, input_shape if image_shape is None else image_shape, filter_shape, *args, **kwargs)


def _renew_old_conv2d():
    # The convolution of before Theano 0.7, which old programs call, has slow gradients, and Theano's
    # optimizer does not replace it.
    def conv2d(input, filters, image_shape=None, filter_shape=None, border_mode="valid", subsample=(1, 1), **kwargs):
        shapes = map(_numbers, (image_shape, filter_shape))
        return theano.tensor.nnet.conv2d(input, filters, *shapes, border_mode, subsample)

    theano.tensor.nnet.conv.conv2d = conv2d


def _numbers(shape):
    """A shape of numbers, None and Theano's constants without the constants, which today's `conv2d` does not take."""
    if shape is None:
        return None
    return [n if n is None else int(theano.tensor.get_scalar_constant_value(n)) for n in shape]


def _note_choice_of_floatx():
    # Theano knows whether THEANO_FLAGS or .theanorc chose it, not whether the program did.
    option = type(theano.config).floatX

    @wrap(option, "filter")
    def note(old, value):
        option.is_default = False
        return old(value)


def apply() -> None:
    """Mend Theano, once, before Lasagne is imported."""
    # Old programs take these modules as attributes, after an import of theano alone.
    import_when_asked("theano.sandbox", "cuda")
    import_when_asked("theano.tensor.signal", "downsample")
    _rename_image_shape()
    _renew_old_conv2d()
    _note_choice_of_floatx()
