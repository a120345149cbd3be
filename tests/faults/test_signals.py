"""Ctrl-C and SIGTERM at every stage of a command, which is held there: no test races."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

HERE = Path(__file__).parent

#: A compiler that, asked for what HOLDS says, notes its process and never ends.
COMPILER = """\
#!{python}
import os, subprocess, sys, time
if {holds!r} in " ".join(sys.argv):
    with open({log!r}, "a") as file:
        file.write("{{}}\\n".format(os.getpid()))
    open({fifo!r}, "w").close()  # waits for the test
    time.sleep(3600)
sys.exit(subprocess.call(["g++"] + sys.argv[1:]))
"""


class Held:
    """A script that stops at a place, says so, and goes on when it is told."""

    def __init__(self, place, script, *args, env=(), **kwargs):
        says, self.says_end = os.pipe()
        self.says = os.fdopen(says, "rb")
        hears, self.hears = os.pipe()
        path = os.pathsep.join(filter(None, [str(HERE / "held"), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            pass_fds=(self.says_end, hears),
            # a shell that starts the tests in the background has them ignore Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env=dict(
                os.environ,
                PYTHONPATH=path,
                HELD_AT=place,
                HELD_SAYS=str(self.says_end),
                HELD_HEARS=str(hears),
                **dict(env),
            ),
            **kwargs,
        )
        os.close(hears)

    def wait(self):
        os.close(self.says_end)
        assert self.says.readline() == b"held\n", self.process.communicate()[1]

    def finish(self, release=True):
        if release:
            os.write(self.hears, b"\n")
        out, err = self.process.communicate(timeout=300)
        self.says.close()
        os.close(self.hears)
        return self.process.returncode, out, err


@pytest.mark.parametrize(
    "place, signum, code, line",
    [
        # nothing has begun: the signal itself ends it, as the shell sees it 130
        ("import argparse", signal.SIGINT, -signal.SIGINT, ""),
        ("import numpy", signal.SIGINT, 130, "interrupted\n"),
        ("import theano.tensor", signal.SIGINT, 130, "interrupted\n"),
        ("import lasagne", signal.SIGTERM, 143, "interrupted\n"),
        ("import lasagne", signal.SIGHUP, 129, "interrupted\n"),
        ("import mnist_cnn.predict", signal.SIGTERM, 143, "interrupted\n"),
    ],
)
def test_while_it_is_imported(place, signum, code, line, tmp_path):
    held = Held(place, "evaluate.py", "nothing.npz", cwd=str(tmp_path))
    held.wait()
    held.process.send_signal(signum)
    assert held.finish(release=False) == (code, "", line)


def test_what_a_library_swallows_comes_again(tmp_path):
    """A bare except around an import, as libraries have them: the next import ends the command."""
    (tmp_path / "lasagne.py").write_text(
        "import os, signal, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(1)\nexcept:\n    pass\n"
        "class Dies:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(1)\n"
        "Dies()\n"
        "import this\nopen('reached', 'w')\n"
    )
    process = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "evaluate.py"), "nothing.npz"],
        cwd=str(tmp_path),
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (process.returncode, process.stdout, process.stderr) == (130, "", "interrupted\n")
    assert not (tmp_path / "reached").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "holds, signum, code",
    [
        ("lazylinker_ext", signal.SIGTERM, 143),  # what Theano compiles for itself, as it is imported
        ("common.h", signal.SIGTERM, 143),  # headers in the background
        ("-include ", signal.SIGINT, 130),
    ],
)  # a graph's modules
def test_while_it_compiles(holds, signum, code, training, small_mnist, tmp_path):
    """From an empty cache: a line, no folder left behind, no compiler either."""
    temporary, log, compiler = tmp_path / "tmp", tmp_path / "log", tmp_path / "g++"
    temporary.mkdir()
    fifo = tmp_path / "fifo"
    os.mkfifo(str(fifo))
    flags = "base_compiledir={},cxx={}".format(tmp_path / "cache", compiler)
    compiler.write_text(COMPILER.format(python=sys.executable, holds=holds, log=str(log), fifo=str(fifo)))
    compiler.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "evaluate.py"), str(training[1]), "--data-dir", str(small_mnist)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, THEANO_FLAGS=flags, TMPDIR=str(temporary)),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    open(str(fifo)).close()  # waits for the compiler
    process.send_signal(signum)
    out, err = process.communicate(timeout=120)
    try:
        assert (process.returncode, err) == (code, "interrupted\n")
        assert os.listdir(str(temporary)) == []
        if holds != "lazylinker_ext":  # Theano's own call of it
            for pid in map(int, log.read_text().split()):
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)
    finally:
        for pid in map(int, log.read_text().split()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.mark.parametrize("place", ["first exit", "last exit"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_while_python_exits(place, signum, training, small_mnist):
    """All is done, and stays done: the exit code is that of the command, and nothing is said."""
    held = Held(place, "evaluate.py", training[1], "--data-dir", small_mnist)
    held.wait()
    held.process.send_signal(signum)
    code, out, err = held.finish()
    assert (code, err) == (0, "") and "mistakes in 1000" in out
