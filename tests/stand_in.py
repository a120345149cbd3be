"""A run as far as a checkpoint knows it, which takes no compiler."""

import numpy as np
import theano

from mnist_cnn.datasets.card import DataCard
from mnist_cnn.training import config, engine
from mnist_cnn.training.state import Training


class Step:
    """Stands for a compiled train step: weights, a count of steps, and the state of dropout."""

    def __init__(self):
        self.variables = [
            theano.shared(np.ones((3, 2), "float32")),
            theano.shared(np.array(7, "int64")),
            theano.shared(np.full((4, 6), 12345, "int32")),
        ]  # MRG_RandomStreams: a row a stream
        self.maker = self
        self.expanded_inputs = [Updated(variable.container) for variable in self.variables]


class Updated:
    def __init__(self, container):
        self.value, self.update = container, True


def a_run(batch_size=50, value=1, **options):
    """A run after an epoch."""
    run = Training(config.Config(batch_size=batch_size, **options))
    run.built(engine.Engine("fused"), None, Step(), np.random.RandomState(3), np.arange(500), DataCard("mnist"))
    run.history = [(1, 2.5, 0.4, 0.8) + (() if run.config.all_data else (0.3, 0.9))]
    run.train_fn.variables[0].set_value(np.full((3, 2), value, "float32"))
    return run


def state(run):
    """All that `load_checkpoint` may set, to be compared."""
    _, keys, *rest = run.rng.get_state()
    return (run.history, keys.tolist(), rest, [variable.get_value().tolist() for variable in run.train_fn.variables])
