"""A disk that is full from the n-th write of a run on, for every n: what was saved before loads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

pytestmark = pytest.mark.slow

#: Two epochs of a few steps, with everything that a run can save, again and again. argv: the folder
#: of the run, and whether the folder for temporary files is on the same disk.
RUN = """
import ctypes, os, re, shutil, sys, tempfile
from mnist_cnn import model, train
import numpy as np, theano.tensor as T
from mnist_cnn.storage import records
from mnist_cnn.datasets.card import DataCard
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training.callbacks import Checkpoint, SaveWeights, Snapshots
from mnist_cnn.training.checkpoint import load_checkpoint
from mnist_cnn.training.config import Config
from mnist_cnn.training.engine import Engine
from mnist_cnn.training.state import Training

disk = ctypes.CDLL(None)
folder, tempfile.tempdir = sys.argv[1:]
output = os.path.join(folder, "model.npz")
images, targets = T.tensor4(), T.ivector()
network = model.build_cnn(images)
train_fn, _ = train.compile_functions(network, images, targets)
rng = np.random.RandomState(0)
x, y = rng.rand(20, 1, 28, 28).astype("float32"), rng.randint(10, size=20).astype("int32")

def new_run(callbacks=()):
    run = Training(Config(num_epochs=2, batch_size=20), callbacks)
    run.built(Engine("plain"), network, train_fn, np.random.RandomState(0), y, DataCard())
    return run

def go():
    run = new_run([Checkpoint(output[:-4] + ".checkpoint"), SaveWeights(output),
                   Snapshots(output)])
    with run.under_way():
        for _ in run.epochs_left:
            run.step_done(*train_fn(x, y))
            run.epoch_done(.5, .5)
            epochs.append(disk.full_disk_calls())

def check(epochs):
    names = set(os.listdir(folder))
    assert not [name for name in names if name.startswith(".")], names
    if epochs:
        assert names == {"model.npz", "model.csv", "model.checkpoint", "model.snapshots.npz"}
    if "model.npz" in names:
        model.load_weights(output, model.build_cnn())
    if "model.csv" in names:
        assert len(records.load_history(output)) >= epochs
    if "model.checkpoint" in names:
        run = new_run()
        load_checkpoint(output[:-4] + ".checkpoint", run)
        assert len(run.history) >= epochs
    if "model.snapshots.npz" in names:
        assert len(records.load_snapshots(output, (32, 1, 5, 5))[0]) >= epochs

n = 1
while True:
    shutil.rmtree(folder)
    os.makedirs(folder)
    epochs = []
    disk.full_disk_from(n)
    try:
        go()
    except MnistCnnError as error:
        disk.full_disk_from(-1)
        text = str(error)
        assert text.startswith("cannot write ") and "No space left" in text, text
        fallback = re.search("the weights so far are in (.*)", text)
        if fallback:
            model.load_weights(fallback.group(1), model.build_cnn())
            os.unlink(fallback.group(1))
        print(n, len(epochs), bool(fallback), flush=True)
        check(len(epochs))
    else:
        disk.full_disk_from(-1)
        check(2)
        print("none", n - 1, epochs[-1])
        break
    n += 1
"""


@pytest.mark.skipif(not (sys.platform == "linux" and shutil.which("gcc")), reason="no gcc on Linux")
@pytest.mark.parametrize("with_temporary", [False, True])
def test_full_disk_at_every_write(with_temporary, tmp_path):
    library = tmp_path / "full_disk.so"
    subprocess.check_call(
        ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(Path(__file__).with_name("full_disk.c")), "-ldl"]
    )
    disk, temporary = tmp_path / "disk", tmp_path / ("disk" if with_temporary else "tmp")
    (disk / "run").mkdir(parents=True)
    temporary.mkdir(exist_ok=True)
    process = subprocess.run(
        [sys.executable, "-c", RUN, str(disk / "run"), str(temporary)],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        env=dict(os.environ, LD_PRELOAD=str(library), FULL_DISK=str(disk)),
    )
    assert process.returncode == 0 and process.stderr == "", process.stderr
    *failed, last = [line.split() for line in process.stdout.splitlines()]
    # every write of the run was the first that failed, once
    assert last[0] == "none" and int(last[1]) == int(last[2]) == len(failed)
    assert len(failed) >= 4 * 3 * 2  # four files, each opened, written and renamed, twice
    assert {line[1] for line in failed} == {"0", "1"}
    mid_run = [line[2] for line in failed[4:]]  # past the probes before training
    assert set(mid_run) == {str(not with_temporary)}
    assert list(temporary.glob("*.npz")) == []
