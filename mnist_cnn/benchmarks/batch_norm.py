"""Batch normalization as Lasagne's master names it, for 0.1, which has none.

Written from the formula of S. Ioffe and C. Szegedy, Batch Normalization: Accelerating Deep Network
Training by Reducing Internal Covariate Shift, ICML 2015, https://arxiv.org/abs/1502.03167, with
master's class and arguments.
"""

from typing import Any

import theano
import theano.tensor as T
from lasagne import init
from lasagne.layers import Layer, NonlinearityLayer
from lasagne.nonlinearities import identity

__all__ = ["BatchNormLayer", "batch_norm"]


class BatchNormLayer(Layer):
    """Normalizes over `axes`, by the batch's mean and variance or, deterministic, by averages.

    Parameters
    ----------
    incoming : lasagne Layer
    axes : 'auto', int or tuple of int
        'auto' is all but the second.
    epsilon, alpha : float
        Added to the variance; the share of a batch in the averages.
    beta, gamma : lasagne initializer, optional
        Of shift and scale, a number for each channel; None leaves them out.
    """

    def __init__(
        self,
        incoming: Layer,
        axes: str | int | tuple[int, ...] = "auto",
        epsilon: float = 1e-4,
        alpha: float = 0.1,
        beta: init.Initializer | None = init.Constant(0),
        gamma: init.Initializer | None = init.Constant(1),
        **kwargs: Any,
    ) -> None:
        super().__init__(incoming, **kwargs)
        if axes == "auto":
            axes = (0,) + tuple(range(2, len(self.input_shape)))
        self.axes = (axes,) if isinstance(axes, int) else axes
        self.epsilon, self.alpha = epsilon, alpha
        shape = [n for axis, n in enumerate(self.input_shape) if axis not in self.axes]
        self.beta = None if beta is None else self.add_param(beta, shape, "beta")
        self.gamma = None if gamma is None else self.add_param(gamma, shape, "gamma")
        self.mean = self.add_param(init.Constant(0), shape, "mean", trainable=False)
        self.inv_std = self.add_param(init.Constant(1), shape, "inv_std", trainable=False)

    def get_output_for(self, input, deterministic=False, **kwargs):
        mean, inv_std = self.mean, self.inv_std
        if not deterministic:
            batch = (input.mean(self.axes), 1 / T.sqrt(input.var(self.axes) + self.epsilon))
            mean, inv_std = batch
            for average, value in zip((self.mean, self.inv_std), batch):
                moved = theano.clone(average, share_inputs=False)
                moved.default_update = (1 - self.alpha) * moved + self.alpha * value
                mean = mean + 0 * moved  # so that Theano finds the update
        places = iter(range(input.ndim))
        order = ["x" if axis in self.axes else next(places) for axis in range(input.ndim)]
        y = (input - mean.dimshuffle(order)) * inv_std.dimshuffle(order)
        if self.gamma is not None:
            y = y * self.gamma.dimshuffle(order)
        return y if self.beta is None else y + self.beta.dimshuffle(order)


def batch_norm(layer: Layer) -> Layer:
    """Normalize a layer before its nonlinearity and without its bias, as master's helper does.

    Parameters
    ----------
    layer : lasagne Layer
        With ``nonlinearity`` and ``b``; it is changed.

    Returns
    -------
    lasagne Layer
        The nonlinearity over the normalized layer.
    """
    nonlinearity, layer.nonlinearity = layer.nonlinearity, identity
    if layer.b is not None:
        del layer.params[layer.b]
        layer.b = None
    return NonlinearityLayer(BatchNormLayer(layer), nonlinearity)
