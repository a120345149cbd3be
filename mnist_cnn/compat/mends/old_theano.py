"""Names and keywords of Theano before 0.9, which Lasagne and old programs use."""

import sys
import types

import theano
import theano.sandbox
import theano.tensor.nnet
import theano.tensor.signal.pool

from ..import_hooks import wrap

__all__ = ["apply"]


def max_pool_2d(
    input: theano.Variable,
    ds: tuple[int, int],
    ignore_border: bool | None = None,
    st: tuple[int, int] | None = None,
    padding: tuple[int, int] = (0, 0),
    mode: str = "max",
) -> theano.Variable:
    """`theano.tensor.signal.pool.pool_2d` with its name and keywords of before Theano 0.9."""
    return theano.tensor.signal.pool.pool_2d(
        input, ws=ds, ignore_border=bool(ignore_border), stride=st, pad=padding, mode=mode
    )


def _add_downsample():
    # lasagne.layers.pool: "cannot import name 'downsample'"; the module went with Theano 0.9.
    downsample = types.ModuleType("theano.tensor.signal.downsample", "Pooling under its old name.")
    downsample.max_pool_2d = max_pool_2d
    sys.modules[downsample.__name__] = theano.tensor.signal.downsample = downsample


def _add_sandbox_cuda():
    # Old code asks the GPU back-end of before Theano 0.9 for a GPU and cuDNN. That module now only
    # imports nose, which few have: "No module named 'nose'".
    cuda = types.ModuleType("theano.sandbox.cuda", "Theano's first GPU back-end: absent.")
    cuda.cuda_enabled = False
    cuda.dnn = types.ModuleType("theano.sandbox.cuda.dnn", "Its cuDNN part: absent.")
    cuda.dnn.dnn_available = lambda: False
    sys.modules[cuda.__name__] = theano.sandbox.cuda = cuda
    sys.modules[cuda.dnn.__name__] = cuda.dnn


def _rename_image_shape():
    # Lasagne's layers use the keyword's old name: a warning at every layer.
    @wrap(theano.tensor.nnet, "conv2d")
    def conv2d(old, input, filters, input_shape=None, filter_shape=None, *args, image_shape=None, **kwargs):
        return old(input, filters, input_shape if image_shape is None else image_shape, filter_shape, *args, **kwargs)


def _renew_old_conv2d():
    # The convolution of before Theano 0.7, which old programs call, has slow gradients, and Theano's
    # optimizer does not replace it.
    def conv2d(input, filters, image_shape=None, filter_shape=None, border_mode="valid", subsample=(1, 1), **kwargs):
        return theano.tensor.nnet.conv2d(input, filters, image_shape, filter_shape, border_mode, subsample)

    theano.tensor.nnet.conv.conv2d = conv2d


def _note_choice_of_floatx():
    # Theano knows whether THEANO_FLAGS or .theanorc chose it, not whether the program did.
    option = type(theano.config).floatX

    @wrap(option, "filter")
    def note(old, value):
        option.is_default = False
        return old(value)


def apply() -> None:
    """Mend Theano, once, before Lasagne is imported."""
    _add_downsample()
    _add_sandbox_cuda()
    _rename_image_shape()
    _renew_old_conv2d()
    _note_choice_of_floatx()
