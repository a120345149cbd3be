"""What a run may add to the loop, told at the right moments."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mnist_cnn.storage.records import load_history, load_snapshots
from mnist_cnn.system.errors import Interrupted, MnistCnnError
from mnist_cnn.training import trainer
from mnist_cnn.training.callbacks import Callback, Checkpoint, SaveWeights, StopRequests
from mnist_cnn.training.config import Config


@pytest.fixture(scope="module")
def few(mnist):
    """A data set of 150 + 150 + 150 digits."""
    return [array[:150] for array in mnist]


def test_the_moments_of_a_run(few):
    told = []

    class Listener:
        def __getattr__(self, name):
            return lambda run, *args: told.append((name, len(run.history), run.steps))

    trainer.train(few, Config(num_epochs=2, batch_size=50), [Listener(), Callback()])
    assert told == [
        ("on_build", 0, 0),
        ("on_start", 0, 0),
        ("on_step", 0, 1),
        ("on_step", 0, 2),
        ("on_step", 0, 3),
        ("on_epoch", 1, 0),
        ("on_step", 1, 1),
        ("on_step", 1, 2),
        ("on_step", 1, 3),
        ("on_epoch", 2, 0),
        ("on_finish", 2, 0),
        ("on_result", 2, 0),
        ("on_close", 2, 0),
    ]


@pytest.mark.parametrize("all_data", [False, True])
def test_weights_that_the_last_step_spoiled_are_not_saved(all_data, tmp_path, few):
    """One step an epoch: its loss is still that of the weights before it."""
    batch_size = len(few[0]) + (len(few[2]) if all_data else 0)
    for name in ("model.npz", "model.checkpoint"):
        (tmp_path / name).write_bytes(b"good")
    with pytest.raises(MnistCnnError, match="^the validation loss became (nan|inf).*learning rate"):
        trainer.train(
            few,
            Config(num_epochs=2, batch_size=batch_size, learning_rate=1e30, all_data=all_data),
            [Checkpoint(tmp_path / "model.checkpoint"), SaveWeights(tmp_path / "model.npz")],
        )
    for name in ("model.npz", "model.checkpoint"):
        assert (tmp_path / name).read_bytes() == b"good"


def test_snapshots_go_on_with_a_resumed_run(tmp_path, few, monkeypatch, capsys):
    monkeypatch.setattr(trainer, "load_dataset", lambda data_dir, dataset: few)
    output = tmp_path / "model.npz"
    options = dict(batch_size=50, seed=3, output=output, quiet=True, snapshots=True)
    trainer.main(num_epochs=1, **options)
    _, first = load_snapshots(output, (32, 1, 5, 5))
    weights = trainer.main(num_epochs=3, resume=True, **options)
    epochs, kernels = load_snapshots(output, (32, 1, 5, 5))
    assert epochs.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(kernels[:2], first)
    np.testing.assert_array_equal(kernels[-1], weights[0])
    out = capsys.readouterr().out
    assert out.count("Final results:") == 2 and "Epoch" not in out


def test_keep_best_of_a_resumed_run(tmp_path, few, monkeypatch):
    """Begun at the resume, under another output, where another run's file lies: what the unbroken
    run keeps, with the whole history."""
    monkeypatch.setattr(trainer, "load_dataset", lambda data_dir, dataset: few)
    options = dict(batch_size=50, seed=4, quiet=True, learning_rate=0.15, momentum=0.99)
    unbroken, resumed = tmp_path / "unbroken.npz", tmp_path / "resumed.npz"
    weights = trainer.main(num_epochs=6, output=unbroken, keep_best=True, **options)
    history = load_history(unbroken)
    best = history["validation_accuracy"].argmax() + 1
    assert len(history) == 6 and best < 6
    trainer.main(num_epochs=best + 1, output=tmp_path / "first.npz", **options)
    resumed.write_bytes((tmp_path / "first.npz").read_bytes())
    options["checkpoint"] = tmp_path / "first.checkpoint"
    again = trainer.main(num_epochs=6, output=resumed, keep_best=True, resume=True, **options)
    assert resumed.read_bytes() == unbroken.read_bytes()
    for ours, theirs in zip(weights, again):
        np.testing.assert_array_equal(ours, theirs)
    assert len(load_history(resumed)) == 6
    # nothing is left to train: the new output has it all the same
    other = tmp_path / "other.npz"
    trainer.main(num_epochs=6, output=other, keep_best=True, resume=True, **options)
    assert other.read_bytes() == unbroken.read_bytes() and len(load_history(other)) == 6


def test_a_resumed_run_says_that_it_has_other_threads_or_other_images(tmp_path, few, monkeypatch, capsys):
    """Images may be others where labels and counts are the same."""
    monkeypatch.setattr(trainer, "load_dataset", lambda data_dir, dataset: few)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    options = dict(batch_size=50, seed=3, output=tmp_path / "model.npz")
    trainer.main(num_epochs=1, **options)
    for threads, said in (("1", False), ("2", True)):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        trainer.main(num_epochs=1, resume=True, **options)
        assert ("saved with 1 threads and this run has 2" in capsys.readouterr().out) == said
    before = (tmp_path / "model.checkpoint").read_bytes()
    few = [1 - array if array.ndim == 4 else array for array in few]
    with pytest.raises(MnistCnnError, match="another data set .fingerprint of its arrays."):
        trainer.main(num_epochs=2, resume=True, **options)
    assert (tmp_path / "model.checkpoint").read_bytes() == before


def test_threads_that_train_at_once_keep_their_seeds(few):
    configs = [Config(num_epochs=1, batch_size=50, seed=seed) for seed in (1, 2, 3)]
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(lambda config: trainer.train(few, config), configs))
    for config, weights in zip(configs, at_once):
        for ours, theirs in zip(weights, trainer.train(few, config)):
            np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def ctrl_c():
    """Python's own answer to Ctrl-C, which a shell takes from tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_signals_end_a_run_between_steps_and_are_given_back(few, ctrl_c):
    before = signal.getsignal(signal.SIGINT)
    steps = []

    class Impatient(Callback):
        def on_step(self, run):
            steps.append(run.steps)
            if len(steps) == 2:
                os.kill(os.getpid(), signal.SIGINT)

        def on_interrupt(self, run):
            steps.append("told")

    with pytest.raises(KeyboardInterrupt) as caught:
        trainer.train(few, Config(batch_size=50), [Impatient(), StopRequests()])
    assert isinstance(caught.value, Interrupted) and steps == [1, 2, "told"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(keep_best=True, all_data=True), "keep_best needs a validation set"),
        (dict(output=None, keep_best=True), "need an output"),
        (dict(output=None, snapshots=True), "need an output"),
        (dict(output=None, resume=True), "resume needs an output or a checkpoint"),
        (dict(resume=True, checkpoint="nowhere/x"), "no checkpoint nowhere/x to resume from"),
        (dict(model="mlp"), "model is 'mlp'"),
    ],
)
def test_options_that_do_not_go_together(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MnistCnnError, match=message):
        trainer.main(**options)
    assert list(tmp_path.iterdir()) == []
