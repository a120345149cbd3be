"""How the modules of Theano and Lasagne are mended: by whom the mends are seen, and what they cost."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from mnist_cnn.compat import import_hooks


@pytest.fixture
def old_package(tmp_path, monkeypatch):
    """A package `old` that is mended, with a line to substitute; in a folder of its own."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "__init__.py").write_text(
        "import numpy as np\nimport numpy.random\nfrom distutils.spawn import find_executable\n"
        "kind = np.float\nanswer = 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(import_hooks, "PACKAGES", import_hooks.PACKAGES | {"old"})
    monkeypatch.setitem(import_hooks.LINES, "old", [("answer = 1", "answer = 2")])
    yield tmp_path / "old"
    sys.modules.pop("old", None)


def test_old_code_sees_old_numpy_alone(old_package):
    old = importlib.import_module("old")
    assert (old.kind, old.answer, old.np.sqrt) == (float, 2, np.sqrt)
    assert "float" not in vars(np) and sys.modules["numpy"] is np


def test_a_missing_line_is_named(old_package, monkeypatch):
    monkeypatch.setitem(import_hooks.LINES, "old", [("answer = 3", "answer = 4")])
    with pytest.raises(ImportError, match="old has no line 'answer = 3'"):
        importlib.import_module("old")


def test_substituted_bytecode_is_kept_until_the_lines_change(old_package, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    importlib.import_module("old")
    (bytecode,) = (old_package / "__pycache__").iterdir()
    assert bytecode.name.endswith(".mnist_cnn.pyc")
    compiled = []
    monkeypatch.setattr(import_hooks, "_substitute", lambda name, text: compiled.append(name) or text)
    del sys.modules["old"]
    assert importlib.import_module("old").answer == 2 and compiled == []
    monkeypatch.setitem(import_hooks.LINES, "old", [("answer = 1", "answer = 5")])
    del sys.modules["old"]
    importlib.import_module("old")
    assert compiled == ["old"]


def test_theano_is_imported_by_its_first_use():
    code = "import sys, mnist_cnn; print('theano' in sys.modules, 'numpy' in sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", code], universal_newlines=True)
    assert out == "False False\n"


#: What a program's worker does: Theano is not imported by the program itself.
WORKER = """
import multiprocessing, sys
{first}

def work(number):
    import collections, numpy, theano, theano.tensor as T
    x = T.dscalar()
    assert isinstance([], collections.Iterable)  # a name that Python dropped
    return numpy.float(theano.function([x], x * 2, mode=theano.Mode("py", "fast_compile"))(number))

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map(work, [1, 2]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_get_the_mends(method, tmp_path):
    """And the dropped names; beside a file of the package's name, too: Keras' examples have one."""
    (tmp_path / "program.py").write_text(WORKER.format(first=""))
    (tmp_path / "mnist_cnn.py").write_text("raise SystemExit('another program')\n")
    process = subprocess.run(
        [sys.executable, "-m", "mnist_cnn.compat", str(tmp_path / "program.py"), method],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (process.stdout, process.stderr) == ("[2.0, 4.0]\n", "")


def test_children_of_joblib_get_the_mends(tmp_path):
    pytest.importorskip("joblib")
    (tmp_path / "program.py").write_text(
        "import mnist_cnn, joblib\n"
        "def work():\n    import theano\n    return theano.__version__\n"
        "print(joblib.Parallel(2)([joblib.delayed(work)()]))\n"
    )
    process = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="2"),
    )
    assert (process.stdout, process.stderr) == ("['1.0.5']\n", "")


def test_an_environment_is_mended_for_good(tmp_path):
    """A .pth file has Theano mended at its first import, and is undone."""
    import site
    import venv

    venv.create(str(tmp_path / "env"), with_pip=False)
    python = str(tmp_path / "env" / "bin" / "python")
    (folder,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    project = os.path.dirname(os.path.dirname(import_hooks.__file__))[: -len("mnist_cnn")]
    (folder / "these.pth").write_text("\n".join(filter(os.path.isdir, [*site.getsitepackages(), project])))

    def run(*args):
        process = subprocess.run([python, *args], capture_output=True, text=True, cwd=str(tmp_path))
        return process.stdout, process.stderr

    show = "import sys; print('mnist_cnn' in sys.modules); import theano; print('mnist_cnn' in sys.modules)"
    out, err = run("-m", "mnist_cnn.compat", "--install")
    assert err == "" and str(folder) in out
    assert run("-c", show) == ("False\nTrue\n", "")
    assert run("-c", "import mnist_cnn; " + show) == ("True\nTrue\n", "")
    (tmp_path / "mnist_cnn.py").write_text("import theano; print(theano.__version__)\n")  # Keras' examples have one
    assert run("mnist_cnn.py") == ("1.0.5\n", "")
    (tmp_path / "mnist_cnn.py").unlink()
    out, err = run("-m", "mnist_cnn.compat", "--uninstall")
    assert err == "" and sorted(path.name for path in folder.glob("mnist_cnn*")) == []


def test_python_3_15_gives_the_name_of_the_module_too(old_package, monkeypatch):
    """Faked: its loader calls ``source_to_code(data, path, fullname)``."""
    base = importlib.machinery.SourceFileLoader.source_to_code
    calls = []

    def source_to_code(self, data, path, fullname=None, *, _optimize=-1):
        calls.append(fullname)
        return base(self, data, path, _optimize=_optimize)

    monkeypatch.setattr(importlib.machinery.SourceFileLoader, "source_to_code", source_to_code)
    loader = importlib.util.find_spec("old").loader
    code = loader.source_to_code(b"answer = 1", "old.py", "old")
    assert calls == ["old"] and 2 in code.co_consts


@pytest.mark.parametrize("first", ["lasagne", "theano"])
def test_an_installed_package_may_be_imported_last(first):
    """In the order of import sorters: the wheel brings the file that mends at the first import."""
    code = "import {}; import mnist_cnn; from mnist_cnn.compat import import_hooks; print(import_hooks.MendingFinder)"
    process = subprocess.run([sys.executable, "-c", code.format(first)], capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "") and "MendingFinder" in process.stdout
