"""Settings of a sweep from words and files, and what is reckoned from records."""

import json
import math
import os
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import mnist_cnn
from conftest import ROOT
from mnist_cnn import sweeps
from mnist_cnn.sweeps import records, settings, summary, task
from mnist_cnn.system.errors import Interrupted, MnistCnnError
from mnist_cnn.system.signals import interrupt, signals
from mnist_cnn.training.config import Config, configure


@pytest.mark.parametrize("text, seeds", [("1-3", [1, 2, 3]), ("7", [7]), ("5,1-2,2", [1, 2, 5]), ([3, 1], [1, 3])])
def test_seeds(text, seeds):
    assert settings.parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1-", "3-1", "1;2"])
def test_bad_seeds(text):
    with pytest.raises(MnistCnnError, match="^seeds is"):
        settings.parse_seeds(text)


def test_a_grid_is_every_combination():
    configs = settings.expand(
        ["plain", "best"], {"num_epochs": 3}, settings.parse_grid(["dropout=.2,.5", "batch-size=20,40"])
    )
    assert len(configs) == 8
    assert configs["best, dropout 0.2, batch_size 40"] == configure("best", num_epochs=3, dropout=0.2, batch_size=40)
    assert configs["plain, dropout 0.5, batch_size 20"] == Config(num_epochs=3, batch_size=20)


def test_a_file(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(
        'recipes = ["fast"]\nseeds = "2-3"\n[options]\nnum_epochs = 4\n[grid]\n'
        'ema = [0, 0.5]\n[settings."a plain one"]\nmomentum = 0.8\n'
    )
    spec = settings.read_spec(path)
    configs = settings.expand(spec["recipes"], spec["options"], spec["grid"], spec["settings"])
    assert configs == {
        "fast, ema 0": configure("fast", num_epochs=4),
        "fast, ema 0.5": configure("fast", num_epochs=4, ema=0.5),
        "a plain one": Config(num_epochs=4, momentum=0.8),
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("recipes = [", "is not a TOML file"),
        ("dropout = 0.5", "has 'dropout'; it can have"),
        ("seeds = 3", "has 'seeds'"),
    ],
)
def test_bad_files(tmp_path, text, message):
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(MnistCnnError, match=message):
        settings.read_spec(tmp_path / "sweep.toml")


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(spec=["Best"]), "cannot read Best"),
        (dict(spec=["a.toml", "b.toml"]), "one TOML file"),
        (dict(grid=["dropout"]), "grid has 'dropout'"),
        (dict(grid=["dropout=2"]), "dropout is 2"),
        (dict(grid=["depth=2"]), "no option depth"),
        (dict(grid=["seed=2"]), "give --seeds"),
        (dict(num_epochs=0), "num_epochs is 0"),
        (dict(workers=0), "workers is 0"),
    ],
)
def test_bad_calls(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MnistCnnError, match=message):
        sweeps.main(**options)


def test_the_ablation_goes_from_plain_to_best():
    spec = settings.read_spec(ROOT / "docs" / "ablation.toml")
    configs = settings.expand(options={"num_epochs": 5}, settings=spec["settings"])
    assert configs["plain"] == Config() and len(set(configs.values())) == len(configs) == 8
    assert configs["best: half of the digits undistorted"] == configure("best", num_epochs=5)


def a_record(setting, seed, test, status="ok"):
    return dict(
        setting=setting,
        seed=seed,
        status=status,
        test_accuracy=test,
        seconds=2.0,
        validation_accuracy=0.99,
        config={"all_data": False},
        error="it failed",
    )


def test_table_and_comparison_against_the_formulas():
    """Student's t of 2 degrees of freedom is 4.302653 at .975 (any table has it)."""
    values = [0.9951, 0.9960, 0.9957]
    made = [a_record("plain", seed, value) for seed, value in enumerate(values, 1)]
    made += [a_record("best", seed, value + 0.001 * seed) for seed, value in enumerate(values, 1)]
    made += [a_record("broken", 1, None, "failed")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.table(made).splitlines()]
    assert len(rows) == 5 and len({len(row) for row in rows}) == 1
    sd = math.sqrt(sum((100 * v - 99.56) ** 2 for v in values) / 2)
    half = 4.302653 * sd / math.sqrt(3)
    assert rows[2] == [
        "plain",
        "3",
        "0",
        "99.000",
        "99.560",
        "{:.3f} to {:.3f}".format(99.56 - half, 99.56 + half),
        "{:.3f}".format(sd),
        "99.51",
        "99.60",
        "2.0",
    ]
    assert rows[4][:3] == ["broken", "0", "1"]
    compared = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.comparison(made).splitlines()]
    half = 4.302653 * 0.1 / math.sqrt(3)  # differences .1, .2, .3 points
    assert compared[2] == ["best", "3", "+0.200", "{:+.3f} to {:+.3f}".format(0.2 - half, 0.2 + half), "3 of 3"]
    assert compared[3][:2] == ["broken", "0"]
    assert summary.plot(made).startswith(b"\x89PNG")


def test_records_are_told_apart_by_all_that_counts(tmp_path):
    paths = {
        records.record_path(tmp_path, "a, b", config, digest, threads)
        for config in (Config(seed=1), Config(seed=2), Config(seed=1, dropout=0.1))
        for digest in ("x", "y")
        for threads in (1, 2)
    }
    assert len(paths) == 12 and all(path.name.startswith("a__b-") for path in paths)


def whole_record(**changes):
    record = dict(
        status="ok",
        setting="plain",
        seed=1,
        config=asdict(Config(seed=1)),
        data="0f",
        threads=2,
        seconds=3.5,
        commit="c",
        processor="p",
        engine="fused",
    )
    for part in ("training", "validation", "test"):
        record.update({part + "_loss": 0.1, part + "_accuracy": 0.99})
    return dict(record, **changes)


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "ok"}',
        "[" * 10**5,
        "3",
        "\xff",
        " " * 2 * 10**6 + "{}",
        *(
            json.dumps(whole_record(**changes))
            for changes in (
                dict(test_accuracy=99),
                dict(test_accuracy="0.99"),
                dict(validation_accuracy=-0.1),
                dict(test_accuracy=None),
                dict(test_accuracy=True),
                dict(test_loss=float("nan")),
                dict(seconds=float("inf")),
                dict(seconds=[]),
                dict(seed="1"),
                dict(seed=1.5),
                dict(setting=["plain"]),
                dict(status="done"),
                dict(status=["ok"]),
                dict(config={}, data=5),
                dict(config=[]),
                dict(config={"dropout": 7}),
                dict(config={"nonsense": 1}),
                dict(threads=None),
                dict(status="failed"),
                dict(status="failed", error=5),
            )
        ),
    ],
)
def test_records_that_are_none(text, tmp_path):
    """Damaged, or edited by hand: 9900 % of accuracy, or a traceback, came of them."""
    path = tmp_path / "plain-1-00000000.json"
    path.write_text(json.dumps(whole_record()))
    assert records.read_records(tmp_path) == {path: whole_record()}
    path.write_text(text, encoding="latin-1")
    with pytest.raises(MnistCnnError, match="not a record of a sweep; remove it"):
        records.read_records(tmp_path)


def test_a_sweep_goes_on_with_its_number_of_threads():
    """Even if fewer of its trainings are left than the machine has cores."""
    configs = [Config(seed=1), Config(seed=2)]
    made = [
        whole_record(threads=1),
        whole_record(threads=4, config=asdict(Config(seed=3))),
        whole_record(threads=8, data="other"),
    ]
    assert sweeps._threads_of(made, configs, "0f") == 1
    assert sweeps._threads_of(made[1:], configs, "0f") is None


def test_two_sweeps_in_one_folder_take_turns(tmp_path, mnist, capsys):
    """The second trains nothing that the first has trained meanwhile: no scheduler is asked."""
    fcntl = pytest.importorskip("fcntl")
    config, digest = Config(num_epochs=1, seed=1), mnist.card.digest
    failed = dict(
        status="failed", error="it failed", config=asdict(config), seed=1, data=digest, threads=1, seconds=2.0
    )
    first = os.open(str(tmp_path), os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    with ThreadPoolExecutor() as pool:
        second = pool.submit(
            sweeps.main, ["plain"], seeds="1", num_epochs=1, output=tmp_path, scheduler="tcp://127.0.0.1:1", threads=1
        )
        out = ""
        while "another sweep" not in out.lower() and not second.done():
            out += capsys.readouterr().out
        records.write_record(records.record_path(tmp_path, "plain", config, digest, 1), "plain", failed, [])
        assert not (tmp_path / "table.md").exists()
        os.close(first)
        assert second.result() == [dict(failed, setting="plain")]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows")
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_waits_for_the_start_of_a_cluster(times):
    """Also one that comes to another thread, such as a library's; a second one does not wait."""
    from mnist_cnn.sweeps.engine import _without_signals

    end, started = threading.Event(), False
    thread = threading.Thread(target=end.wait)
    thread.start()
    with signals(interrupt), pytest.raises(Interrupted):
        with _without_signals():
            for _ in range(times):
                signal.pthread_kill(thread.ident, signal.SIGTERM)
                time.sleep(0.1)
            started = True
    end.set()
    assert started == (times == 1)


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_commit_is_that_of_the_package(tmp_path, monkeypatch):
    """Not that of a repository around the environment that it is installed in."""

    def git(*args):
        return (
            subprocess.run(
                ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e", *args],
                check=True,
                stdout=subprocess.PIPE,
            )
            .stdout.decode()
            .strip()
        )

    package = tmp_path / ".venv" / "mnist_cnn"
    (package / "sweeps").mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "own.py").touch()
    git("init", "-q")
    git("add", "own.py")
    git("commit", "-qm", "of the user's")
    monkeypatch.setenv("GIT_DIR", str(Path(task.__file__).parents[2] / ".git"))  # as in a hook
    monkeypatch.setattr(task, "__file__", str(package / "sweeps" / "task.py"))
    assert task.source_version() == mnist_cnn.__version__
    monkeypatch.delenv("GIT_DIR")
    git("add", "-f", str(package))
    git("commit", "-qm", "with the package")
    assert task.source_version() == git("rev-parse", "HEAD")
    (package / "__init__.py").write_text("changed")
    assert task.source_version() == git("rev-parse", "HEAD") + "+"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        5,
        ({}, []),
        (whole_record(test_accuracy=99.0), []),
        (whole_record(test_loss="0"), []),
        (whole_record(), 5),
        (whole_record(), ["weights"]),
        (whole_record(), [np.array([object()])]),
        ("text", []),
        ([], []),
    ],
)
def test_a_worker_that_lies_is_a_failed_training(answer):
    """Or a scheduler: what comes back is no record, and the other trainings go on."""
    pytest.importorskip("distributed")
    from mnist_cnn.sweeps.engine import _result

    common = {name: whole_record()[name] for name in ("setting", "config", "seed", "data", "threads")}
    future = Future()
    future.set_result(answer)
    record, weights = _result(future, common)
    records.require_record(record)
    assert (record["status"], weights) == ("failed", []) and "\n" not in record["error"]
    future = Future()
    future.set_result((whole_record(seed=7, setting="another's"), [np.ones(1)]))
    record, weights = _result(future, common)
    assert record == whole_record() and len(weights) == 1
