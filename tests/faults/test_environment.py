"""The environment with values that nobody means: a line, and the exit code of the user's mistake."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_walk import faults_of

from conftest import ROOT

NUMBERS = {
    "OMP_NUM_THREADS": ("junk", "0", "-1", "99999999999", "1.5", "\u0665"),
    "MKL_NUM_THREADS": ("junk", "-1"),
    "OPENBLAS_NUM_THREADS": ("0", "1.5"),
}

#: (variables, exit code, a word of the line)
REFUSED = (
    [({name: value}, name) for name, values in NUMBERS.items() for value in values]
    + [
        ({"THEANO_FLAGS": flags}, word)
        for flags, word in (
            ("'", "quotation"),
            ("mode=junk", "Mode"),
            ("linker=junk", "linker"),
            ("optimizer=junk", "optimizer"),
            ("floatX=junk", "floatX"),
            ("device=junk", "device"),
            ("openmp=junk", "openmp"),
            ("compiledir_format=%(junk)s", "junk"),
            ("base_compiledir=/proc/x", "compiledir"),
            ("base_compiledir=/dev/null", "compiledir"),
            ("cxx=/proc/x", "C++ compiler /proc/x"),
            ("cxx=/bin/false", "C++ compiler /bin/false"),
            ("gcc.cxxflags=-junk", "-junk"),
            ("floatX=float16", "Theano fails"),
            ("compute_test_value=raise", "Theano fails"),
        )
    ]
    + [
        ({"THEANORC": "{folder}/junk"}, ".theanorc"),
        ({"THEANORC": "{folder}/binary"}, ".theanorc"),
        ({"HOME": "/proc/x"}, "compiledir"),
        ({"HOME": "{folder}/junk"}, "compiledir"),
        ({"HOME": "junk"}, "HOME"),
        ({"MPLBACKEND": "junk"}, "MPLBACKEND"),
        ({"THEANO_FLAGS": "junk=1", "PYTHONWARNINGS": "error"}, "junk"),
    ]
)

#: Variables with which all goes on as without them.
BORNE = [
    {"OMP_NUM_THREADS": "2,1"},
    {"OMP_NUM_THREADS": ""},
    {"OMP_SCHEDULE": "junk"},
    {"OMP_STACKSIZE": "junk"},
    {"OMP_WAIT_POLICY": "junk"},
    {"GOMP_CPU_AFFINITY": "junk"},
    {"OPENBLAS_NUM_THREADS": "1000"},
    {"OPENBLAS_CORETYPE": "junk"},
    {"MKL_THREADING_LAYER": "junk"},
    {"THEANO_FLAGS": "junk"},
    {"THEANO_FLAGS": "junk=1"},
    {"THEANO_FLAGS": ",,="},
    {"THEANORC": "/proc/x"},
    {"THEANORC": "/"},
    {"THEANORC": ""},
    {"PYTHONOPTIMIZE": "1"},
    {"PYTHONOPTIMIZE": "2"},
    {"PYTHONWARNINGS": "error", "THEANO_FLAGS": ""},
    {"PYTHONDONTWRITEBYTECODE": "1"},
    {"PYTHONUNBUFFERED": "1"},
    {"PYTHONPATH": "/proc/x:junk"},
    {"TMPDIR": "/proc/x"},
    {"TMPDIR": "{folder}/junk"},
    {"MPLCONFIGDIR": "/proc/x"},
    {"MATPLOTLIBRC": "{folder}/binary"},
    {"LC_ALL": "C"},
    {"LC_ALL": "junk"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LANG": "\u00e4", "LC_ALL": ""},
    {"PYTHONIOENCODING": "ascii"},
    {"TERM": "junk"},
    {"COLUMNS": "junk"},
    {"LIBRARY_PATH": "junk"},
    {"LD_LIBRARY_PATH": "junk"},
    {"NUMBER_OF_PROCESSORS": "junk"},
    {"TQDM_DISABLE": "junk"},
]


def run(variables, script, *args, **kwargs):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *map(str, args)],
        capture_output=True,
        text=True,
        errors="replace",
        **kwargs,
        env=dict({name: value for name, value in os.environ.items() if name != "MPLBACKEND"}, **variables),
    )


def with_cache(variables):
    """Flags and homes of one's own would start with an empty cache, half a minute each."""
    import theano

    flags = variables.get("THEANO_FLAGS", "")
    if "base_compiledir" in flags or "HOME" in variables:
        return dict(variables) if "HOME" not in variables else dict(variables, THEANO_FLAGS="")
    base = "base_compiledir=" + theano.config.base_compiledir
    return dict(variables, THEANO_FLAGS=flags + "," + base if flags != "'" else flags)


def on_both_cores(function, cases):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, cases))


@pytest.mark.parametrize("says", ["", "ld: final link failed: No space left on device"])
def test_a_compiler_that_fails_from_the_start(says, tmp_path):
    """With nothing in Theano's cache, whose first parts are compiled while Theano is imported."""
    compiler, temporary = tmp_path / "g++", tmp_path / "tmp"
    compiler.write_text("#!/bin/sh\necho '{}' >&2\nexit 1\n".format(says))
    compiler.chmod(0o755)
    temporary.mkdir()
    process = run(
        {"THEANO_FLAGS": "cxx={},base_compiledir={}".format(compiler, tmp_path / "cache"), "TMPDIR": str(temporary)},
        "train.py",
        cwd=str(tmp_path),
    )
    assert process.returncode == 2 and process.stdout == ""
    assert not faults_of(process.returncode, process.stdout, process.stderr)
    line = process.stderr.splitlines()[-1]
    assert line.startswith("error: Theano does not start; ") and "the disk" in line and says in line
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_what_cannot_be_meant_is_refused(training, small_mnist, tmp_path):
    (tmp_path / "junk").write_text("junk\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))

    def check(case):
        variables, word = case
        folder = tmp_path / "{:x}".format(abs(hash(str(case))))
        folder.mkdir()
        process = run(
            {
                name: value.format(folder=tmp_path) if "%" not in value else value
                for name, value in with_cache(variables).items()
            },
            "visualize.py",
            training[1],
            "--figures",
            "confusion",
            "--data-dir",
            small_mnist,
            cwd=str(folder),
        )
        faults = faults_of(process.returncode, process.stdout, process.stderr)
        if (
            process.returncode != 2
            or word not in process.stderr
            or any(os.path.isfile(str(path)) for path in folder.rglob("*"))
        ):
            faults.append("exit code {}".format(process.returncode))
        return [(variables, faults, process.stderr[-1000:])] if faults else []

    assert sum(on_both_cores(check, REFUSED), []) == []


@pytest.mark.slow
def test_what_does_no_harm_is_borne(training, small_mnist, tmp_path):
    """Many at once, one value of each variable."""
    (tmp_path / "junk").write_text("junk\n")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    usual = run({}, "evaluate.py", training[1], "--data-dir", small_mnist)
    assert usual.returncode == 0

    groups = [{} for _ in range(max(Counter(name for variables in BORNE for name in variables).values()))]
    for variables in BORNE:
        next(group for group in groups if not group.keys() & variables.keys()).update(variables)

    def check(variables):
        process = run(
            {name: value.format(folder=tmp_path) for name, value in with_cache(variables).items()},
            "evaluate.py",
            training[1],
            "--data-dir",
            small_mnist,
            cwd=str(tmp_path),
        )
        faults = faults_of(process.returncode, process.stdout, process.stderr, lines_at_most=3 * len(variables))
        if process.returncode or process.stdout != usual.stdout:
            faults.append("exit code {}".format(process.returncode))
        return [(variables, faults, process.stderr[-1000:])] if faults else []

    assert sum(on_both_cores(check, groups), []) == []
    assert sorted(os.listdir(str(tmp_path))) == ["binary", "junk"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags, script, args",
    [
        (["-W", "error"], "train.py", ["--epochs", 1, "--batch-size", 5000, "--data-dir", "{data}"]),
        (["-W", "error"], "visualize.py", ["{model}", "--index", 0, "--data-dir", "{data}"]),
        (["-W", "error"], "sweep.py", ["junk"]),
        (["-OO"], "train.py", ["--epochs", 1, "--batch-size", 5000, "--data-dir", "{data}"]),
        (["-I"], "visualize.py", ["{model}", "--index", 0, "--data-dir", "{data}"]),
        (["-I"], "predict.py", ["{model}", "nothing.png"]),
    ],
)
def test_python_flags(script, args, flags, training, small_mnist, tmp_path):
    places = dict(model=training[1], data=small_mnist)
    process = subprocess.run(
        [sys.executable, *flags, str(ROOT / "scripts" / script), *[str(arg).format(**places) for arg in args]],
        capture_output=True,
        text=True,
        cwd=str(tmp_path),
    )
    assert not faults_of(process.returncode, process.stdout, process.stderr), process.stderr
    assert process.returncode == (0 if script in ("train.py", "visualize.py") else 2)


def test_a_free_threaded_python_is_refused_in_one_line():
    """Faked, by what such a build calls itself."""
    code = (
        "import sys; sys.abiflags = 't'\n"
        "from mnist_cnn.__main__ import program; sys.argv = ['mnist-cnn', 'train']; sys.exit(program())"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    version = "python{}.{}".format(*sys.version_info)
    assert process.returncode == 2
    assert process.stderr.startswith("error: mnist_cnn needs an ordinary build of CPython")
    assert process.stderr.endswith("use {0}, not {0}t\n".format(version)) and process.stderr.count("\n") == 1
