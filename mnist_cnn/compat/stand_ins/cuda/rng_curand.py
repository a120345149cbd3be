"""``theano.sandbox.cuda.rng_curand``: random numbers by the generator MRG."""

from theano.sandbox.rng_mrg import MRG_RandomStreams


class CURAND_RandomStreams(MRG_RandomStreams):
    """Streams of random numbers; they are others than a GPU's of the same seed."""
