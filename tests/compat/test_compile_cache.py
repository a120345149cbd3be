"""Theano's cache of compiled modules: filled, shared and damaged."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import run_script
from mnist_cnn.compat import parallel_compile
from mnist_cnn.storage import atomic
from mnist_cnn.system.machine import cores

#: A graph of three modules or so, compiled and run.
CODE = """
import mnist_cnn, numpy, theano, theano.tensor as T
x = T.fmatrix()
f = theano.function([x], [T.tanh(x).sum(axis=0), T.dot(x, x.T)])
a, b = f(numpy.eye(3, dtype='float32'))
assert abs(a - numpy.tanh(1)).max() < 1e-6 and (b == numpy.eye(3)).all()
print(theano.config.compiledir)
"""


#: A compiler that notes when it begins and ends, and with what; and cannot do some of it.
COMPILER = """\
#!{python}
import os, subprocess, sys, time
start = time.time()
status = 1 if {refuses!r} in " ".join(sys.argv) else subprocess.call(["g++"] + sys.argv[1:])
with open({log!r}, "a") as file:
    file.write("{{}} {{}} {{}} {{}}\\n".format(start, time.time(), status, " ".join(sys.argv)))
sys.exit(status)
"""


def start(base, flags=""):
    return subprocess.Popen(
        [sys.executable, "-c", CODE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, THEANO_FLAGS="base_compiledir={}{}".format(base, flags)),
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return Path(out.strip()), err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="compiles ahead on Linux only")
def test_no_process_waits_for_another_that_compiles(tmp_path):
    """Not even for one that has stopped; then modules are damaged."""
    stopped = start(tmp_path)
    while not list(tmp_path.glob("*/compiling")):  # it has begun with its graph
        assert stopped.poll() is None, stopped.communicate()
        time.sleep(0.01)
    stopped.send_signal(signal.SIGSTOP)
    try:
        folder, err = finish(start(tmp_path))
    finally:
        stopped.send_signal(signal.SIGCONT)
    assert (err, *finish(stopped)) == ("", folder, "")
    assert not [path for path in folder.glob("tmp*") if not (path / "key.pkl").exists()]

    # the power failed: every module lost its end; and another process holds the lock for ever
    modules = list(folder.glob("*/*.so"))
    assert {"cutils_ext.so", "lazylinker_ext.so"} < {path.name for path in modules}
    for path in modules:
        os.truncate(str(path), path.stat().st_size // 8)
    with open(folder / "lock") as stuck:
        atomic.lock(stuck.fileno())
        _, err = finish(start(tmp_path, ",compile.timeout=1"))
    assert err == ""
    before = sorted(path.name for path in folder.iterdir())
    _, err = finish(start(tmp_path))
    assert err == "" and sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.slow
def test_one_is_killed_while_two_start_together(tmp_path):
    killed, other = start(tmp_path), start(tmp_path)
    while not list(tmp_path.glob("*/cutils_ext/cutils_ext.so")):
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert finish(other)[1] == ""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="no g++")
@pytest.mark.parametrize("refuses", ["nothing", "mnist_cnn-"])
def test_first_start_compiles_side_by_side(tmp_path, refuses):
    """Several modules at a time; where that fails (a full /tmp, say) one by one, as Theano does."""
    log, compiler = tmp_path / "log", tmp_path / "g++"  # Theano goes by the name
    compiler.write_text(COMPILER.format(python=sys.executable, refuses=refuses, log=str(log)))
    compiler.chmod(0o755)
    _, err = finish(start(tmp_path / "cache", ",cxx=" + str(compiler)))
    assert err == ""
    calls = [line.split(" ", 3) for line in log.read_text().splitlines()]
    ahead = [(float(begin), float(end), status) for begin, end, status, arguments in calls if "mnist_cnn-" in arguments]
    assert len(ahead) > 2 and {status for _, _, status in ahead} == {"0" if refuses == "nothing" else "1"}
    if refuses == "nothing":
        overlap = any(a[0] < b[0] < a[1] for a in ahead for b in ahead)
        assert overlap or cores() == 1
    log.unlink()
    finish(start(tmp_path / "cache", ",cxx=" + str(compiler)))
    assert not log.exists() or "mod.cpp" not in log.read_text()  # all were kept


def test_cache_is_kept_apart_by_processor_and_mends():
    code = (
        "from mnist_cnn.compat import flags, mends; import theano; "
        "print(flags._cpu_id(), mends.digest(), theano.config.compiledir, "
        "*theano.gof.cmodule.GCC_compiler.compile_args(march_flags=False))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], universal_newlines=True)
    cpu, digest, folder, *flags = out.split()
    assert folder.endswith("-{}-{}".format(cpu, digest))
    assert "-DMNIST_CNN_MENDS=0x" + digest in flags  # a part of each module's key


def test_cache_that_cannot_be_made():
    process = subprocess.run(
        [sys.executable, str(Path(__file__).parents[2] / "scripts" / "train.py")],
        capture_output=True,
        text=True,
        env=dict(os.environ, THEANO_FLAGS="base_compiledir=/proc/nowhere"),
    )
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1 and "Unable to create the compiledir" in process.stderr


@pytest.fixture
def noexec(tmp_path):
    """A folder on a disk that is mounted noexec, as hardened systems mount /home."""
    folder = tmp_path / "noexec"
    folder.mkdir()
    if subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs", str(folder)], stderr=subprocess.DEVNULL
    ):
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.check_call(["umount", str(folder)])


@pytest.mark.skipif(not shutil.which("mount"), reason="no mount")
def test_cache_on_a_disk_that_runs_nothing(noexec):
    """Theano compiled for ever, and printed thousands of lines."""
    process = run_script("train.py", env=dict(os.environ, HOME=str(noexec), THEANO_FLAGS=""))
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert str(noexec / ".theano") in process.stderr
    assert "noexec" in process.stderr and "THEANO_FLAGS=base_compiledir=DIR" in process.stderr


def test_missing_headers_on_a_first_start(tmp_path):
    """Theano compiles as it is imported, before anybody could say what has to be installed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sysconfig\nfor scheme in sysconfig._INSTALL_SCHEMES.values():\n    scheme['include'] = {!r}\n".format(
            str(tmp_path / "no")
        )
    )
    compiler = tmp_path / "g++"
    compiler.write_text(
        "#!/bin/sh\necho 'mod.cpp:1:10: fatal error: Python.h: No such file or directory' >&2\nexit 1\n"
    )
    compiler.chmod(0o755)
    process = run_script(
        "train.py",
        env=dict(
            os.environ,
            PYTHONPATH=str(tmp_path),
            THEANO_FLAGS="base_compiledir={},cxx={}".format(tmp_path / "cache", compiler),
        ),
    )
    assert process.returncode == 2 and process.stderr.count("\n") == 1, process.stderr
    assert "Theano needs Python's header files (Python.h); install on Debian" in process.stderr


def test_warm_start_compiles_nothing(tmp_path, training, small_mnist):
    """A second process finds every module of the first: no compiler run that makes one."""
    calls = tmp_path / "calls"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def hook(event, args):\n"
        "    if event == 'subprocess.Popen':\n"
        "        with open({!r}, 'a') as file:\n"
        "            print(args[1], file=file)\n"
        "sys.addaudithook(hook)\n".format(str(calls))
    )
    process = run_script(
        "train.py",
        "--epochs",
        1,
        "--batch-size",
        5000,
        "--learning-rate",
        0.03,
        "--data-dir",
        small_mnist,
        "--output",
        tmp_path / "model.npz",
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])),
    )
    assert process.returncode == 0 and process.stderr == ""
    lines = calls.read_text().splitlines()
    assert any("-dumpversion" in line for line in lines)  # the hook sees Theano's processes
    assert [line for line in lines if "-shared" in line or ".cpp" in line] == []


#: Two graphs of several modules, one that is compiled module by module, a child that ends, and the headers' folders
#: before and after.
GRAPHS = """
import glob, os, sys, tempfile, time
import mnist_cnn, theano, theano.tensor as T
from mnist_cnn.compat import parallel_compile
parallel_compile._headers.SECONDS = 1
x = T.fmatrix()
for k in (1, 2):
    theano.function([x], [T.sin(x + k), (x * k).sum(axis=0), x[k:] / (k + 2), x.max(axis=1) + k])
before = len(open(sys.argv[1]).readlines())
theano.function([x], T.tan(x), mode="DebugMode")
calls = open(sys.argv[1]).readlines()[before:]
assert calls and all("-include" in call for call in calls), calls
kept = glob.glob(os.path.join(tempfile.gettempdir(), "mnist_cnn-{}-*/common.h".format(os.getpid())))
if os.fork() == 0:
    parallel_compile._headers.close()
    os._exit(0)
os.wait()
assert kept and all(map(os.path.exists, kept)), kept
time.sleep(2)
assert not any(map(os.path.exists, kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="compiles ahead on Linux only")
def test_headers_are_parsed_once_for_graphs_that_follow(tmp_path):
    """By one set of flags or two; then they are removed, by no child."""
    log, compiler = tmp_path / "log", tmp_path / "g++"
    compiler.write_text(COMPILER.format(python=sys.executable, refuses="nothing", log=str(log)))
    compiler.chmod(0o755)
    flags = "base_compiledir={},cxx={}".format(tmp_path / "cache", compiler)
    subprocess.run([sys.executable, "-c", GRAPHS, log], env=dict(os.environ, THEANO_FLAGS=flags), check=True)
    calls = [line.split(" ", 3)[3].split() for line in log.read_text().splitlines()]
    assert 1 <= sum("c++-header" in call for call in calls) <= 2 and sum("-include" in call for call in calls) >= 6


def test_headers_are_removed_once():
    """By the timer, while the process ends: a file that is closed twice may be another one by then."""
    closed, begun = [], threading.Event()

    class Headers:
        def close(self):
            begun.set()
            time.sleep(0.2)
            closed.append(self)

    kept = parallel_compile._KeptHeaders()
    kept.of_flags = {1: Headers(), 2: Headers()}
    timer = threading.Thread(target=kept.close_unused)
    timer.start()
    begun.wait()
    kept.close()
    timer.join()
    assert len(closed) == 2 == len(set(closed))


def test_a_folder_that_another_process_cleaned_away(tmp_path):
    """Empty until a module is ready: the module does not take the folder's own name."""
    from concurrent.futures import Future

    from mnist_cnn.compat import parallel_compile

    built = tmp_path / "built"
    built.mkdir()
    (built / "mod.cpp").write_text("source")
    (built / "m1.so").write_text("library")
    builds = parallel_compile._Builds.__new__(parallel_compile._Builds)
    builds.pool, builds.libraries = True, {"source": Future()}
    builds.libraries["source"].set_result(built / "m1.so")
    location = tmp_path / "cache" / "tmp1"
    assert builds.take("source", str(location)) == str(location / "m1.so")
    assert (location / "m1.so").read_text() == "library" and (location / "mod.cpp").is_file()


def test_files_in_the_place_of_folders_go(tmp_path):
    from mnist_cnn.compat import compile_cache

    (tmp_path / "tmp1").write_text("library")
    (tmp_path / "tmp2").mkdir()
    compile_cache.remove_truncated_modules(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tmp2"]
