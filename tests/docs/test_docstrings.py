"""Docstrings and types: every public function has both; the docstrings have numpydoc's form, and their examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

import mnist_cnn
from conftest import ROOT
from mnist_cnn import fused

#: All modules but the programs, which run as they are imported.
PROGRAMS = ("mnist_cnn.__main__", "mnist_cnn.compat.__main__", "mnist_cnn.benchmarks.peers.")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(mnist_cnn.__path__, "mnist_cnn.")
    if not module.name.startswith(PROGRAMS)
)


def public(module):
    """The functions and classes without an underscore that a module defines, with their names."""
    return [
        (module.__name__ + "." + name, value)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and value.__name__ == name
        and not hasattr(value, "_fields")
        and name != "add_arguments"  # mnist_cnn.commands says what a command's function does
    ]


def test_every_public_function_has_a_docstring():
    names = [
        name
        for module in MODULES
        for name, value in public(importlib.import_module(module))
        if not inspect.getdoc(value)
    ]
    assert names == []


#: Their lines are those of the tutorial's page.
LESSON = {"mnist_cnn." + name for name in ("data", "model", "train", "visualize", "predict")}
#: They take what the dropped functions took.
STAND_INS = "mnist_cnn.compat.stand_ins"


#: Methods that Theano asks its Ops for, which have no base.
OF_THEANO = ("connection_pattern", "grad", "infer_shape")


def functions(module):
    """The public functions and the methods of public classes that override no other, with their names."""
    for name, value in public(module):
        if inspect.isfunction(value):
            yield name, value
            continue
        for method, function in vars(value).items():
            function = getattr(function, "fget", getattr(function, "__func__", getattr(function, "func", function)))
            inherited = any(method in vars(base) for base in value.__mro__[1:-1])
            written = inspect.isfunction(function) and function.__module__ == module.__name__  # not by a decorator
            if (
                written
                and not inherited
                and (method == "__init__" or not method.startswith("_") and method not in OF_THEANO)
            ):
                yield name + "." + method, function


def test_every_public_function_has_types():
    names = []
    for module in [name for name in MODULES if name not in LESSON and not name.startswith(STAND_INS)]:
        for name, function in functions(importlib.import_module(module)):
            signature = inspect.signature(function)
            types = [value.annotation for key, value in signature.parameters.items() if key not in ("self", "cls")]
            if inspect.Signature.empty in (*types, signature.return_annotation):
                names.append(name)
    assert names == []


#: NumPy 2 prints np.float64(0.5) where NumPy 1 prints 0.5.
OLD_SCALARS = {} if np.__version__ < "2" else {"legacy": "1.25"}


@pytest.mark.parametrize("module", MODULES)
def test_examples(module, tmp_path, monkeypatch):
    reason = fused.why_not()
    if reason and module.startswith("mnist_cnn.fused"):
        pytest.skip("the fast path cannot run here: {}".format(reason))
    monkeypatch.chdir(tmp_path)  # some examples write files
    with np.printoptions(**OLD_SCALARS):
        failed, _ = doctest.testmod(importlib.import_module(module), globs={})
    plt.close("all")
    assert not failed


@pytest.mark.parametrize("module", MODULES)
def test_numpydoc_form(module):
    """Sections that numpydoc knows, in its order; no parameter that the signature lacks."""
    validate = pytest.importorskip("numpydoc.validate").validate
    codes = ("GL03", "GL05", "GL06", "GL07", "GL08", "PR02", "PR05", "PR10", "SS01", "YD01")
    errors = [
        "{}: {}".format(name, text)
        for name, value in public(importlib.import_module(module))
        for code, text in validate(name)["errors"]
        if code in codes
        # what a class' ** hands on may be its base's parameters
        and not (code == "PR02" and "**" in str(inspect.signature(value)))
    ]
    assert errors == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "mnist_cnn").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_names_in_docstrings_exist(path):
    """Where a docstring or a comment names something of the package, there is such a thing."""
    for name in re.findall(r"`(mnist_cnn(?:\.\w+)+)`", path.read_text(encoding="utf-8")):
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            try:
                value = importlib.import_module(".".join(parts[:end]))
                break
            except ModuleNotFoundError:
                continue
        for part in parts[end:]:
            value = getattr(value, part)


def test_examples_import_the_package_before_the_old_stack():
    """In a new process neither Theano nor Lasagne imports before the package has mended them."""
    for path in sorted((ROOT / "mnist_cnn").rglob("*.py")):
        for example in path.read_text(encoding="utf-8").split("Examples\n")[1:]:
            imported = re.findall(r">>> (?:import|from) (\w+)", example.split('"""')[0])
            old = [imported.index(name) for name in ("lasagne", "theano") if name in imported]
            assert not old or imported.index("mnist_cnn") < min(old), path
