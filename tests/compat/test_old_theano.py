"""Old names of Theano's, and recurrent layers."""

import lasagne
import numpy as np
import pytest
import theano
import theano.tensor as T
from theano.tensor.signal.downsample import max_pool_2d


@pytest.mark.parametrize("mode", ["max", "average_inc_pad", "sum"])
def test_old_pooling_name(mode):
    x = np.random.RandomState(0).randn(2, 3, 6, 9).astype("float32")
    windows = x.reshape(2, 3, 3, 2, 3, 3)
    expected = {"max": np.max, "average_inc_pad": np.mean, "sum": np.sum}[mode](windows, axis=(3, 5))
    variable = T.ftensor4()
    pooled = max_pool_2d(variable, ds=(2, 3), ignore_border=True, mode=mode).eval({variable: x})
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


def test_old_code_finds_no_gpu():
    from theano.sandbox import cuda
    from theano.sandbox.cuda import dnn

    assert not cuda.cuda_enabled and not dnn.dnn_available()
    with pytest.raises(ImportError):
        import lasagne.layers.dnn  # noqa: F401


def test_recurrent_layers_run():
    """Lasagne's recurrent layers use scan, whose C loop newer Pythons cannot build."""
    l_in = lasagne.layers.InputLayer((2, 5, 3))
    l_rec = lasagne.layers.RecurrentLayer(
        l_in,
        num_units=4,
        nonlinearity=lasagne.nonlinearities.tanh,
        W_in_to_hid=lasagne.init.Uniform(1),
        W_hid_to_hid=lasagne.init.Uniform(1),
    )
    x = np.random.RandomState(0).randn(2, 5, 3).astype(theano.config.floatX)
    found = lasagne.layers.get_output(l_rec).eval({l_in.input_var: x})
    hidden, W_in, b, W_hid = lasagne.layers.get_all_param_values(l_rec)
    for t in range(5):
        hidden = np.tanh(x[:, t] @ W_in + b + hidden @ W_hid)
        np.testing.assert_allclose(found[:, t], hidden, rtol=1e-4, atol=1e-5)
