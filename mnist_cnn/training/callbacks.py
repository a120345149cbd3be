"""What a run may add to the training loop: a report, saved files, an end on request.

A callback is any object with some of the methods of `Callback`; `mnist_cnn.training.state.Training` calls
them.
"""

import contextlib
import os
import tempfile
import time
from pathlib import Path

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

__all__ = ["Callback", "Report", "SaveWeights", "Checkpoint", "Snapshots", "StopRequests"]


class Callback:
    """The moments of a run that a callback can take part in, each given the `Training`.

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

    def on_build(self, run):
        """Before the network is built."""

    def on_start(self, run):
        """Before the first step. What a resumed run goes on from is set here."""

    def on_step(self, run):
        """After each training step."""

    def on_epoch(self, run):
        """After each epoch's validation; `run.history` ends with it."""

    def on_interrupt(self, run):
        """After Ctrl-C or SIGTERM."""

    def on_close(self, run):
        """However it ends."""

    def on_finish(self, run):
        """After the last epoch, before the test set."""

    def on_result(self, run, loss, accuracy):
        """After the test set."""


def _say(line):
    """Print a line; where nobody reads it any more, the run goes on all the same."""
    with contextlib.suppress(OSError):
        print(line)


class Report(Callback):
    """Print the tutorial's report, with a progress bar where a person looks.

    Parameters
    ----------
    quiet : bool
        Whether to print nothing but the final results.

    Examples
    --------
    >>> from mnist_cnn.training.callbacks import Report
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.state import Training
    >>> run = Training(configure(), [Report(quiet=True)])
    >>> run.tested(loss=.03, accuracy=.99)  # doctest: +NORMALIZE_WHITESPACE
    Final results:
      test loss:      0.030000
      test accuracy:  99.00 %
    """

    def __init__(self, quiet=False):
        self.say = (lambda line: None) if quiet else _say
        self.quiet, self.bar = quiet, None

    def on_build(self, run):
        self.say("Building model and compiling functions...")
        if compat.compile_cache_is_empty():
            self.say("  (Theano compiles C++ for this machine, once: about half a minute)")

    def on_start(self, run):
        for remark in filter(None, [run.engine.remark, *run.remarks]):
            self.say("  ({})".format(remark))
        if run.history:
            self.say("Going on in epoch {}".format(run.epoch))
        if run.config.all_data:
            self.say(
                "Training on all digits: the validation digits are among them, so that nothing is left to validate on"
            )
        self.say("Starting training...")

    def on_step(self, run):
        if self.bar is None:
            self.bar = progress_bar(self.quiet, total=run.steps_per_epoch, unit="batch", leave=False)
        self.bar.update()

    def on_epoch(self, run):
        self.on_close(run)
        epoch, seconds, *measured = run.history[-1]
        self.say("Epoch {} of {} took {:.3f}s".format(epoch, run.config.num_epochs, seconds))
        for part, loss, accuracy in zip(("training", "validation"), measured[::2], measured[1::2]):
            self.say("  {} loss:\t\t{:.6f}".format(part, loss))
            self.say("  {} accuracy:\t\t{:.2f} %".format(part, accuracy * 100))

    def on_interrupt(self, run):
        self.on_close(run)
        saved = ", ".join(map(str, run.saved)) or "nothing"
        self.say("Interrupted in epoch {}; saved: {}".format(min(run.epoch, run.config.num_epochs), saved))

    def on_close(self, run):
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def on_result(self, run, loss, accuracy):
        _say("Final results:")
        _say("  test loss:\t\t\t{:.6f}".format(loss))
        _say("  test accuracy:\t\t{:.2f} %".format(accuracy * 100))


@contextlib.contextmanager
def _saving(run, *paths):
    """Note what is saved; where that fails, save the weights in the system's temporary folder."""
    try:
        yield
        run.saved.extend(path for path in paths if path not in run.saved)
    except MnistCnnError as error:
        folder = Path(tempfile.gettempdir())
        fallback = folder / "mnist_cnn-{:x}.npz".format(time.time_ns())
        try:
            save_weights(fallback, lasagne.layers.get_all_param_values(run.network), run.card)
        except MnistCnnError:
            raise MnistCnnError("{}; nor could the weights be saved in {}".format(error, folder)) from error
        raise MnistCnnError("{}; the weights so far are in {}".format(error, fallback)) from error


class SaveWeights(Callback):
    """Save the weights after every epoch and when interrupted, and the history as CSV beside them.

    Parameters
    ----------
    output : path-like
        The npz file.
    keep_best : bool
        Whether to keep the weights of the epoch with the best validation accuracy, and test them.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.model import build_cnn
    >>> from mnist_cnn.training.callbacks import SaveWeights
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.engine import Engine
    >>> from mnist_cnn.training.state import Training
    >>> run = Training(configure(), [SaveWeights("weights.npz")])
    >>> run.built(Engine("plain"), build_cnn(), None, None, np.zeros(50, np.int32))
    >>> for epoch in range(2):
    ...     run.step_done(loss=.5, accuracy=.8)
    ...     run.epoch_done(loss=.4, accuracy=.9)
    >>> run.saved
    ['weights.npz']
    """

    def __init__(self, output, keep_best=False):
        self.output, self.keep_best = output, keep_best
        self.outputs = output, history_path(output)

    def on_build(self, run):
        require_own_names(self.output)
        run.reserve(*self.outputs)

    def on_start(self, run):
        if self.keep_best and run.history and run.best_weights is None:
            raise MnistCnnError(
                "the checkpoint lacks the weights of epoch {}, the best so far; go on "
                "without keep_best, or start anew".format(run.best_epoch)
            )

    def on_epoch(self, run):
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

    def on_finish(self, run):
        if self.keep_best:
            lasagne.layers.set_all_param_values(run.network, run.best_weights)
        if not run.saved:  # the checkpoint was that of the last epoch
            self._save(run)


class Checkpoint(Callback):
    """Save the run's whole state after every epoch, and go on from it.

    Parameters
    ----------
    path : path-like
        The file.
    resume : bool
        Whether to go on from it: to the last bit what would have come without the break.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.callbacks import Checkpoint
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.engine import Engine
    >>> from mnist_cnn.training.state import Training
    >>> import theano
    >>> count = theano.shared(0.)
    >>> step = theano.function([], updates=[(count, count + 1)])
    >>> run = Training(configure(), [Checkpoint("weights.checkpoint")])
    >>> run.built(Engine("plain"), None, step, np.random.RandomState(1), np.zeros(50, np.int32))
    >>> run.step_done(loss=.5, accuracy=.8)
    >>> run.epoch_done(loss=.4, accuracy=.9)
    >>> run.saved
    ['weights.checkpoint']
    """

    def __init__(self, path, resume=False):
        self.path, self.resume, self.outputs = path, resume, (path,)

    def on_build(self, run):
        if self.resume and not os.path.isfile(self.path):
            raise MnistCnnError("there is no checkpoint {} to go on from".format(self.path))
        run.reserve(*self.outputs)

    def on_start(self, run):
        if self.resume:
            load_checkpoint(self.path, run)

    def on_epoch(self, run):
        with _saving(run, self.path):
            save_checkpoint(self.path, run)


class Snapshots(Callback):
    """Save the first layer's kernels before training and after each epoch, and of a dozen epochs
    all weights at six bits, beside the weights.

    Parameters
    ----------
    output : path-like
        The file of the weights.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn
    >>> from mnist_cnn.storage.records import load_snapshots
    >>> from mnist_cnn.training.callbacks import Snapshots
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.state import Training
    >>> run = Training(configure(), [Snapshots("weights.npz")])
    >>> run.network = build_cnn()
    >>> with run.under_way():
    ...     run.step_done(loss=.5, accuracy=.8)
    ...     run.epoch_done(loss=.4, accuracy=.9)
    >>> epochs, kernels = load_snapshots("weights.npz", (32, 1, 5, 5))
    >>> epochs, kernels.shape
    (array([0, 1]), (2, 32, 1, 5, 5))
    """

    def __init__(self, output):
        self.output, self.taken, self.film = output, {}, {}
        self.outputs = (snapshots_path(output),)

    def on_build(self, run):
        run.reserve(*self.outputs)

    def on_start(self, run):
        if run.history and os.path.exists(snapshots_path(self.output)):
            earlier = zip(*load_snapshots(self.output, self._kernels(run).shape))
            self.taken = {epoch: array for epoch, array in earlier if epoch < run.epoch}
            weights = self._weights(run)
            film = load_film(self.output, len(weights), sum(array.size for array in weights))
            self.film = {epoch: frame for epoch, frame in film.items() if epoch < run.epoch}
        if run.epoch - 1 not in self.taken:
            self._take(run, run.epoch - 1)

    def on_epoch(self, run):
        self._save(run, run.epoch - 1)

    def on_interrupt(self, run):
        if run.steps:  # the weights that are saved are of this unfinished epoch
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
    """Let Ctrl-C and SIGTERM end the run between two steps; amid one they would tear it in two.

    A second Ctrl-C ends it at once.

    Examples
    --------
    >>> import signal
    >>> from mnist_cnn.system.errors import Interrupted
    >>> from mnist_cnn.training.callbacks import StopRequests
    >>> from mnist_cnn.training.config import configure
    >>> from mnist_cnn.training.state import Training
    >>> run = Training(configure(), [StopRequests()])
    >>> try:
    ...     with run.under_way():
    ...         signal.raise_signal(signal.SIGTERM)  # amid a step
    ...         run.step_done(loss=.5, accuracy=.8)
    ... except Interrupted:
    ...     print("steps done:", run.steps)
    steps done: 1
    """

    def __init__(self):
        self.received, self.stack = [], contextlib.ExitStack()

    def _note(self, signum, frame):
        if self.received:
            raise Interrupted(signum)
        self.received.append(signum)

    def on_start(self, run):
        self.stack.enter_context(signals(self._note))

    def on_step(self, run):
        if self.received:
            raise Interrupted(self.received[0])

    on_epoch = on_step

    def on_result(self, run, loss, accuracy):
        self.on_step(run)

    def on_close(self, run):
        self.stack.close()
