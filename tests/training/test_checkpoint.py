"""Runs that are broken off, and go on."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from stand_in import a_run, state

from conftest import ROOT
from mnist_cnn import model
from mnist_cnn.storage import atomic, npz, records
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import checkpoint, engine

pytestmark = pytest.mark.slow

#: A training on a few digits, in a process of its own: argv is a folder, then key=value pairs.
RUN = """
import sys
from mnist_cnn import data
from mnist_cnn.system import process
from mnist_cnn.training import trainer
from mnist_cnn.training.callbacks import Callback, Checkpoint, Report, SaveWeights, StopRequests
from mnist_cnn.training.config import configure
X_train, y_train, X_val, y_val, X_test, y_test = data.load_dataset()
dataset = (X_train[:600], y_train[:600], X_val[:200], y_val[:200], X_test[:200], y_test[:200])
options = dict(batch_size=20, num_epochs=30, learning_rate=.01, seed=5)
options.update(eval(arg) for arg in sys.argv[2:])
resume, keep_best = options.pop("resume", False), options.pop("keep_best", False)
hold = options.pop("hold", None)
class Hold(Callback):
    "Stops at a step, says so, and goes on when a line comes: twice."
    def on_step(self, run):
        if (run.epoch, run.steps) == hold:
            for _ in range(2):
                print("held", flush=True)
                sys.stdin.readline()
callbacks = [Hold(), Checkpoint(sys.argv[1] + "/model.checkpoint", resume),
             SaveWeights(sys.argv[1] + "/model.npz", keep_best), Report(), StopRequests()]
sys.exit(process.main_guard(lambda: trainer.train(dataset, configure(**options), callbacks)))
"""


def start(folder, *options, **kwargs):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-u", "-c", RUN, str(folder), *map(repr, options)],
        cwd=str(ROOT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        # a shell that starts the tests in the background has them ignore Ctrl-C
        preexec_fn=kwargs.pop("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)),
    )


def wait_until_held(process):
    """Returns what the run printed before."""
    lines = list(iter(process.stdout.readline, "held\n"))
    return "".join(lines)


def release(process):
    process.stdin.write("\n")
    process.stdin.flush()


def finish(process, returncode=0):
    out, err = process.communicate(timeout=300)
    assert process.returncode == returncode, err
    return out, err


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Thirty epochs at a stretch: the folder."""
    folder = tmp_path_factory.mktemp("unbroken")
    finish(start(folder))
    return folder


def weights(folder):
    return (folder / "model.npz").read_bytes()


def test_resumed_run_is_the_unbroken_one_to_the_last_bit(unbroken, tmp_path):
    finish(start(tmp_path, ("num_epochs", 2)))
    assert weights(tmp_path) != weights(unbroken)
    out, _ = finish(start(tmp_path, ("resume", True)))
    assert "in epoch 3" in out
    assert weights(tmp_path) == weights(unbroken)
    a, b = records.load_history(tmp_path / "model.npz"), records.load_history(unbroken / "model.npz")
    for field in set(a.dtype.names) - {"seconds"}:
        np.testing.assert_array_equal(a[field], b[field])


@pytest.mark.parametrize(
    "signum, code, hold",
    [
        (signal.SIGINT, 130, (2, 7)),
        (signal.SIGTERM, 143, (2, 7)),
        (signal.SIGHUP, 129, (2, 7)),
        (signal.SIGINT, 130, (30, 30)),
    ],
)
def test_signals_save_everything(unbroken, tmp_path, signum, code, hold):
    """Amid an epoch, and after the last step: what was learned is saved, and a resumed run ends with
    the same last bit."""
    process = start(tmp_path, ("hold", hold))
    wait_until_held(process)
    process.send_signal(signum)
    release(process)
    wait_until_held(process)  # by now the signal has been heard
    release(process)
    out, err = finish(process, code)
    assert err == "interrupted\n" and "Interrupted in epoch {}; saved".format(hold[0]) in out
    model.load_weights(tmp_path / "model.npz", model.build_cnn())
    assert {path.name for path in tmp_path.iterdir()} == {"model.npz", "model.csv", "model.checkpoint"}
    finish(start(tmp_path, ("resume", True)))
    assert weights(tmp_path) == weights(unbroken)


def test_second_ctrl_c_ends_at_once(tmp_path):
    process = start(tmp_path, ("hold", (2, 7)))
    wait_until_held(process)
    process.send_signal(signal.SIGINT)
    release(process)
    wait_until_held(process)
    process.send_signal(signal.SIGINT)  # it is not released again
    _, err = finish(process, 130)
    assert err == "interrupted\n"


def test_kill_9_leaves_a_whole_file(tmp_path):
    """Real SIGKILLs at random moments of a process that does nothing but save."""
    code = (
        "import sys, numpy, itertools\nfrom mnist_cnn.storage import atomic, npz\nprint('go', flush=True)\n"
        "for i in itertools.count():\n"
        "    npz.write_npz(sys.argv[1], {'a': numpy.full(50000, i % 100, float)})\n"
    )
    path = tmp_path / "state.checkpoint"
    random.seed(0)
    seen = set()
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=str(ROOT), stdout=subprocess.PIPE)
        process.stdout.readline()
        for _ in range(8):  # read it in full flight, too
            time.sleep(random.uniform(0.001, 0.02))
            if path.exists():
                array = npz.read_npz(path, {"a": ("d", (50000,))})["a"]
                assert (array == array[0]).all()
                seen.add(array[0])
        process.kill()
        process.communicate()
        array = npz.read_npz(path, {"a": ("d", (50000,))})["a"]
        assert (array == array[0]).all()
    assert len(seen) > 5  # the kills fell amid real work
    atomic.check_writable(path)
    assert os.listdir(str(tmp_path)) == ["state.checkpoint"]  # and the pieces are gone


def test_output_that_vanishes_leaves_the_weights_elsewhere(tmp_path):
    folder = tmp_path / "folder"
    process = start(folder, ("hold", (2, 7)))
    wait_until_held(process)
    shutil.rmtree(str(folder))
    release(process)
    release(process)
    _, err = finish(process, 2)
    assert err.startswith("error: cannot write {}/model.".format(folder))
    fallback = err.strip().rsplit(" ", 1)[1]
    model.load_weights(fallback, model.build_cnn())
    os.unlink(fallback)


def test_full_disk_in_mid_run(tmp_path):
    """A limit on the size of files that the weights exceed: one line, nothing half-written."""
    (tmp_path / "model.npz").write_bytes(b"the old file")
    process = start(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000)))
    _, err = finish(process, 2)
    assert err.startswith("error: cannot write ") and "failed too" in err and err.count("\n") == 1
    assert weights(tmp_path) == b"the old file"
    assert os.listdir(str(tmp_path)) == ["model.npz"]


def test_keep_best(tmp_path, unbroken):
    """A learning rate that spoils the network after a good start."""
    out, _ = finish(start(tmp_path, ("keep_best", True), ("learning_rate", 0.12), ("num_epochs", 8)))
    history = records.load_history(tmp_path / "model.npz")
    best = history["validation_accuracy"].max()
    assert best > 0.1
    network = model.build_cnn()
    model.load_weights(tmp_path / "model.npz", network)
    import lasagne

    from mnist_cnn import data

    _, _, X_val, y_val, _, _ = data.load_dataset()
    probabilities = lasagne.layers.get_output(network, X_val[:200], deterministic=True).eval()
    assert (probabilities.argmax(axis=1) == y_val[:200]).mean() == pytest.approx(best)


# --- checkpoints that are not what they should be ---


def saved(path, **options):
    checkpoint.save_checkpoint(path, a_run(value=5, **options))


def test_checkpoint_on_all_data(tmp_path):
    """Its history has no validation."""
    path = tmp_path / "run.checkpoint"
    saved(path, all_data=True)
    run = a_run(all_data=True)
    run.history = []
    checkpoint.load_checkpoint(path, run)
    assert [record[2:] for record in run.history] == [(0.4, 0.8)]
    for run, width in ((a_run(all_data=True), 6), (a_run(), 4)):
        checkpoint.save_checkpoint(path, run)
        np.savez(tmp_path / "other", **dict(np.load(path), history=np.ones((1, width))))
        with pytest.raises(MnistCnnError, match="its history has the wrong number of columns"):
            checkpoint.load_checkpoint(tmp_path / "other.npz", run)


def test_checkpoint_round_trip(tmp_path):
    path = tmp_path / "run.checkpoint"
    saved(path)
    run = a_run(num_epochs=9)  # more epochs of a constant rate are allowed
    run.history = []
    run.rng.seed(4)
    checkpoint.load_checkpoint(path, run)
    assert run.history == [(1, 2.5, 0.4, 0.8, 0.3, 0.9)]
    assert (run.train_fn.variables[0].get_value() == 5).all()
    np.testing.assert_array_equal(run.rng.permutation(100), np.random.RandomState(3).permutation(100))


@pytest.mark.parametrize(
    "options, name",
    [
        (dict(batch_size=20), "batch_size \\(20, now 50\\)"),
        (dict(momentum=0.5), "momentum"),
        (dict(learning_rate=0.1), "learning_rate"),
        (dict(dropout=0.1), "dropout"),
        (dict(schedule="cosine"), "schedule"),
        (dict(distorted=0.5), "distorted"),
        (dict(seed=5), "seed \\(5, now 9\\)"),
    ],
)
def test_checkpoint_of_other_settings(tmp_path, options, name):
    path = tmp_path / "run.checkpoint"
    saved(path, **options)
    run = a_run(seed=9 if "seed" in options else None)
    with pytest.raises(MnistCnnError, match="made with another " + name):
        checkpoint.load_checkpoint(path, run)
    assert (run.train_fn.variables[0].get_value() == 1).all()


def test_a_resumed_run_keeps_its_seed(tmp_path):
    """It need not be named again; and where a later run names it, it is the same."""
    path = tmp_path / "run.checkpoint"
    saved(path, seed=5)
    run = a_run()
    checkpoint.load_checkpoint(path, run)
    checkpoint.save_checkpoint(path, run)
    checkpoint.load_checkpoint(path, a_run(seed=5))


def test_checkpoint_of_the_other_engine(tmp_path):
    """The arrays differ as well, and say less than the engine's name."""
    path = tmp_path / "run.checkpoint"
    saved(path)
    run = a_run()
    run.engine = engine.Engine("plain")
    run.train_fn.expanded_inputs.pop()
    with pytest.raises(MnistCnnError, match=r"another engine \(fused, now plain\)"):
        checkpoint.load_checkpoint(path, run)


def damaged_settings(path):
    with np.load(str(path)) as file:
        arrays = dict(file)
    arrays["settings"] = arrays["settings"][:-3]
    npz.write_npz(path, arrays)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "not a file that train.py saved"),
        (lambda path: path.write_bytes(b""), "not a file that train.py saved"),
        (lambda path: np.savez(str(path) + ".npz", a=1) or os.replace(str(path) + ".npz", str(path)), "holds 1 arrays"),
        (damaged_settings, "its settings are damaged"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_bad_checkpoints(tmp_path, damage, message):
    path = tmp_path / "run.checkpoint"
    saved(path)
    damage(path)
    run = a_run()
    with pytest.raises(MnistCnnError, match=message):
        checkpoint.load_checkpoint(path, run)
    assert (run.train_fn.variables[0].get_value() == 1).all()  # nothing was set


def with_settings(text):
    return {"settings": np.frombuffer(text.encode(), np.uint8)}


def changed(name, place, value):
    """A change of one number of an array."""

    def change(arrays):
        array = np.array(arrays[name])
        array[place] = value
        return {name: array}

    return change


#: What no run can have saved: from a name to a function from the arrays to those to replace.
CRAFTED = {
    "position between two": changed("order_rest", 0, 3.5),
    "position beyond the keys": changed("order_rest", 0, 625),
    "has_gauss 7": changed("order_rest", 1, 7),
    "has_gauss a half": changed("order_rest", 1, 0.5),
    "gauss 1e300": changed("order_rest", 2, 1e300),
    "key of 2**32": lambda arrays: {"order_keys": np.full(624, 2**32, "uint64")},
    "keys all 0": lambda arrays: {"order_keys": np.zeros(624, "uint32")},
    "epoch 2 first": changed("history", (0, 0), 2),
    "epoch 1.5": changed("history", (0, 0), 1.5),
    "epoch 1 twice": lambda arrays: {"history": np.repeat(arrays["history"], 2, axis=0)},
    "no epoch": lambda arrays: {"history": np.empty((0, 6))},
    "loss 1e300": changed("history", (0, 2), 1e300),
    "loss below 0": changed("history", (0, 4), -0.1),
    "accuracy 1.5": changed("history", (0, 5), 1.5),
    "loss NaN": changed("history", (0, 2), np.nan),
    "weight NaN": changed("variable_0", (0, 0), np.nan),
    "weight infinite": changed("variable_0", (2, 1), -np.inf),
    "a stream beyond its modulus": changed("variable_2", (3, 5), 2147462579),
    "a stream below 0": changed("variable_2", (0, 0), -1),
    "a stream that stands still": changed("variable_2", (1, slice(0, 3)), 0),
    "another array": lambda arrays: {"batches": np.array(10**9)},
    "no settings": lambda arrays: with_settings("{}"),
    "settings a number": lambda arrays: with_settings("3"),
    "settings pairs": lambda arrays: with_settings('[["batch_size", 50]]'),
    "settings with a seed of lists": lambda arrays: with_settings(
        json.dumps(dict(json.loads(arrays["settings"].tobytes().decode()), seed=[[1]] * 99))
    ),
    "settings deep": lambda arrays: with_settings("[" * 50000),
    "settings huge": lambda arrays: with_settings(" " * 200000 + "{}"),
    "settings one long number": lambda arrays: with_settings("9" * 99999),
    "settings of other types": lambda arrays: with_settings('{"batch_size": {"a": [1, "x\\ny"]}}'),
    "settings with a text of many lines": lambda arrays: with_settings(
        arrays["settings"].tobytes().decode().replace('"constant"', '"%s"' % ("x\\n" * 5000))
    ),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_checkpoints(tmp_path, name):
    """A whole file of the right shapes and types with values that no run has: one line."""
    path = tmp_path / "run.checkpoint"
    saved(path)
    with np.load(str(path)) as file:
        arrays = dict(file)
    npz.write_npz(path, dict(arrays, **CRAFTED[name](arrays)))
    run = a_run()
    before = state(run)
    with pytest.raises(MnistCnnError) as caught:
        checkpoint.load_checkpoint(path, run)
    assert state(run) == before
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text and len(text) < len(str(path)) + 300


def test_checkpoint_of_other_layouts(tmp_path):
    """Big-endian, column by column: the same numbers, laid out as the kernels read them."""
    path = tmp_path / "run.checkpoint"
    saved(path)
    with np.load(str(path)) as file:
        arrays = {name: np.array(array, array.dtype.newbyteorder(">"), order="F") for name, array in file.items()}
    npz.write_npz(path, arrays)
    run = a_run()
    checkpoint.load_checkpoint(path, run)
    assert state(run) == state(a_run(value=5))
    for container in checkpoint._containers(run.train_fn):
        assert container.data.flags.c_contiguous and container.data.dtype.isnative


def test_bomb_fails_fast_and_small(tmp_path):
    """An array that claims gigabytes, and a zip that holds as many zeros: within 50 MB."""
    import zipfile

    path = tmp_path / "bomb.npz"
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.float32))
    for shape, content in (((2**40,), b""), ((3, 2), bytes(10**8))):
        with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("arr_0.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(file, dict(header, shape=shape))
                for _ in range(8 if content else 0):
                    file.write(content)
        code = (
            "import resource, sys\nfrom mnist_cnn.storage import npz\nfrom mnist_cnn.system import process\n"
            "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "def read():\n    print(npz.read_npz(sys.argv[1], {'arr_0': ('f', (3, 2))}))\n"
            "code = process.main_guard(read)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used)\n"
            "sys.exit(code)"
        )
        process = subprocess.run([sys.executable, "-c", code, str(path)], cwd=str(ROOT), capture_output=True, text=True)
        assert int(process.stdout.split()[-1]) < 50000  # kilobytes
        assert process.returncode == 2 and process.stderr.count("\n") == 1
