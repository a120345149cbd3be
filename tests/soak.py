"""A long training that is killed again and again and goes on, beside one that is left alone.

    python tests/soak.py --epochs 500 --kills 40 --seed 1

Both train on a few digits. The broken one is ended at random moments, in its start, in an epoch or
amid saving, by SIGKILL, SIGTERM or Ctrl-C, and resumed. In the end its weights and its history must
be the other's to the last bit, and the other's memory must have stayed within 1 % of what it was
after the first tenth of the epochs. Prints the memory's curve; ends with exit code 1 where not.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mnist_cnn.storage.records import load_history

ROOT = Path(__file__).parent.parent
TOLERANCE = 0.01

#: A training on a few digits: argv is a folder, the number of epochs, and whether to resume.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it imports, as the scripts have it
import sys
from mnist_cnn import data
from mnist_cnn.system import process
from mnist_cnn.training import trainer
from mnist_cnn.training.callbacks import Checkpoint, Report, SaveWeights, StopRequests
from mnist_cnn.training.config import configure
dataset = [array[:600 if k < 2 else 200].copy() for k, array in enumerate(data.load_dataset())]
folder, epochs, resume = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "resume"
callbacks = [Checkpoint(folder + "/model.checkpoint", resume), SaveWeights(folder + "/model.npz"),
             Report(), StopRequests()]
config = configure(num_epochs=epochs, batch_size=20, learning_rate=.005, distorted=.5, seed=5)
sys.exit(process.main_guard(lambda: trainer.train(dataset, config, callbacks)))
"""


def start(folder, epochs):
    """A process that trains, from its checkpoint where there is one."""
    resume = (folder / "model.checkpoint").exists()
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, str(folder), str(epochs), "resume" if resume else "anew"],
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def resident(process):
    """Bytes of memory that a process holds."""
    with open("/proc/{}/statm".format(process.pid)) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def unbroken(folder, epochs):
    """Train at a stretch; the resident size at each epoch's line."""
    process, sizes = start(folder, epochs), []
    for line in process.stdout:
        if line.startswith("Epoch "):
            sizes.append(resident(process))
    if process.wait() or len(sizes) != epochs:
        raise SystemExit("the unbroken run failed: {}".format(process.stderr.read()))
    return np.array(sizes)


def broken(folder, epochs, kills, seed):
    """Train with ends at random; how many of each exit code there were."""
    rng, codes = random.Random(seed), collections.Counter()
    while True:
        process = start(folder, epochs)
        signum = rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        if sum(codes.values()) < kills:
            # in the first seconds, or after a few epochs and a part of one
            if rng.random() < 0.2:
                time.sleep(rng.uniform(0, 3))
            else:
                lines = rng.randrange(1, 2 + 2 * epochs // (kills + 1))
                for line in process.stdout:
                    lines -= line.startswith("Epoch ")
                    if not lines:
                        break
                time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signum)
        _, err = process.communicate()
        codes[process.returncode] += 1
        # but for Python's own start, of which the program knows nothing
        if "mnist_cnn" in err or "theano" in err:
            raise SystemExit("a run ended by {} printed:\n{}".format(signum, err))
        if process.returncode == 0:
            return codes
        if process.returncode not in (-signum, 128 + signum):
            raise SystemExit("exit code {} after {}: {}".format(process.returncode, signum, err))


def differences(one, other):
    """What two folders' weights and histories do not share, in words."""
    if (one / "model.npz").read_bytes() != (other / "model.npz").read_bytes():
        yield "the weights differ"
    histories = [load_history(folder / "model.npz") for folder in (one, other)]
    for field in histories[0].dtype.names:
        if field != "seconds" and not np.array_equal(*[history[field] for history in histories]):
            yield "{} differs in the histories".format(field)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, pieces = Path(folder, "whole"), Path(folder, "pieces")
        whole.mkdir()
        pieces.mkdir()
        sizes = unbroken(whole, args.epochs)
        warm = sizes[args.epochs // 10 :]
        print("epoch  resident MB")
        for epoch in sorted({1, *np.linspace(0, args.epochs, 11).astype(int)[1:]} - {0}):
            print("{:>5}  {:>8.2f}".format(epoch, sizes[epoch - 1] / 1e6))
        print("after warm-up within {:.2f} %".format(100 * (warm.max() / warm.min() - 1)), flush=True)
        codes = broken(pieces, args.epochs, args.kills, args.seed)
        print(
            "{} runs; exit codes: {}".format(
                sum(codes.values()),
                ", ".join("{} {} times".format(code, count) for code, count in sorted(codes.items())),
            )
        )
        faults = list(differences(whole, pieces))
    if warm.max() > warm.min() * (1 + TOLERANCE):
        faults.append("the memory is not flat")
    print("; ".join(faults) or "the same to the last bit")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
