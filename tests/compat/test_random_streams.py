"""The starts of random streams, against Theano's own loop."""

import importlib.util

import numpy as np
import pytest
import theano
from theano.sandbox import rng_mrg

SEEDS = [12345, 1, 2147462578, [1, 2, 3, 4, 5, 6], [0, 0, 2147483646, 2147462578, 0, 0]]


@pytest.fixture(scope="module")
def theanos():
    """Theano's module as it is in its file; its optimizations are registered already."""
    spec = importlib.util.spec_from_file_location("theano.sandbox.rng_mrg_as_it_was", rng_mrg.__file__)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theano.compile.optdb, "register", lambda *args, **kwargs: None)
        spec.loader.exec_module(module)
    with theano.change_flags(mode="FAST_COMPILE"):  # in Python: no module of it in Theano's cache
        module.ff_2p72(np.ones(6, np.int32))
    return module


@pytest.mark.parametrize("seed", SEEDS)
def test_starts_are_theanos(theanos, seed):
    ours, other = rng_mrg.MRG_RandomStreams(seed), theanos.MRG_RandomStreams(seed)
    for n_streams in (1, 2, 3, 64, 100, 1025):  # one generator: each set begins where the last ended
        got = ours.get_substream_rstates(n_streams, "float32")
        np.testing.assert_array_equal(got, other.get_substream_rstates(n_streams, "float32"))
        assert got.dtype == np.int32
        np.testing.assert_array_equal(ours.rstate, other.rstate)


def test_as_many_as_a_dropout_layer_asks_for(theanos):
    ours, other = rng_mrg.MRG_RandomStreams(7), theanos.MRG_RandomStreams(7)
    np.testing.assert_array_equal(
        ours.get_substream_rstates(15360, "float32", inc_rstate=False),
        other.get_substream_rstates(15360, "float32", inc_rstate=False),
    )
    np.testing.assert_array_equal(ours.rstate, np.full(6, 7))


def test_seeding_again_begins_again():
    streams = rng_mrg.MRG_RandomStreams(3)
    streams.uniform((4, 5))
    ((state, _, _, _),) = streams.state_updates
    before = state.get_value()
    state.set_value(before[::-1])
    streams.seed()
    np.testing.assert_array_equal(state.get_value(), before)
