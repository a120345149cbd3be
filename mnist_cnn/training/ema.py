"""An exponential moving average of the weights, computed during training."""

import lasagne
import theano

__all__ = ["decay_of", "follow"]


def decay_of(epochs: float, steps_per_epoch: int) -> float:
    """The decay of an average whose time constant is a number of epochs.

    Parameters
    ----------
    epochs : float
    steps_per_epoch : int

    Returns
    -------
    float
        :math:`1 - 1 / s`, in [0, 1), for a time constant of :math:`s` steps, at least one.

    Examples
    --------
    >>> from mnist_cnn.training.ema import decay_of
    >>> decay_of(epochs=2, steps_per_epoch=500)
    0.999
    """
    return 1 - 1 / max(1.0, epochs * steps_per_epoch)


def follow(
    updates: dict[theano.Variable, theano.Variable],
    network: lasagne.layers.Layer,
    averaged: lasagne.layers.Layer,
    decay: float,
) -> dict[theano.Variable, theano.Variable]:
    r"""Add updates to a train step that average the weights in a second network [1]_.

    .. math:: \bar w \leftarrow \bar w + (1 - d) (w - \bar w)

    Parameters
    ----------
    updates : dict
        The train step's updates, from a shared variable to its next value.
    network : lasagne Layer
        The output layer of the trained network, with the parameters :math:`w`.
    averaged : lasagne Layer
        The output layer of a second network of the same shape, with the parameters :math:`\bar w`.
    decay : float
        :math:`d`, in [0, 1).

    Returns
    -------
    dict
        The updates of both networks.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky: Acceleration of stochastic approximation by averaging.
       SIAM Journal on Control and Optimization 30, 1992.
    """
    params = lasagne.layers.get_all_params(network, trainable=True)
    means = lasagne.layers.get_all_params(averaged, trainable=True)
    following = updates.copy()  # an ordered dict stays one
    for param, mean in zip(params, means):
        following[mean] = mean + (1 - decay) * (updates[param] - mean)
    return following
