"""How to train: the tutorial's plain way, and one that gets more out of the same network."""

import math

from .augment import distortions

__all__ = ["cosine", "best"]


def cosine(num_epochs, peak, warm_up):
    r"""Make a schedule: a short way up, then down along half a cosine [1]_.

    .. math:: \eta(e) = \frac{peak}{2} \left(1 + \cos \pi \frac{e - w}{n - w}\right)
       \text{ from } e = w \text{ on, } peak \, e / w \text{ before}

    Parameters
    ----------
    num_epochs : int
        :math:`n`, where the rate comes to 0.
    peak : float
        The highest rate.
    warm_up : float
        :math:`w`, the epochs in which the rate rises from 0, less than `num_epochs`.

    Returns
    -------
    callable
        From the epochs done so far, a float, to the learning rate.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter: SGDR: Stochastic gradient descent with warm restarts.
       ICLR 2017. https://arxiv.org/abs/1608.03983
    """
    def schedule(epoch):
        if epoch < warm_up:
            return peak * epoch / warm_up
        share = min(1., (epoch - warm_up) / (num_epochs - warm_up))
        return peak / 2 * (1 + math.cos(math.pi * share))

    return schedule
