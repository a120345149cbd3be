"""Theano's own tests for the CPU, compared with their outcomes where Theano was at home.

``make theano-tests`` runs this file. It runs every module of tests in a process of its own and compares the outcomes
with ``theano_outcomes.txt.gz``: those of plain Theano 1.0.5 on CPython 3.8 with NumPy 1.17. Tests that pass
there and fail here are listed in ``theano_failures.txt``, each with the reason. An unlisted failure is an error, and so
is a listed test that passes.

Commands
--------
run FILE [WORD...]
    Run the tests, those whose module's name contains a word, or all. Tests that FILE has already are not run again.
compare FILE
    Compare the outcomes in FILE with both lists.

The file is also a plugin of pytest. It runs on CPython 3.8, too, where the list was made (docs/old-code.md).
"""

import argparse
import fnmatch
import gzip
import importlib.util
import inspect
import os
import signal
import subprocess
import sys
import unittest
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUTCOMES = HERE / "theano_outcomes.txt.gz"
FAILURES = HERE / "theano_failures.txt"

#: Folders of tests for a GPU, for pictures of graphs (needs graphviz), and of the form of Theano's source.
NOT_RUN = ("gpuarray", "d3viz", "test_flake8", "test_mpi")
#: As Theano's own CI ran them: old warnings off, errors of the optimizer raised.
FLAGS = "floatX=float64,warn.ignore_bug_before=all,on_opt_error=raise,on_shape_error=raise"
#: Seconds for one test, and for one module of tests.
TEST_LIMIT, MODULE_LIMIT = int(os.environ.get("TEST_LIMIT", 180)), int(os.environ.get("MODULE_LIMIT", 3600))


# --- the plugin --------------------------------------------------------------------------------


class _TooSlow(BaseException):
    """Raised in a test by the alarm; no test catches it."""


def _call_all(generator_function):
    """A test that makes all the calls that a test of nose yields."""

    def test(*args):
        for call in generator_function(*args):
            function, *arguments = call if isinstance(call, tuple) else (call,)
            function(*arguments)

    return test


def pytest_pycollect_makeitem(collector, name, obj):
    """Collect as nose does: tests that yield calls, setUp in any class, classes that belong to their module."""
    if inspect.isclass(obj) and not issubclass(obj, unittest.TestCase):
        for there, ours in (("setUp", "setup_method"), ("tearDown", "teardown_method")):
            if hasattr(obj, there) and not hasattr(obj, ours):
                setattr(obj, ours, lambda self, *, _name=there: getattr(self, _name)())  # pytest would fill it
    if inspect.isclass(obj) and not hasattr(sys.modules.get(obj.__module__), obj.__name__):
        obj.__module__ = collector.obj.__name__  # made by another module's function; setUp looks for it there
    in_test_case = inspect.isclass(collector.obj) and issubclass(collector.obj, unittest.TestCase)
    if name.startswith("test") and inspect.isgeneratorfunction(obj) and not in_test_case:
        setattr(collector.obj, name, _call_all(obj))
        return list(collector._genfunctions(name, getattr(collector.obj, name)))
    return None


class _Record:
    """Writes each test's outcome at its end, and a test's name at its start, so that a crash names it."""

    def __init__(self, path):
        self.path = path
        self.done = {name for name, outcome in read_outcomes(path).items() if outcome != "started"}
        self.outcome = None

    def write(self, outcome, name):
        with open(self.path, "a") as file:
            file.write("{}\t{}\n".format(outcome, name))

    def pytest_collection_modifyitems(self, config, items):
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in self.done])
        items[:] = [item for item in items if item.nodeid not in self.done]

    def pytest_runtest_logstart(self, nodeid):
        self.outcome = "passed"
        self.write("started", nodeid)
        signal.signal(signal.SIGALRM, self.end)
        signal.alarm(TEST_LIMIT)

    def end(self, *_):
        raise _TooSlow

    def pytest_runtest_logreport(self, report):
        if report.failed and "_TooSlow" in str(report.longrepr):
            self.outcome = "slow"
        elif report.outcome != "passed" and self.outcome == "passed":
            self.outcome = report.outcome

    def pytest_runtest_logfinish(self, nodeid):
        signal.alarm(0)
        self.write(self.outcome, nodeid)


def pytest_configure(config):
    """Record the outcomes in the file that the runner names."""
    if "THEANO_OUTCOMES" in os.environ:
        import nose.tools

        nose.tools.assert_equals = nose.tools.assert_equal  # gone from unittest and pynose
        config.pluginmanager.register(_Record(os.environ["THEANO_OUTCOMES"]))


# --- outcomes ----------------------------------------------------------------------------------


def read_outcomes(path):
    """From a test's name to its outcome: passed, failed, skipped, slow, crashed; 'started' where it did not end.

    From a module's name to 'done', 'not collected' where it cannot be imported, or 'cut off' after its limit of time.
    """
    if not Path(path).exists():
        return {}
    with (gzip.open if str(path).endswith(".gz") else open)(str(path), "rt") as file:
        return dict(reversed(line.rstrip("\n").split("\t")) for line in file if "\t" in line)


def read_failures():
    """From a test's name, or the start of several tests' names ended by a star, to the reason of its failure."""
    reasons, reason = {}, ""
    for line in FAILURES.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            reasons[line.strip()] = reason
        else:
            reason = line.strip()
    return reasons


# --- the runner --------------------------------------------------------------------------------


def _modules(words):
    (root,) = importlib.util.find_spec("theano").submodule_search_locations
    root = Path(root).parent
    paths = [path.relative_to(root) for path in root.glob("theano/**/tests/test_*.py")]
    paths = [path for path in paths if not any(name in str(path) for name in NOT_RUN)]
    paths = [path for path in paths if not words or any(word in str(path) for word in words)]
    return root, sorted(paths, key=lambda path: (root / path).stat().st_size)  # long ones last


def run_tests(file, words, mends):
    """Run the tests' modules, each in a process; a module whose process dies goes on after the test that killed it."""
    root, modules = _modules(words)
    environment = dict(
        os.environ,
        THEANO_OUTCOMES=os.path.abspath(file),
        THEANO_FLAGS=",".join(filter(None, [FLAGS, os.environ.get("THEANO_FLAGS")])),
        PYTHONPATH=os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
    )
    # All at the same paths, whichever environment they are installed in.
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-p", "no:nose", "--disable-warnings", "-c", os.devnull, "--rootdir", str(root)]
    command += ["-p", "mnist_cnn.compat"] * mends + ["-p", Path(__file__).stem]
    for path in modules:
        while read_outcomes(file).get(str(path)) != "done":
            process = subprocess.Popen(command + [str(path)], cwd=str(root), env=environment)
            try:
                status = process.wait(MODULE_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                with open(file, "a") as out:
                    out.write("cut off\t{}\n".format(path))
                break
            outcomes = read_outcomes(file).items()
            killed = [name for name, outcome in outcomes if outcome == "started" and name.startswith(str(path))]
            with open(file, "a") as out:
                out.writelines("crashed\t{}\n".format(name) for name in killed)
            if not killed:
                with open(file, "a") as out:  # 5: no test is left
                    out.write("{}\t{}\n".format("done" if status in (0, 1, 5) else "not collected", path))
                break


def compare(file):
    """Print the counts, and return the number of tests whose outcome is not the expected one."""
    here, there, reasons = read_outcomes(file), read_outcomes(OUTCOMES), read_failures()
    reached = {name.partition("::")[0] for name in here}
    cut_off = {name for name, outcome in here.items() if outcome == "cut off"}
    counts, unexpected = Counter(), []
    for name, outcome in sorted(there.items()):
        module = name.partition("::")[0]
        if module not in reached or "::" not in name:
            continue
        found = here.get(name, "not compared" if module in cut_off else "missing")
        if "slow" in (found, outcome):
            found = "not compared"
        counts[outcome, found] += 1
        listed = [start for start in reasons if fnmatch.fnmatchcase(name, start.replace("[", "[[]"))]
        if outcome == "passed" and found not in ("passed", "not compared") and not listed:
            unexpected.append("{}, and passes on CPython 3.8: {}".format(found, name))
        if outcome == "passed" and found == "passed" and listed:
            unexpected.append("passed, and is listed as a failure: {}".format(name))
    for (outcome, found), count in sorted(counts.items()):
        print("{:6} {} on CPython 3.8, {} here".format(count, outcome, found))
    print("\n".join(unexpected) or "As expected.")
    return len(unexpected)


def main(arguments=None):
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "compare"])
    parser.add_argument("file")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--plain", action="store_true", help="without the mends, as on CPython 3.8")
    options = parser.parse_args(arguments)
    if options.command == "run":
        run_tests(options.file, options.words, not options.plain)
        return 0
    return 1 if compare(options.file) else 0


if __name__ == "__main__":
    sys.exit(main())
