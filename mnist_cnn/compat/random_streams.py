"""The first states of Theano's random streams, without a loop in Python."""

import numpy as np
from theano.sandbox import rng_mrg

__all__ = ["apply", "stream_starts"]


def _times(A, B, m):
    """A @ B modulo m, for numbers below 2**31: a sum of three products stays below 2**64."""
    return np.uint64(A) @ np.uint64(B) % np.uint64(m)


def stream_starts(rstate: np.ndarray, n_streams: int) -> np.ndarray:
    """States of MRG31k3p that lie 2**72 numbers apart.

    One product with the k-th power of the step's matrix turns the first k states into the next k.

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


def apply() -> None:
    """Have ``MRG_RandomStreams`` use `stream_starts`, which gives the same states.

    Theano compiles a module, and calls it for each of a dropout layer's 15,360 streams.
    """
    rng_mrg.multMatVect = _product_of_both_halves
    rng_mrg.MRG_RandomStreams.get_substream_rstates = _get_substream_rstates
