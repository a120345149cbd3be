"""Callbacks of the training loop: the report, saved files, Ctrl-C.

A callback is any object with some of the methods of `Callback`, which
`mnist_cnn.training.state.Training` calls.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import lasagne

from .. import compat
from ..model import save_weights
from ..storage.film import quantize, thin_out
from ..storage.records import (
    history_path,
    load_film,
    load_snapshots,
    require_own_names,
    save_history,
    save_snapshots,
    snapshots_path,
)
from ..system.errors import Interrupted, MnistCnnError
from ..system.progress import progress_bar
from ..system.signals import signals
from .checkpoint import load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from tqdm import tqdm

    from .state import Training

__all__ = ["Callback", "Report", "SaveWeights", "Checkpoint", "Snapshots", "StopRequests"]


class Callback:
    """The events of a run. Each method gets the `Training`.

    Examples
    --------
    >>> from mnist_cnn.training.callbacks import Callback
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.state import Training
    >>> class Watch(Callback):
    ...     def on_epoch(self, run):
    ...         print("epoch {}: {:.1f} % on validation".format(
    ...             len(run.history), 100 * run.history[-1][-1]))
    >>> run = Training(configure(), [Watch()])  # as `mnist_cnn.training.trainer.train` makes it
    >>> run.step_done(loss=.5, accuracy=.8)
    >>> run.epoch_done(loss=.4, accuracy=.9)
    epoch 1: 90.0 % on validation
    """

    #: The files that it writes.
    outputs: Sequence[Path | str] = ()

    def on_build(self, run: Training) -> None:
        """Before the network is built."""

    def on_start(self, run: Training) -> None:
        """Before the first step. A resumed run loads its checkpoint here."""

    def on_step(self, run: Training) -> None:
        """After each training step."""

    def on_epoch(self, run: Training) -> None:
        """After each epoch's validation, whose record is the last of `run.history`."""

    def on_interrupt(self, run: Training) -> None:
        """After Ctrl-C or SIGTERM."""

    def on_close(self, run: Training) -> None:
        """At the end of the last step, after an error or an interruption too."""

    def on_finish(self, run: Training) -> None:
        """After the last epoch, before the test set."""

    def on_result(self, run: Training, loss: float, accuracy: float) -> None:
        """After the test set."""


def _say(line):
    """Print a line; the run goes on where the reader has closed the pipe."""
    with contextlib.suppress(OSError):
        print(line)


class Report(Callback):
    """Print the tutorial's report, and show a progress bar on a terminal.

    Parameters
    ----------
    quiet : bool
        Whether to print nothing but the final results.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.say = (lambda line: None) if quiet else _say
        self.quiet = quiet
        self.bar: tqdm | None = None

    def on_build(self, run: Training) -> None:
        self.say("Building model and compiling functions...")
        if compat.compile_cache_is_empty():
            self.say("  (Theano compiles C++ for this machine, once: about half a minute)")

    def on_start(self, run: Training) -> None:
        for remark in filter(None, [run.engine.remark, *run.remarks]):
            self.say("  ({})".format(remark))
        if run.history:
            self.say("Going on in epoch {}".format(run.epoch))
        if run.config.all_data:
            self.say(
                "Training on all digits: the validation digits are among them, so that nothing is left to validate on"
            )
        self.say("Starting training...")

    def on_step(self, run: Training) -> None:
        if self.bar is None:
            self.bar = progress_bar(self.quiet, total=run.steps_per_epoch, unit="batch", leave=False)
        self.bar.update()

    def on_epoch(self, run: Training) -> None:
        self.on_close(run)
        epoch, seconds, *measured = run.history[-1]
        self.say("Epoch {} of {} took {:.3f}s".format(epoch, run.config.num_epochs, seconds))
        for part, loss, accuracy in zip(("training", "validation"), measured[::2], measured[1::2]):
            self.say("  {} loss:\t\t{:.6f}".format(part, loss))
            self.say("  {} accuracy:\t\t{:.2f} %".format(part, accuracy * 100))

    def on_interrupt(self, run: Training) -> None:
        self.on_close(run)
        saved = ", ".join(map(str, run.saved)) or "nothing"
        self.say("Interrupted in epoch {}; saved: {}".format(min(run.epoch, run.config.num_epochs), saved))

    def on_close(self, run: Training) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def on_result(self, run: Training, loss: float, accuracy: float) -> None:
        _say("Final results:")
        _say("  test loss:\t\t\t{:.6f}".format(loss))
        _say("  test accuracy:\t\t{:.2f} %".format(accuracy * 100))


@contextlib.contextmanager
def _saving(run, *paths):
    """Note the saved files; on an error save the weights in the system's temporary folder."""
    try:
        yield
        run.saved.extend(path for path in paths if path not in run.saved)
    except MnistCnnError as error:
        folder = Path(tempfile.gettempdir())
        fallback = folder / "mnist_cnn-{:x}.npz".format(time.time_ns())
        try:
            save_weights(fallback, lasagne.layers.get_all_param_values(run.network), run.card)
        except MnistCnnError:
            raise MnistCnnError("{}; saving the weights in {} failed too".format(error, folder)) from error
        raise MnistCnnError("{}; the weights so far are in {}".format(error, fallback)) from error


class SaveWeights(Callback):
    """Save the weights after every epoch and when interrupted, and the history as CSV beside them.

    Parameters
    ----------
    output : path-like
        The npz file.
    keep_best : bool
        Whether to keep the weights of the epoch with the best validation accuracy, and test them.
    """

    def __init__(self, output: Path | str, keep_best: bool = False) -> None:
        self.output, self.keep_best = output, keep_best
        self.outputs = output, history_path(output)

    def on_build(self, run: Training) -> None:
        require_own_names(self.output)
        run.reserve(*self.outputs)

    def on_start(self, run: Training) -> None:
        if self.keep_best and run.history and run.best_weights is None:
            raise MnistCnnError(
                "the checkpoint lacks the weights of epoch {}, the best so far; resume "
                "without keep_best, or start anew".format(run.best_epoch)
            )

    def on_epoch(self, run: Training) -> None:
        self._save(run)

    on_interrupt = on_epoch

    def _save(self, run):
        with _saving(run, self.output):
            save_weights(self.output, self._weights(run), run.card)
            save_history(self.output, run.history, validated=not run.config.all_data)

    def _weights(self, run):
        if self.keep_best and run.history:
            return run.best_weights
        return lasagne.layers.get_all_param_values(run.network)

    def on_finish(self, run: Training) -> None:
        if self.keep_best:
            lasagne.layers.set_all_param_values(run.network, run.best_weights)
        if not run.saved:  # resumed after the last epoch
            self._save(run)


class Checkpoint(Callback):
    """Save the run's whole state after every epoch, and resume from it.

    Parameters
    ----------
    path : path-like
        The file.
    resume : bool
        Whether to resume from it; the result is that of an unbroken run to the last bit.
    """

    def __init__(self, path: Path | str, resume: bool = False) -> None:
        self.path, self.resume, self.outputs = path, resume, (path,)

    def on_build(self, run: Training) -> None:
        if self.resume and not os.path.isfile(self.path):
            raise MnistCnnError("there is no checkpoint {} to resume from".format(self.path))
        run.reserve(*self.outputs)

    def on_start(self, run: Training) -> None:
        if self.resume:
            load_checkpoint(self.path, run)

    def on_epoch(self, run: Training) -> None:
        with _saving(run, self.path):
            save_checkpoint(self.path, run)


class Snapshots(Callback):
    """Save the first layer's kernels before training and after each epoch, beside the weights.

    The file also holds all weights of a dozen epochs, quantized to six bits.

    Parameters
    ----------
    output : path-like
        The file of the weights.
    """

    def __init__(self, output: Path | str) -> None:
        self.output, self.taken, self.film = output, {}, {}
        self.outputs = (snapshots_path(output),)

    def on_build(self, run: Training) -> None:
        run.reserve(*self.outputs)

    def on_start(self, run: Training) -> None:
        if run.history and os.path.exists(snapshots_path(self.output)):
            earlier = zip(*load_snapshots(self.output, self._kernels(run).shape))
            self.taken = {epoch: array for epoch, array in earlier if epoch < run.epoch}
            weights = self._weights(run)
            film = load_film(self.output, len(weights), sum(array.size for array in weights))
            self.film = {epoch: frame for epoch, frame in film.items() if epoch < run.epoch}
        if run.epoch - 1 not in self.taken:
            self._take(run, run.epoch - 1)

    def on_epoch(self, run: Training) -> None:
        self._save(run, run.epoch - 1)

    def on_interrupt(self, run: Training) -> None:
        if run.steps:  # the saved weights are those of this unfinished epoch
            self._save(run, run.epoch)

    def _save(self, run, epoch):
        self._take(run, epoch)
        with _saving(run, snapshots_path(self.output)):
            save_snapshots(self.output, self.taken, self.film)

    def _take(self, run, epoch):
        self.taken[epoch] = self._kernels(run)
        self.film = thin_out({**self.film, epoch: quantize(self._weights(run))})

    def _weights(self, run):
        return lasagne.layers.get_all_param_values(run.network)

    def _kernels(self, run):
        return lasagne.layers.get_all_params(run.network)[0].get_value()


class StopRequests(Callback):
    """Have Ctrl-C and SIGTERM end the run between two steps, with all weights of the same step.

    A second signal ends it at once.
    """

    def __init__(self) -> None:
        self.received, self.stack = [], contextlib.ExitStack()

    def _note(self, signum, frame):
        if self.received:
            raise Interrupted(signum)
        self.received.append(signum)

    def on_start(self, run: Training) -> None:
        self.stack.enter_context(signals(self._note))

    def on_step(self, run: Training) -> None:
        if self.received:
            raise Interrupted(self.received[0])

    on_epoch = on_step

    def on_result(self, run: Training, loss: float, accuracy: float) -> None:
        self.on_step(run)

    def on_close(self, run: Training) -> None:
        self.stack.close()
