"""What a process with mends hands on: to its workers, or to every Python of its environment."""

import sys
import sysconfig
from pathlib import Path

from ..system.errors import MnistCnnError
from .import_hooks import AFTER

__all__ = ["mend_workers", "install", "uninstall"]


class _Mends:
    """In a worker, what it is unpickled from imports the mends, from where the parent has them."""

    def __reduce__(self):
        return exec, ("import sys\nsys.path[:] = {!r}\nimport mnist_cnn.compat".format(sys.path),)


def _hand_on(module):
    get_preparation_data = module.get_preparation_data

    def get_preparation_data_(*args, **kwargs):
        # the first thing that a worker unpickles, before the program's own objects
        return dict(get_preparation_data(*args, **kwargs), mnist_cnn=_Mends())

    module.get_preparation_data = get_preparation_data_


def mend_workers():
    """Have workers of multiprocessing (spawn, forkserver) and of joblib's loky import the mends first.

    Theano in an array, a function or a class that they unpickle would be imported without.

    Examples
    --------
    >>> import mnist_cnn  # calls it
    >>> from multiprocessing import spawn
    >>> sorted(set(spawn.get_preparation_data("worker")) & {"mnist_cnn", "name"})
    ['mnist_cnn', 'name']
    """
    for name in ("multiprocessing.spawn", "joblib.externals.loky.backend.spawn", "loky.backend.spawn"):
        if name in sys.modules:
            _hand_on(sys.modules[name])
        else:
            AFTER.setdefault(name, []).append(_hand_on)


# --- for good ----------------------------------------------------------------------------------


def _files():
    folder = Path(sysconfig.get_path("purelib"))
    return folder / "mnist_cnn_mends.pth", folder / "mnist_cnn_mends.py"


def install():
    """Have every Python of this environment mend Theano and Lasagne at their first import.

    Where the package was installed from its wheel, this is done.

    Returns
    -------
    str
        The path of the file that does so.

    Raises
    ------
    MnistCnnError
        When the environment cannot be written.

    Examples
    --------
    >>> from mnist_cnn.compat import children
    >>> children.install()  # doctest: +SKIP
    '/home/ann/mnist/.venv/lib/python3.13/site-packages/mnist_cnn_mends.pth'
    """
    pth, hook = _files()
    try:
        hook.write_bytes(Path(__file__).with_name("site_hook.py").read_bytes())
        pth.write_text("import mnist_cnn_mends\n")
    except OSError as error:
        raise MnistCnnError("cannot write {}: {}".format(pth, error.strerror)) from error
    return str(pth)


def uninstall():
    """Undo `install`.

    Raises
    ------
    MnistCnnError
        When the environment cannot be written.

    Examples
    --------
    >>> from mnist_cnn.compat import children
    >>> children.uninstall()  # doctest: +SKIP
    """
    for path in _files():
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise MnistCnnError("cannot remove {}: {}".format(path, error.strerror)) from error
