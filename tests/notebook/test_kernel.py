"""The package in a real Jupyter kernel: what a cell shows, and what an interruption leaves."""

import importlib.util
import os
import sys
import threading

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel

from conftest import ROOT, same_files

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"


class Cell:
    """What a cell shows as it runs, in order."""

    def __init__(self, on_text=lambda text: None):
        self.messages, self.on_text = [], on_text

    def __call__(self, message):
        self.messages.append((message["msg_type"], message["content"]))
        if message["msg_type"] == "stream":
            self.on_text(self.text())

    def contents(self, kind):
        return [content for name, content in self.messages if name == kind]

    def text(self, name="stdout"):
        return "".join(c["text"] for c in self.contents("stream") if c["name"] == name)

    def shown(self, mime):
        return [
            c["data"][mime]
            for kind in ("display_data", "execute_result")
            for c in self.contents(kind)
            if mime in c["data"]
        ]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel's manager, its client, and the folder that it runs in."""
    folder = tmp_path_factory.mktemp("kernel")
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(folder), env=dict(os.environ, PYTHONPATH=str(ROOT))
    )
    yield manager, client, folder
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def run(kernel):
    """Run a cell; returns the reply and the cell."""

    def run(code, on_text=lambda text: None):
        cell = Cell(on_text)
        return kernel[1].execute_interactive(code, output_hook=cell, timeout=300)["content"], cell

    reply, _ = run("import numpy as np\nfrom mnist_cnn import visualize\nfrom mnist_cnn.training.trainer import main")
    assert reply["status"] == "ok", reply
    return run


@pytest.fixture(scope="module")
def interrupted(kernel, run, small_mnist):
    """A long training that is interrupted once its first epoch is reported."""

    def interrupt(text):
        if "Epoch 1 of 1000" in text and not sent:
            sent.append(True)
            kernel[0].interrupt_kernel()

    sent = []
    return run("main(num_epochs=1000, data_dir={!r})".format(str(small_mnist)), interrupt)


def test_an_interruption_saves_the_weights_in_one_line(interrupted, kernel):
    reply, cell = interrupted
    assert reply["status"] == "error" and reply["ename"] == "Interrupted"
    assert cell.contents("error")[0]["traceback"] == ["Interrupted"]
    assert "; saved: model." in cell.text().splitlines()[-1]
    with np.load(str(kernel[2] / "model.npz")) as file:
        assert np.isfinite(file["arr_0"]).all()


def test_the_next_training_gives_the_bits_of_the_script(interrupted, run, kernel, small_mnist, training):
    reply, cell = run(
        "weights = main(num_epochs=2, batch_size=50, learning_rate=.03, seed=7, "
        "data_dir={!r}, output='again.npz', quiet=True)".format(str(small_mnist))
    )
    assert reply["status"] == "ok" and cell.text().startswith("Final results:")
    assert same_files(kernel[2] / "again.npz", training[1])


def test_progress_is_a_widget_or_text_and_no_alarm(interrupted):
    _, cell = interrupted
    assert cell.text("stderr") == ""
    if importlib.util.find_spec("ipywidgets"):
        assert cell.shown(WIDGET)
    else:
        assert "| 0/100 [00:00<?, ?batch/s]" in cell.text()


@pytest.mark.parametrize(
    "code, start",
    [
        ("main(num_epochs=0)", "MnistCnnError: num_epochs is 0; it must be a whole number, "),
        ("main(data_dir='nowhere')", "MnistCnnError: there is no folder nowhere; create it "),
    ],
)
def test_an_error_is_one_line(code, start, run):
    reply, cell = run(code + "\nprint('not reached')")
    assert reply["status"] == "error" and reply["ename"] == "MnistCnnError"
    (line,) = cell.contents("error")[0]["traceback"]
    assert line.startswith(start) and "\n" not in line
    assert "not reached" not in cell.text() and cell.text("stderr") == ""


@pytest.mark.parametrize(
    "code, count",
    [
        ("visualize.plot_kernels(np.eye(5)[None, None])", 1),
        ("for i in range(2): visualize.plot_digit(np.eye(5), str(i))", 2),
        ("figure = visualize.plot_digit(np.eye(5), 'kept')", 1),
        ("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nvisualize.plot_digit(np.eye(5), 'b')", 2),
        ("figure", 1),
    ],
)
def test_a_figure_is_shown_once(code, count, run):
    reply, cell = run(code)
    assert reply["status"] == "ok", reply
    assert len(cell.shown("image/png")) == count


#: A compiler that, as long as the file is there, never ends where its arguments hold the file's text.
COMPILER = """\
#!{python}
import os, subprocess, sys, time
if os.path.exists({holds!r}) and open({holds!r}).read() in " ".join(sys.argv):
    os.unlink({holds!r})
    print("holding", file=open({told!r}, "w"), flush=True)
    time.sleep(3600)
sys.exit(subprocess.call(["g++"] + sys.argv[1:]))
"""


def test_interrupted_compilations_are_a_line_and_go_on(tmp_path):
    """On a first start, with an empty cache: in the import, and in a function's compilation."""
    compiler, holds, told = tmp_path / "g++", tmp_path / "holds", tmp_path / "told"
    compiler.write_text(COMPILER.format(python=sys.executable, holds=str(holds), told=str(told)))
    compiler.chmod(0o755)
    os.mkfifo(str(told))
    manager, client = start_new_kernel(
        kernel_name="python3",
        cwd=str(tmp_path),
        env=dict(
            os.environ,
            PYTHONPATH=str(ROOT),
            THEANO_FLAGS="base_compiledir={},cxx={}".format(tmp_path / "cache", compiler),
        ),
    )

    def interrupt():
        told.read_text()  # waits for the compiler
        manager.interrupt_kernel()

    function = "x = theano.tensor.fvector()\nprint(theano.function([x], theano.tensor.tanh(x).sum())([0, 0]))"
    try:
        for code, text in (("import mnist_cnn, theano", "lazylinker_ext"), (function, "mod.cpp")):
            holds.write_text(text)
            thread = threading.Thread(target=interrupt)
            thread.start()
            cell = Cell()
            reply = client.execute_interactive(code, output_hook=cell, timeout=120)["content"]
            thread.join()
            traceback = cell.contents("error")[0]["traceback"]
            assert (reply["status"], reply["ename"]) == ("error", "Interrupted"), "\n".join(traceback)
            assert cell.contents("error")[0]["traceback"] == ["Interrupted"]
            cell = Cell()
            reply = client.execute_interactive(code, output_hook=cell, timeout=120)["content"]
            assert reply["status"] == "ok", reply
        assert cell.text() == "0.0\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
