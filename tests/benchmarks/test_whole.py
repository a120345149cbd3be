"""The headline's table, from runs of known length, and one real command."""

import json
import os
import subprocess

import numpy as np
import pytest

from conftest import run_script
from mnist_cnn.benchmarks import whole
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training.config import Config, configure
from mnist_cnn.training.distortions import move_pixels


def table(capsys):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("| ")
    ]


def test_table_of_known_times(monkeypatch, capsys):
    """Seconds 2, 4, 3 against 9, 8, 6 and 10, 4, 3: the faster PyTorch by median is the second."""
    times = iter([99, 2, 4, 3])
    first, second = iter([9, 8, 6]), iter([10, 4, 3])
    monkeypatch.setattr(whole, "whole_command", lambda options, seed: (next(times), 0.99))
    monkeypatch.setattr(
        whole,
        "torch_training",
        lambda python, dataset, config, last: (
            ("PyTorch, channels last", next(second), 0.9) if last else ("PyTorch", next(first), 0.9)
        ),
    )
    monkeypatch.setattr(whole, "load_dataset", lambda: [])
    monkeypatch.setattr(whole, "find_peers", lambda pythons: [("python", "with_torch")])
    whole.main("--recipe plain", repeats=3)
    rows = table(capsys)
    assert rows[2][1:] == ["3.00 (2.00 to 4.00)", "99.00 %", "1"]
    assert rows[3][1:] == ["8.00 (6.00 to 9.00)", "90.00 %", "2.00"]
    assert rows[4][1:] == ["4.00 (3.00 to 10.00)", "90.00 %", "1.00"]
    assert ["the faster" in row[0] for row in rows] == [False, False, False, False, True]


def test_two_trainings_of_known_times(monkeypatch, capsys):
    """Seconds 2 and 4 against 10 and 12: 5 and 3 times as long, by the median 4."""
    times = {("--recipe", "focused"): iter([99, 2, 4]), ("--epochs", "50"): iter([10, 12])}
    monkeypatch.setattr(whole, "whole_command", lambda options, seed: (next(times[tuple(options)]), 0.5 + seed / 100))
    whole.main("--recipe focused", repeats=2, against="--epochs 50")
    rows = table(capsys)
    assert rows[2] == ["`scripts/train.py --recipe focused`, the whole command", "3.00 (2.00 to 4.00)", "51.50 %", "1"]
    assert rows[3] == ["`scripts/train.py --epochs 50`, the whole command", "11.00 (10.00 to 12.00)", "51.50 %", "4.00"]
    assert len(rows) == 4


def test_a_real_command(small_mnist):
    seconds, accuracy = whole.whole_command(["--epochs", "1", "--data-dir", str(small_mnist)], seed=1)
    assert 0.5 < seconds < 300 and 0.8 < accuracy < 1


def test_a_command_that_fails():
    with pytest.raises(MnistCnnError, match="train.py failed: .*invalid choice: 'none'"):
        whole.whole_command(["--recipe", "none"], seed=1)


def test_pytorch_made_up_or_missing(tmp_path):
    result = {
        "what": "PyTorch 9",
        "batch_size": 50,
        "seconds": [5.5, 4.5],
        "training_seconds": [5.0, 4.0],
        "validation": 0.5,
        "test": 0.25,
    }
    printer = tmp_path / "python"
    printer.write_text("#!/bin/sh\necho '{}'\n".format(json.dumps(result)))
    printer.chmod(0o755)
    assert whole.torch_training(str(printer), "none.npz", Config(), True) == ("PyTorch 9", 9.0, 0.25)
    with pytest.raises(MnistCnnError, match="PyTorch failed: it printed no error"):
        whole.torch_training("false", "none.npz", Config(), False)
    with pytest.raises(MnistCnnError, match="cannot run /no/python"):
        whole.torch_training("/no/python", "none.npz", Config(), False)


def test_recipe_in_pytorch(mnist, python_with, tmp_path):
    """Hard digits more often, distorted, with an average: 2,000 digits are learned; pixels move as ours do."""
    python = python_with("with_torch")
    np.savez(tmp_path / "digits.npz", *(array[:2000] for array in mnist))
    config = configure("focused", num_epochs=6, batch_size=50, seed=1)
    for channels_last in (False, True):
        _, seconds, accuracy = whole.torch_training(python, tmp_path / "digits.npz", config, channels_last)
        assert seconds > 0 and 0.9 < accuracy < 1
    rng = np.random.RandomState(1)
    moved = [mnist[0][:9], np.float32(rng.normal(size=(2, 7, 3))), np.float32(rng.normal(size=(3, 784)))]
    np.savez(tmp_path / "moved.npz", *moved)
    code = "import numpy, sys, torch, train_torch as t; a = list(numpy.load(sys.argv[1]).values()); "
    code += "numpy.save(sys.argv[2], t.move_pixels(torch.from_numpy(a[0]), *a[1:]))"
    peers = os.path.dirname(whole.__file__) + "/peers"
    command = [python, "-c", code, str(tmp_path / "moved.npz"), str(tmp_path / "theirs.npy")]
    subprocess.run(command, cwd=peers, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "theirs.npy"), move_pixels(*moved), atol=1e-4)


def test_bad_number_of_rounds():
    process = run_script("benchmark.py", "--whole", "--repeats", 0)
    assert process.returncode == 2 and "error: repeats is 0" in process.stderr


@pytest.mark.parametrize("options", [dict(options="'"), dict(against="--seed '1")])
def test_options_that_no_shell_reads(options):
    with pytest.raises(MnistCnnError, match=r"cannot parse the options .*: no closing quotation"):
        whole.main(**options)
