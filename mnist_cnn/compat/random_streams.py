"""The starts of Theano's random streams, without a loop in Python."""

import numpy as np
from theano.sandbox import rng_mrg

__all__ = ["apply", "stream_starts"]


def _times(A, B, m):
    """A times B modulo m, of numbers below 2**31: three products of two stay below 2**64."""
    return np.uint64(A) @ np.uint64(B) % np.uint64(m)


def stream_starts(rstate, n_streams):
    """States of MRG31k3p that lie 2**72 numbers apart.

    From the first k states the next k follow by one product, with the k-th power of the matrix that
    goes from a state to the next.

    Parameters
    ----------
    rstate : array
        The first state, int32 (6,).
    n_streams : int
        Number of states, at least 1.

    Returns
    -------
    array
        int32 (n_streams, 6).

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.compat.random_streams import stream_starts
    >>> stream_starts(np.full(6, 12345), 2)[1]
    array([1613322692,  623311037, 1722317882, 1563970864,  792350268,
            619030428], dtype=int32)
    """
    starts = np.empty((n_streams, 6), np.int32)
    starts[0] = rstate
    for words, power, m in ((slice(0, 3), rng_mrg.A1p72, rng_mrg.M1), (slice(3, 6), rng_mrg.A2p72, rng_mrg.M2)):
        k = 1
        while k < n_streams:
            starts[k : 2 * k, words] = _times(power, starts[: min(k, n_streams - k), words].T, m).T
            power, k = _times(power, power, m), 2 * k
    return starts


def _get_substream_rstates(self, n_streams, dtype, inc_rstate=True):
    starts = stream_starts(self.rstate, n_streams)
    if inc_rstate:
        self.inc_rstate()
    return starts


def _product_of_both_halves(v, A, m1, B, m2):
    return np.int32(np.concatenate([_times(A, v[:3], m1), _times(B, v[3:], m2)]))


def apply():
    """Have ``MRG_RandomStreams`` find the starts of its streams so: the same, sooner.

    Theano's own way compiles a module, and calls it for each of a dropout layer's 15,360 streams.

    Examples
    --------
    >>> import mnist_cnn  # calls it
    >>> from theano.sandbox.rng_mrg import MRG_RandomStreams
    >>> MRG_RandomStreams(seed=12345).get_substream_rstates(15360, "float32").shape
    (15360, 6)
    """
    rng_mrg.multMatVect = _product_of_both_halves
    rng_mrg.MRG_RandomStreams.get_substream_rstates = _get_substream_rstates
