"""Folders that may not be written, and a home that two users share; as root, rights are dropped."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from mnist_cnn import model

pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0 and not shutil.which("setpriv"),
    reason="root cannot drop its rights without setpriv",
)


def command(script, *args):
    return [sys.executable, str(ROOT / "scripts" / script), *map(str, args)]


def without_override(words):
    """The same command, which as root too has to keep to the rights of files and folders."""
    if os.geteuid():
        return words
    return [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
        *words,
    ]


@pytest.mark.skipif(not shutil.which("setpriv") or os.geteuid(), reason="only root becomes any user")
def test_a_user_without_a_name_or_a_home(tmp_path):
    """As containers have them; the line's advice is followed."""
    import theano

    rights = "+dac_override,+dac_read_search"  # to this Python, wherever it lies

    def start(**variables):
        environment = {
            name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME", "THEANO_FLAGS")
        }
        return subprocess.run(
            [
                "setpriv",
                "--reuid=54321",
                "--regid=54321",
                "--clear-groups",
                "--inh-caps=" + rights,
                "--ambient-caps=" + rights,
                *command("evaluate.py", "nothing.npz"),
            ],
            stderr=subprocess.PIPE,
            text=True,
            cwd=str(tmp_path),
            env=dict(environment, **variables),
        )

    process = start()
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    advice = process.stderr.strip().rsplit("set HOME, or ", 1)[1]
    assert advice == "THEANO_FLAGS=base_compiledir=DIR"
    # a folder of that user's, with the modules that Theano would compile at its first start
    cache = tmp_path / ".theano" / os.path.basename(theano.config.compiledir)
    shutil.copytree(theano.config.compiledir, str(cache), ignore=shutil.ignore_patterns("tmp*", "lock*"))
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(str(path), 54321, 54321)
    name, value = advice.replace("DIR", str(cache.parent)).split("=", 1)
    for variables in ({name: value}, {"HOME": str(tmp_path)}):
        process = start(**variables)
        assert process.stderr == "error: cannot read nothing.npz: No such file or directory\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "script, args",
    [
        ("train.py", ["--output", "{closed}/model.npz"]),
        ("train.py", ["--output", "{open}/model.npz", "--checkpoint", "{closed}/model.checkpoint"]),
        ("train.py", ["--output", "{closed}/old.npz"]),
        ("explore.py", ["{model}", "--output", "{closed}/page.html"]),
        ("visualize.py", ["{model}", "--output", "{closed}", "--data-dir", "{data}"]),
        ("visualize.py", ["{model}", "--output", "{closed}/pictures", "--data-dir", "{data}"]),
        ("sweep.py", ["--output", "{closed}"]),
        ("sweep.py", ["--output", "{closed}/results"]),
        ("evaluate.py", ["{secret}"]),
        ("train.py", ["--data-dir", "{empty}"]),
    ],
)
def test_what_may_not_be_touched(script, args, training, small_mnist, tmp_path):
    closed, empty, secret = tmp_path / "closed", tmp_path / "empty", tmp_path / "secret.npz"
    closed.mkdir()
    empty.mkdir(0o555)
    (tmp_path / "open").mkdir()
    (closed / "old.npz").write_bytes(b"old")
    shutil.copy(str(training[1]), str(secret))
    secret.chmod(0)
    closed.chmod(0o555)
    places = dict(
        closed=closed, empty=empty, open=tmp_path / "open", secret=secret, model=training[1], data=small_mnist
    )
    try:
        process = subprocess.run(
            without_override(command(script, *[arg.format(**places) for arg in args])),
            capture_output=True,
            text=True,
            cwd=str(tmp_path),
        )
        assert process.returncode == 2
        assert process.stderr.count("\n") == 1 and "Permission denied" in process.stderr
        assert os.listdir(str(closed)) == ["old.npz"] and os.listdir(str(tmp_path / "open")) == []
    finally:
        closed.chmod(0o755)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be two users")
def test_two_users_with_one_home_train_at_once(small_mnist, tmp_path):
    """From an empty cache: each gets one of its own, since it cannot write the other's."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    env = {name: value for name, value in os.environ.items() if name not in ("THEANO_FLAGS", "THEANORC")}
    processes = []
    for user in (65533, 65534):
        processes.append(
            subprocess.Popen(
                # it reads what is root's, the tests and the interpreter, and writes no more than it may
                [
                    "setpriv",
                    "--reuid={}".format(user),
                    "--clear-groups",
                    "--inh-caps=-all,+dac_read_search",
                    "--ambient-caps=-all,+dac_read_search",
                    "--bounding-set=-all,+dac_read_search",
                    *command(
                        "train.py",
                        "--epochs",
                        1,
                        "--batch-size",
                        5000,
                        "--seed",
                        1,
                        "--data-dir",
                        small_mnist,
                        "--output",
                        home / "{}.npz".format(user),
                    ),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
                cwd=str(home),
                env=dict(env, HOME=str(home), PYTHONDONTWRITEBYTECODE="1"),
            )
        )
    weights = []
    for user, process in zip((65533, 65534), processes):
        out, err = process.communicate(timeout=900)
        assert (process.returncode, err) == (0, ""), err
        assert "Final results" in out
        path = home / "{}.npz".format(user)
        assert path.stat().st_uid == user
        weights.append(model.load_weights(path, model.build_cnn()))
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)
    caches = {path.name: path.stat().st_uid for path in home.glob(".theano*")}
    assert set(caches.values()) == {65533, 65534}
    assert ".theano" in caches and any(name == ".theano-{}".format(user) for name, user in caches.items())
