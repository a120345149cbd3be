"""The shell, Python, a thread: the same call gives the same bits, and nothing changes silently."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT, SHORT, as_options, run_script, same_files

OPTIONS = dict(num_epochs=1, **SHORT)


def run_python(code, cwd, flags="", **kwargs):
    """Run code as a user types it, in a process of its own."""
    flags = ",".join(filter(None, [os.environ.get("THEANO_FLAGS"), flags]))
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=str(cwd),
        capture_output=True,
        text=True,
        env=dict(os.environ, THEANO_FLAGS=flags, PYTHONPATH=str(ROOT)),
        **kwargs,
    )


@pytest.fixture(scope="module")
def by_script(tmp_path_factory, small_mnist, training):
    """The model that the script saves, and what it prints where a `training` has filled Theano's cache."""
    folder = tmp_path_factory.mktemp("script")
    process = run_script("train.py", *as_options(epochs=1, **SHORT, data_dir=small_mnist), cwd=str(folder))
    assert process.returncode == 0 and process.stderr == ""
    return folder / "model.npz", process.stdout


def untimed(report):
    return re.sub(r"took .*s", "", report)


@pytest.mark.parametrize(
    "call",
    [
        "main(data_dir={data!r}, **{options})",
        "import threading\n"
        "thread = threading.Thread(target=main, args=('cnn', 'plain', {data!r}), kwargs={options})\n"
        "thread.start(); thread.join()",
        "import lasagne, theano, theano.tensor as T\nmain(data_dir={data!r}, **{options})",
    ],
)
def test_python_gives_the_bits_of_the_script(call, by_script, small_mnist, tmp_path):
    call = call.format(data=str(small_mnist), options=OPTIONS)
    process = run_python("from mnist_cnn.training.trainer import main\n" + call, tmp_path)
    assert process.returncode == 0 and process.stderr == ""
    assert same_files(tmp_path / "model.npz", by_script[0])
    assert untimed(process.stdout) == untimed(by_script[1])
    assert {path.name for path in tmp_path.iterdir()} == {"model.npz", "model.csv", "model.checkpoint"}


def test_a_second_main_in_one_process(by_script, small_mnist, tmp_path):
    code = "from mnist_cnn.training.trainer import main\nfor _ in range(2): main(data_dir={!r}, **{})".format(
        str(small_mnist), OPTIONS
    )
    assert run_python(code, tmp_path).returncode == 0
    assert same_files(tmp_path / "model.npz", by_script[0])


@pytest.mark.slow
def test_what_the_user_sets_wins_and_is_said(small_mnist, tmp_path):
    code = (
        "from mnist_cnn.training.trainer import main\n"
        "weights = main(data_dir={!r}, num_epochs=1, batch_size=5000)\n"
        "print(weights[0].dtype)"
    ).format(str(small_mnist))
    process = run_python(code, tmp_path, flags="floatX=float64")
    assert process.stderr == "" and process.stdout.endswith("float64\n")
    assert "  (plain Theano operations: floatX is float64)\n" in process.stdout


@pytest.mark.parametrize(
    "options, message",
    [
        ("engine='fused'", "error: the engine 'fused' cannot be used: floatX is float64"),
        ("engine='Fused'", "error: engine is 'Fused'; it must be 'auto' or 'fused' or 'plain'"),
        ("device='gpu'", "error: the device is 'gpu'; it can be cpu, cuda, "),
    ],
)
def test_an_engine_asked_for_by_name_is_that_or_an_error(options, message, small_mnist, tmp_path):
    code = (
        "import sys\nfrom mnist_cnn.system import process\nfrom mnist_cnn.training import trainer\n"
        "sys.exit(process.main_guard(lambda: trainer.main(data_dir={!r}, {})))"
    ).format(str(small_mnist), options)
    process = run_python(code, tmp_path, flags="floatX=float64")
    assert process.returncode == 2 and process.stderr.startswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_plain_by_name(small_mnist, tmp_path):
    process = run_script(
        "train.py",
        "--engine",
        "plain",
        "--epochs",
        1,
        "--batch-size",
        5000,
        "--data-dir",
        small_mnist,
        cwd=str(tmp_path),
    )
    assert "  (plain Theano operations: asked for)\n" in process.stdout and process.stderr == ""


@pytest.mark.slow
def test_weights_of_another_day(tmp_path):
    """Eight arrays without a card, after one epoch of MNIST; their test accuracy was 97.70 %."""
    process = run_script("evaluate.py", ROOT / "tests" / "weights" / "golden.npz", cwd=str(tmp_path))
    assert process.returncode == 0, process.stderr
    assert ": 97.70 %" in process.stdout.splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "script, module, args, options",
    [
        ("evaluate.py", "analysis.evaluate", ["{model}", "--data-dir", "{data}"], "['{model}'], data_dir='{data}'"),
        (
            "predict.py",
            "commands.predict",
            ["{model}", "{picture}", "--data-dir", "{data}"],
            "'{model}', ['{picture}'], data_dir='{data}'",
        ),
        ("explore.py", "explorer", ["{model}", "--data-dir", "{data}"], "'{model}', data_dir='{data}'"),
        (
            "visualize.py",
            "analysis.gallery",
            ["{model}", "--index", "3", "--data-dir", "{data}"],
            "'{model}', index=3, data_dir='{data}'",
        ),
    ],
)
def test_what_a_script_does_the_function_does(script, module, args, options, training, small_mnist, mnist, tmp_path):
    """The same lines and the same files, to the byte."""
    from PIL import Image

    places = dict(model=training[1], data=small_mnist, picture=tmp_path / "digit.png")
    pixels = np.uint8(np.kron(mnist[4][0, 0], np.ones((4, 4))) * 255)
    Image.fromarray(pixels).save(str(places["picture"]))
    folders = [tmp_path / "shell", tmp_path / "python"]
    for folder in folders:
        folder.mkdir()
    by_script = run_script(script, *[arg.format(**places) for arg in args], cwd=str(folders[0]))
    by_function = run_python(
        "from mnist_cnn.{} import main\nmain({})".format(module, options.format(**places)), folders[1]
    )
    assert by_script.returncode == by_function.returncode == 0
    assert by_script.stderr == by_function.stderr == ""
    assert by_script.stdout == by_function.stdout
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    ]
    assert files[0] == files[1]


def test_a_command_called_from_python_leaves_signals_alone(tmp_path):
    """Ctrl-C stays an exception in a notebook; a handler of the user's, and a hook, stay what they were."""
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, print)\n"
        "state = lambda: [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)), sys.unraisablehook,"
        " len(sys.meta_path)]\n"
        "import mnist_cnn.commands, mnist_cnn.commands.evaluate\n"
        "before = state()\n"
        "assert before[:2] == [signal.default_int_handler, print], before\n"
        "print(mnist_cnn.commands.main(['evaluate', 'nowhere.npz']))\n"
        "assert state() == before, (before, state())\n"
    )
    process = run_python(code, tmp_path)
    assert (process.returncode, process.stdout) == (0, "2\n"), process.stderr
