"""Lasagne's Nesterov momentum as one Op for all parameters."""
from collections import OrderedDict

import lasagne
import numpy as np
import theano

from .layers import available
from .ops import NesterovUpdate

__all__ = ["nesterov_momentum"]


def nesterov_momentum(loss_or_grads, params, learning_rate, momentum=0.9):
    """Updates of stochastic gradient descent with Nesterov momentum.

    Equal to ``lasagne.updates.nesterov_momentum``, whose place it takes; and that very function
    where `available` says no or a parameter is not float32.

    Parameters
    ----------
    loss_or_grads : expression, or list of expressions
        The scalar loss, or its gradients.
    params : list of shared variables
        What the loss is minimized over.
    learning_rate, momentum : float, or float32 expression without dimensions
        The step size, and what a step leaves of the velocities.

    Returns
    -------
    OrderedDict
        The new value of each parameter and of each velocity, by the shared variable.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.fused import nesterov_momentum
    >>> import theano
    >>> w = theano.shared(np.float32([1, 2]))
    >>> updates = nesterov_momentum((w ** 2).sum(), [w], learning_rate=.1, momentum=.5)
    >>> step = theano.function([], updates=updates)
    >>> _ = step()
    >>> w.get_value()  # w - .1 * 2 w, and half of that way once more
    array([0.7, 1.4], dtype=float32)
    """
    if not available() or any(param.dtype != "float32" for param in params):
        return lasagne.updates.nesterov_momentum(loss_or_grads, params, learning_rate, momentum)
    params = list(params)
    gradients = lasagne.updates.get_or_compute_grads(loss_or_grads, params)
    velocities = [theano.shared(np.zeros(param.get_value(borrow=True).shape, "float32"),
                                broadcastable=param.broadcastable) for param in params]
    rates = [rate if isinstance(rate, theano.Variable) else np.asarray(rate, "float32")
             for rate in (learning_rate, momentum)]
    old = params + velocities
    return OrderedDict(zip(old, NesterovUpdate(len(params))(*(old + gradients + rates))))
