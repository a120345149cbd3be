"""PyTorch, JAX and Keras on TensorFlow, each in a process of its own, with a Python that has it.

The programs beside this module build a network from the list of its layers
(`mnist_cnn.benchmarks.networks`) and time it. They import nothing of the package, so that a framework
needs no environment that has Theano, nor the other frameworks.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...system import machine
from ...system.errors import MnistCnnError
from ..networks import Network
from ..processes import environment, run_program

__all__ = ["Peer", "find_peers"]

#: From a program beside this module to the packages that it needs.
FRAMEWORKS = {"with_torch": ["torch"], "with_jax": ["jax", "optax"], "with_keras": ["keras", "tensorflow"]}
_FIND = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"


def find_peers(pythons: Sequence[str]) -> list[tuple[str, str]]:
    """Find the frameworks that several Pythons have.

    Parameters
    ----------
    pythons : sequence of str
        Their paths.

    Returns
    -------
    list of (str, str)
        A Python, and the program beside this module that it can run: each program once.

    Raises
    ------
    MnistCnnError
        When a Python cannot be run.
    """
    found: dict[str, str] = {}
    for python in pythons:
        names = sorted(set(sum(FRAMEWORKS.values(), [])))
        process = run_program([python, "-c", _FIND, *names], python, environment(python))
        for program, needed in FRAMEWORKS.items():
            if all(repr(name) in process.stdout for name in needed):
                found.setdefault(program, python)
    return [(python, program) for program, python in found.items()]


class Peer:
    """A framework that trains a network in a process of its own; a context that ends the process.

    Parameters
    ----------
    python, program : str
        As `find_peers` returns them.
    network : mnist_cnn.benchmarks.networks.Network
    data : path-like
        An npz file with ``images``, float32 (n, channels, rows, columns), and ``labels``, int32 (n,).

    Attributes
    ----------
    version : str
        The framework's name and version.
    sizes : dict
        From each contender's name, a way to run the network, to the number of its trained parameters.
    """

    def __init__(self, python: str, program: str, network: Network, data: Path | str) -> None:
        threads = machine.threads()
        self.program = program
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("worker.py")), program, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=dict(environment(python), OMP_NUM_THREADS=str(threads)),
        )
        job = dict(layers=network.layers, shape=network.shape, data=str(data))
        self.version, self.sizes = self._ask(job)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def _ask(self, question):
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.kill()
            self.process.wait()
            self.errors.seek(0)
            lines = self.errors.read().splitlines() or ["it printed no error"]
            self.__exit__()
            raise MnistCnnError("{} failed: {}".format(self.program, lines[-1])) from None

    def time(self, contender: str, method: str, batch_size: int, count: int) -> tuple[float, Any]:
        """Call a contender's ``step`` or ``answer`` for so many batches, one after the other.

        Parameters
        ----------
        contender : str
            A name in `sizes`.
        method : 'step' or 'answer'
        batch_size, count : int

        Returns
        -------
        seconds : float
            By the clock, for all of them.
        result
            Of the last batch: its loss, or the sum of its losses and the number of right answers.
        """
        return self._ask([contender, method, batch_size, count])
