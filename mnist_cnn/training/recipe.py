"""How to train: the tutorial's plain way, and one that gets more out of the same network."""

import math

from .augment import distortions

__all__ = ["DISTORTIONS", "cosine", "best"]

#: How the better recipe distorts a digit: for `mnist_cnn.training.augment.distortions`.
DISTORTIONS = dict(rotation=12, scale=.12, shear=.12, shift=2, elastic=.8)


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


def best(num_epochs, learning_rate=0.05, **options):
    """The better recipe, as options of `mnist_cnn.train.train`; made for batches of 100.

    Everything in it was chosen on the validation digits: docs/accuracy.md.

    Parameters
    ----------
    num_epochs : int
        How long the training is to be; the schedule and the average are stretched to it.
    learning_rate : float
        The highest of the schedule.
    **options
        Other options, passed through.

    Returns
    -------
    dict
    """
    return dict(
        options,
        learning_rate=cosine(num_epochs, learning_rate, warm_up=min(1, num_epochs / 10)),
        augment=distortions(share=.5, **DISTORTIONS), average=num_epochs / 50, dropout=.2)
