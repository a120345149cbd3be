"""Hard examples more often than easy ones: the order of a training that has little time."""

import numpy as np
import theano
import theano.tensor as T

__all__ = ["Focus", "LOSSES"]

#: The name of the variable that holds a number for each example.
LOSSES = "losses of the examples"


class Focus:
    r"""Cuts epochs into mini-batches in which easy examples come less often [1]_.

    An epoch has as many steps as ever, and consists of several passes over the data. A pass leaves
    out `skip_easy` of the examples whose last loss was below the mean; which of them, chance
    decides anew. The first pass of a training has all examples, and so has its last epoch, when
    the learning rate is small.

    Parameters
    ----------
    count : int
        Number of examples.
    skip_easy : float
        In [0, 1).
    num_epochs : int
        Of the whole training.

    Notes
    -----
    What is known of an example is the loss of the last step that it was in, dropout and distortions
    included: to measure them all would take a pass. Losses are kept among the train step's
    variables, where a checkpoint finds them.

    References
    ----------
    .. [1] Z. Qin et al.: InfoBatch: Lossless training speed up by unbiased dynamic data pruning.
       ICLR 2024. https://arxiv.org/abs/2303.04947. Its gradients are rescaled so that their mean
       stays what it was; here they are not.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.focus import Focus
    >>> numbers, focus = np.arange(4), Focus(count=4, skip_easy=.999, num_epochs=3)
    >>> focus.losses.set_value(np.float32([.01, .01, .01, 2]))  # the last one is hard
    >>> rng = np.random.RandomState(0)
    >>> [n.item() for n, _ in focus.minibatches(numbers, numbers, 1, epoch=2, rng=rng)]
    [3, 3, 3, 3]
    """

    def __init__(self, count, skip_easy, num_epochs):
        self.skip_easy, self.num_epochs = skip_easy, num_epochs
        self.losses = theano.shared(np.full(count, -1, np.float32), LOSSES)  # -1: not known yet
        self.numbers = theano.shared(np.zeros(0, np.int64), "numbers of the batch")

    def remember(self, updates, losses):
        """Add the update with which a train step keeps its examples' losses.

        Parameters
        ----------
        updates : dict
            The train step's updates, from a shared variable to its next value.
        losses : Theano float32 vector
            Of the examples of a batch.

        Returns
        -------
        dict
            The updates, and that of the losses.
        """
        remembering = updates.copy()
        remembering[self.losses] = T.set_subtensor(self.losses[self.numbers], losses)
        return remembering

    def minibatches(self, inputs, targets, batch_size, epoch, rng):
        """Cut an epoch into mini-batches, as `mnist_cnn.data.iterate_minibatches` does.

        Parameters
        ----------
        inputs, targets : arrays
            As many of each, along their first axis.
        batch_size : int
            Examples in a batch.
        epoch : int
            Which one, from 1.
        rng : numpy.random.RandomState
            Where the order comes from.

        Yields
        ------
        inputs, targets : arrays
            Of `batch_size` examples. The step with one is done before the next is asked for.
        """
        order = np.zeros(0, np.int64)
        for _ in range(len(inputs) // batch_size):
            while len(order) < batch_size:
                order = np.concatenate([order, self._one_pass(epoch, rng)])
            excerpt, order = order[:batch_size], order[batch_size:]
            self.numbers.set_value(excerpt)
            yield inputs[excerpt], targets[excerpt]

    def _one_pass(self, epoch, rng):
        """The numbers of a pass' examples, in random order."""
        losses = self.losses.get_value(borrow=True)
        order = rng.permutation(len(losses))
        known = losses >= 0
        if epoch == self.num_epochs or not known.any():
            return order
        easy = known & (losses < losses[known].mean())
        return order[~easy[order] | (rng.uniform(size=len(order)) >= self.skip_easy)]
