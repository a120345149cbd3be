"""An exponential moving average of the weights, followed while they are trained."""

import lasagne

__all__ = ["decay_of", "follow"]


def decay_of(epochs, steps_per_epoch):
    """What a step leaves of an average that is to remember so many epochs.

    Parameters
    ----------
    epochs : float
    steps_per_epoch : int

    Returns
    -------
    float
        :math:`1 - 1 / s` for :math:`s` steps, at least one, in [0, 1).

    Examples
    --------
    >>> from mnist_cnn.training.ema import decay_of
    >>> decay_of(epochs=2, steps_per_epoch=500)
    0.999
    """
    return 1 - 1 / max(1.0, epochs * steps_per_epoch)


def follow(updates, network, averaged, decay):
    r"""Add the updates with which a second network follows the first one [1]_.

    .. math:: \bar w \leftarrow \bar w + (1 - d) (w - \bar w)

    Parameters
    ----------
    updates : dict
        The train step's updates, from a shared variable to its next value.
    network : lasagne Layer
        The output layer of the network that is trained.
    averaged : lasagne Layer
        That of a network of the same shape, with parameters of its own: :math:`\bar w`.
    decay : float
        :math:`d`, in [0, 1).

    Returns
    -------
    dict
        The updates, and those of the second network's parameters.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky: Acceleration of stochastic approximation by averaging.
       SIAM Journal on Control and Optimization 30, 1992.

    Examples
    --------
    >>> from mnist_cnn.training.ema import follow
    >>> import lasagne
    >>> layer = lasagne.layers.InputLayer((None, 1))
    >>> network, averaged = (lasagne.layers.DenseLayer(
    ...     layer, 1, W=lasagne.init.Constant(value), b=None) for value in (1, 0))
    >>> updates = follow({network.W: network.W}, network, averaged, decay=.75)
    >>> updates[averaged.W].eval().item()
    0.25
    """
    params = lasagne.layers.get_all_params(network, trainable=True)
    means = lasagne.layers.get_all_params(averaged, trainable=True)
    following = updates.copy()  # an ordered dict stays one
    for param, mean in zip(params, means):
        following[mean] = mean + (1 - decay) * (updates[param] - mean)
    return following
