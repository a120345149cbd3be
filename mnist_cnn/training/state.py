"""The state of a training, which calls the callbacks."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import lasagne
import numpy as np

from ..datasets.card import DataCard
from ..storage.atomic import check_writable, keep_apart
from ..system.errors import Interrupted, MnistCnnError

if TYPE_CHECKING:
    from .callbacks import Callback
    from .config import Config
    from .engine import Engine

__all__ = ["Training", "one_at_a_time"]

_building, _mine = threading.RLock(), threading.local()


P = ParamSpec("P")
R = TypeVar("R")


def one_at_a_time(train: Callable[P, R]) -> Callable[P, R]:
    """Have threads that call a function build their networks one after the other.

    Lasagne draws initial weights from one generator for all threads, and Theano's compiler and cache
    are not thread-safe. After `Training.built` the trainings run in parallel.

    Parameters
    ----------
    train : callable
        It makes a `Training` and calls its `built`.

    Returns
    -------
    callable
        With the arguments and results of `train`.
    """

    @functools.wraps(train)
    def train_(*args, **kwargs):
        before = getattr(_mine, "turn", None)
        with contextlib.ExitStack() as turn:
            turn.enter_context(_building)
            _mine.turn = turn
            try:
                return train(*args, **kwargs)
            finally:
                _mine.turn = before

    return train_


class Training:
    """The state of a training, which calls the callbacks.

    Parameters
    ----------
    config : Config
    callbacks : sequence of Callback
        Called in this order.

    Attributes
    ----------
    history : list of tuples
        For each finished epoch the values of `mnist_cnn.storage.records.HISTORY_FIELDS`, without the
        last two of them with `all_data`.
    engine : Engine
    network : lasagne Layer
        The output layer of the network that is measured and saved.
    best_weights : list of arrays, or None
        Its parameters after the epoch of the best validation accuracy; None if unknown.
    train_fn : Theano function
    rng : numpy.random.RandomState
        The generator of the order of the examples.
    card : mnist_cnn.datasets.card.DataCard
        The data card.
    num_examples : int
        Training examples.
    steps_per_epoch : int
    remarks : list of str
        Lines for the report.
    reserved : list of paths
        Files that callbacks will write.
    saved : list of paths
        Files that callbacks have written.

    Examples
    --------
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.state import Training
    >>> run = Training(configure(num_epochs=3))
    >>> run.step_done(loss=.5, accuracy=.8)
    >>> run.epoch_done(loss=.4, accuracy=.9)
    >>> run.epoch, list(run.epochs_left)
    (2, [2, 3])
    """

    def __init__(self, config: Config, callbacks: Sequence[Callback] = ()) -> None:
        self.config, self.callbacks = config, callbacks
        self.history, self.saved, self.reserved, self.remarks = [], [], [], []
        self.network: lasagne.layers.Layer | None = None
        self.best_weights: list[np.ndarray] | None = None
        self._start_epoch()
        self.tell("on_build")

    def tell(self, event: str, *args: float) -> None:
        """Call a method of every callback that has it."""
        for callback in self.callbacks:
            getattr(callback, event, lambda *args: None)(self, *args)

    def reserve(self, *paths: Path | str) -> None:
        """Note files that a callback will write; MnistCnnError where one is not writable or is reserved already."""
        self.reserved += paths
        keep_apart((), self.reserved)
        for path in paths:
            check_writable(path)

    def built(
        self,
        engine: Engine,
        network: lasagne.layers.Layer,
        train_fn: Callable[..., object],
        rng: np.random.RandomState,
        y_train: np.ndarray,
        card: DataCard = DataCard(),
    ) -> None:
        """Note the compiled training and its data, before the first step."""
        self.card = card
        self.engine, self.network, self.train_fn, self.rng = engine, network, train_fn, rng
        self.num_examples = len(y_train)
        self.steps_per_epoch = self.num_examples // self.config.batch_size
        if getattr(_mine, "turn", None):
            _mine.turn.close()  # the next thread may build

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """A context for the steps, which calls `on_start`, `on_interrupt` and `on_close`."""
        try:
            self.tell("on_start")
            self._start_epoch()
            yield
        except Interrupted:
            self.tell("on_interrupt")
            raise
        finally:
            self.tell("on_close")

    def _start_epoch(self):
        self.sums, self.steps, self.started = np.zeros(2), 0, time.monotonic()

    @property
    def epoch(self) -> int:
        """The number of the current epoch, from 1."""
        return len(self.history) + 1

    @property
    def epochs_left(self) -> range:
        return range(self.epoch, self.config.num_epochs + 1)

    @property
    def best_epoch(self) -> int | None:
        """The last epoch with the best validation accuracy; None without validation."""
        if self.config.all_data or not self.history:
            return None
        return max(self.history, key=lambda record: (record[-1], record[0]))[0]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self.config.learning_rate_at(len(self.history) + self.steps / self.steps_per_epoch)

    def step_done(self, loss: float, accuracy: float) -> None:
        """Note a step; MnistCnnError where the loss is NaN or infinite."""
        _require_finite("training", loss)
        self.sums += loss, accuracy
        self.steps += 1
        self.tell("on_step")

    def epoch_done(self, loss: float, accuracy: float) -> None:
        """Note an epoch with its validation loss and accuracy; MnistCnnError where the loss is NaN or infinite."""
        _require_finite("validation", loss)  # checks the last step's update before it is saved
        validation = () if self.config.all_data else (loss, accuracy)
        self.history.append((self.epoch, time.monotonic() - self.started, *self.sums / self.steps, *validation))
        self._start_epoch()
        if self.network is not None and self.best_epoch == len(self.history):
            self.best_weights = lasagne.layers.get_all_param_values(self.network)
        self.tell("on_epoch")
        self.started = time.monotonic()  # excludes the time of the callbacks

    def finished(self) -> None:
        """Note the end of the last epoch; a callback may now set the weights for the test."""
        self.tell("on_finish")

    def tested(self, loss: float, accuracy: float) -> None:
        """Note the result on the test set."""
        self.tell("on_result", loss, accuracy)


def _require_finite(which, loss):
    """Raise MnistCnnError where the training diverged."""
    if not np.isfinite(loss):
        raise MnistCnnError(
            "the {} loss became {}: the learning rate is too high for this data and batch size; "
            "try a tenth of it".format(which, loss)
        )
