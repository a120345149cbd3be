"""Mends for the workers of a process, and for every Python of an environment."""

import os
import sys
import sysconfig
from pathlib import Path

from ..system.errors import MnistCnnError
from .import_hooks import after, wrap

__all__ = ["mend_workers", "install", "uninstall"]


#: What a worker executes first.
FIRST_LINES = ["import mnist_cnn.compat"]


class _Mends:
    """Imports the mends in a worker that unpickles it, from the parent's path."""

    def __reduce__(self):
        # not from a folder with another mnist_cnn.py, as Keras' examples have; the worker sets its path later
        path = [folder for folder in sys.path if not os.path.isfile(os.path.join(folder, "mnist_cnn.py"))]
        return exec, ("\n".join(["import sys", "sys.path[:] = {!r}".format(path), *FIRST_LINES]),)


def _hand_on(module):
    @wrap(module, "get_preparation_data")
    def get_preparation_data(old, *args, **kwargs):
        # a worker unpickles this before the program's own objects
        return dict(old(*args, **kwargs), mnist_cnn=_Mends())


def mend_workers() -> None:
    """Have workers of multiprocessing (spawn, forkserver) and of joblib's loky import the mends first.

    Otherwise a worker would import Theano without them, for an array or a function that it unpickles.
    """
    for name in ("multiprocessing.spawn", "joblib.externals.loky.backend.spawn", "loky.backend.spawn"):
        after(name)(_hand_on)


# --- for good ----------------------------------------------------------------------------------


def _files():
    folder = Path(sysconfig.get_path("purelib"))
    return folder / "mnist_cnn_mends.pth", folder / "mnist_cnn_mends.py"


def install() -> str:
    """Have every Python of this environment mend Theano and Lasagne at their first import.

    A wheel of the package has done this.

    Returns
    -------
    str
        The path of the .pth file.

    Raises
    ------
    MnistCnnError
        When the environment cannot be written.
    """
    pth, hook = _files()
    try:
        hook.write_bytes(Path(__file__).with_name("site_hook.py").read_bytes())
        pth.write_text("import mnist_cnn_mends\n")
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(pth, error.strerror)) from error
    return str(pth)


def uninstall() -> None:
    """Undo `install`.

    Raises
    ------
    MnistCnnError
        When the environment cannot be written.
    """
    for path in _files():
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise MnistCnnError("cannot remove {}: {}".format(path, error.strerror)) from error
