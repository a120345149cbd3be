"""The package as a house: imports between its rooms go down only, the lesson is short."""

import ast
from pathlib import Path

import mnist_cnn

#: From the ground floor up; the lesson's five files are rooms of their own.
ROOMS = (
    "system",
    "storage",
    "compat",
    "fused",
    "drawing",
    "pictures",
    "datasets",
    "weights",
    "data",
    "model",
    "train",
    "predict",
    "visualize",
    "training",
    "analysis",
    "explorer",
    "benchmarks",
    "sweeps",
    "commands",
)
#: The program that old programs are run by: it has the fast path say what float64 costs them.
EXCEPT = {("compat/__main__.py", "fused")}
FOLDER = Path(mnist_cnn.__file__).parent


def imported(path):
    """The rooms that a module imports, at whatever depth of it."""
    package = path.relative_to(FOLDER).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            parent = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            first = next(filter(None, parent), None)
            yield from [first] if first else [alias.name for alias in node.names]


def test_every_room_has_its_floor():
    names = {path.stem for path in FOLDER.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names - {"__init__", "__main__"} == set(ROOMS)


def test_imports_go_down():
    for path in sorted(FOLDER.rglob("*.py")):
        inside = str(path.relative_to(FOLDER))
        room = path.relative_to(FOLDER).with_suffix("").parts[0]
        for other in imported(path):
            if room in ROOMS and other in ROOMS and (inside, other) not in EXCEPT:
                assert ROOMS.index(other) <= ROOMS.index(room), "{} imports {}".format(inside, other)


def test_the_lesson_is_short():
    for name in ("data", "model", "train", "visualize", "predict"):
        assert len((FOLDER / (name + ".py")).read_text(encoding="utf-8").splitlines()) <= 150, name
