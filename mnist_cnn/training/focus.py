"""Mini-batches with hard examples more often than easy ones, for short trainings."""

from collections.abc import Iterator

import numpy as np
import theano
import theano.tensor as T

__all__ = ["Focus", "LOSSES"]

#: The name of the variable that holds a number for each example.
LOSSES = "losses of the examples"


class Focus:
    r"""Cuts epochs into mini-batches in which easy examples come less often [1]_.

    An epoch has the usual number of steps, and may have several passes over the data. A pass leaves
    out a random `skip_easy` of the examples whose last loss was below the mean. The first pass of a
    training has all examples. So has its last epoch, when the learning rate is small.

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
    The loss of an example is that of its last training step, with dropout and distortions; measuring
    all of them would cost a pass. The losses are a shared variable of the train step, so a checkpoint
    saves them.

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

    def __init__(self, count: int, skip_easy: float, num_epochs: int) -> None:
        self.skip_easy, self.num_epochs = skip_easy, num_epochs
        self.losses = theano.shared(np.full(count, -1, np.float32), LOSSES)  # -1: not known yet
        self.numbers = theano.shared(np.zeros(0, np.int64), "numbers of the batch")

    def remember(
        self, updates: dict[theano.Variable, theano.Variable], losses: theano.Variable
    ) -> dict[theano.Variable, theano.Variable]:
        """Add an update to a train step that stores the losses of its examples.

        Parameters
        ----------
        updates : dict
            The train step's updates, from a shared variable to its next value.
        losses : Theano float32 vector
            The losses of a batch.

        Returns
        -------
        dict
            With the update of the losses.
        """
        remembering = updates.copy()
        remembering[self.losses] = T.set_subtensor(self.losses[self.numbers], losses)
        return remembering

    def minibatches(
        self, inputs: np.ndarray, targets: np.ndarray, batch_size: int, epoch: int, rng: np.random.RandomState
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Cut an epoch into mini-batches, as `mnist_cnn.data.iterate_minibatches` does.

        Parameters
        ----------
        inputs, targets : arrays
            Of the same length.
        batch_size : int
        epoch : int
            The epoch's number, from 1.
        rng : numpy.random.RandomState

        Yields
        ------
        inputs, targets : arrays
            Of `batch_size` examples. The caller must make the step with a batch before it asks for the
            next one.
        """
        order: np.ndarray = np.zeros(0, np.int64)
        for _ in range(len(inputs) // batch_size):
            while len(order) < batch_size:
                order = np.concatenate([order, self._one_pass(epoch, rng)])
            excerpt, order = order[:batch_size], order[batch_size:]
            self.numbers.set_value(excerpt)
            yield inputs[excerpt], targets[excerpt]

    def _one_pass(self, epoch, rng):
        """The indices of the examples in a pass, in random order."""
        losses = self.losses.get_value(borrow=True)
        order = rng.permutation(len(losses))
        known = losses >= 0
        if epoch == self.num_epochs or not known.any():
            return order
        easy = known & (losses < losses[known].mean())
        return order[~easy[order] | (rng.uniform(size=len(order)) >= self.skip_easy)]
