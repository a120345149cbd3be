"""``theano.sandbox.cuda.blas``: correlations by matrix products, which the CPU has too."""

from theano.tensor.nnet.corr import CorrMM, CorrMM_gradInputs, CorrMM_gradWeights
from theano.tensor.nnet.corr3d import Corr3dMM, Corr3dMM_gradInputs, Corr3dMM_gradWeights


def _with_pad(op, name):
    dimensions = 3 if "3d" in name else 2

    def make(border_mode="valid", subsample=(1,) * dimensions, pad=(0,) * dimensions):
        if isinstance(pad, str):  # "half" and "full" in early versions
            border_mode, pad = pad, (0,) * dimensions
        return op(border_mode=tuple(pad) if any(pad) else border_mode, subsample=tuple(subsample))

    make.__name__ = make.__qualname__ = name
    make.__doc__ = "Return `{}` for a border mode or a padding, and a stride.".format(op.__name__)
    return make


GpuCorrMM = _with_pad(CorrMM, "GpuCorrMM")
GpuCorrMM_gradWeights = _with_pad(CorrMM_gradWeights, "GpuCorrMM_gradWeights")
GpuCorrMM_gradInputs = _with_pad(CorrMM_gradInputs, "GpuCorrMM_gradInputs")
GpuCorr3dMM = _with_pad(Corr3dMM, "GpuCorr3dMM")
GpuCorr3dMM_gradWeights = _with_pad(Corr3dMM_gradWeights, "GpuCorr3dMM_gradWeights")
GpuCorr3dMM_gradInputs = _with_pad(Corr3dMM_gradInputs, "GpuCorr3dMM_gradInputs")
