"""The headline's table, from runs of known length, and one real command."""

import json

import pytest

from conftest import run_script
from mnist_cnn.benchmarks import whole
from mnist_cnn.system.errors import MnistCnnError


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
        "torch_first_epoch",
        lambda python, dataset, last: (
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
        "seconds": [5.5],
        "training_seconds": [5.0],
        "validation": 0.5,
        "test": 0.25,
    }
    printer = tmp_path / "python"
    printer.write_text("#!/bin/sh\necho '{}'\n".format(json.dumps(result)))
    printer.chmod(0o755)
    assert whole.torch_first_epoch(str(printer), "none.npz", True) == ("PyTorch 9", 5.0, 0.25)
    with pytest.raises(MnistCnnError, match="PyTorch failed: it printed no error"):
        whole.torch_first_epoch("false", "none.npz", False)
    with pytest.raises(MnistCnnError, match="cannot run /no/python"):
        whole.torch_first_epoch("/no/python", "none.npz", False)


def test_bad_number_of_rounds():
    process = run_script("benchmark.py", "--whole", "--repeats", 0)
    assert process.returncode == 2 and "error: repeats is 0" in process.stderr


@pytest.mark.parametrize("options", [dict(options="'"), dict(against="--seed '1")])
def test_options_that_no_shell_reads(options):
    with pytest.raises(MnistCnnError, match=r"cannot parse the options .*: no closing quotation"):
        whole.main(**options)
