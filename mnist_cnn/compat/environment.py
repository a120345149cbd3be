"""The environment that Theano starts in: checked before the import, with errors of one line."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator

from ..system.errors import Interrupted, MnistCnnError

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from typing import TypeVar

    R = TypeVar("R")

__all__ = [
    "check_environment",
    "require_configured_device",
    "compile_quietly",
    "first_line",
    "mute_old_code",
    "plain_number_of_threads",
    "what_is_missing",
    "with_settings_of_the_user",
]

MAX_THREADS = 1024

#: Whether a device of THEANO_FLAGS or .theanorc that cannot be used is an error. It is one to a command of the
#: package; an old program goes on with the CPU, as under Theano.
device_is_required = False

#: Variables with a number of threads; OpenMP's may be a list, for regions in regions.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_THREAD_LIMIT")


def check_environment() -> None:
    """Raise an ImportError where the interpreter cannot run the stack, or an environment variable is invalid."""
    if sys.version_info < (3, 10):  # noqa: UP036  a clone may be run by any Python
        raise ImportError("mnist_cnn needs CPython 3.10 or later, not {}.{}".format(*sys.version_info))
    if "t" in getattr(sys, "abiflags", ""):  # free-threaded; with PYTHON_GIL=1 too, which nobody has tried
        raise ImportError(
            "mnist_cnn needs an ordinary build of CPython, because Theano's C code counts on its lock (the GIL); "
            "use python{0}.{1}, not python{0}.{1}t".format(*sys.version_info)
        )
    for name in _THREADS:
        text = os.environ.get(name, "")
        numbers = text.split(",") if name == "OMP_NUM_THREADS" else [text]
        if text and not all(
            re.fullmatch(r"\s*\d{1,9}\s*", number, re.ASCII) and 1 <= int(number) <= MAX_THREADS for number in numbers
        ):
            raise ImportError(
                "{} is {!r} in the environment; it must be a whole number, 1 to {}".format(name, text, MAX_THREADS)
            )
    home = os.environ.get("HOME")
    if home and not os.path.isabs(home) and "base_compiledir" not in os.environ.get("THEANO_FLAGS", ""):
        raise ImportError("HOME is {!r} in the environment; it must be an absolute path".format(home))


def require_configured_device() -> None:
    """Have Theano's import fail where the device of THEANO_FLAGS or .theanorc cannot be used."""
    global device_is_required
    device_is_required = True


@contextlib.contextmanager
def plain_number_of_threads() -> Iterator[None]:
    """Show Theano only the first number of OMP_NUM_THREADS: it cannot read a list such as "4,2".

    Yields
    ------
    None
    """
    text = os.environ.get("OMP_NUM_THREADS", "")
    if "," in text:
        os.environ["OMP_NUM_THREADS"] = text.split(",")[0]
    try:
        yield
    finally:
        if text:
            os.environ["OMP_NUM_THREADS"] = text


def mute_old_code() -> None:
    """Keep warnings about the code of Theano and Lasagne from ending a ``python -W error``."""
    for category in (DeprecationWarning, PendingDeprecationWarning, SyntaxWarning, ImportWarning, ResourceWarning):
        warnings.filterwarnings(
            "ignore", category=category, module=r"(.*[/\\])?(theano|lasagne|numpy[./\\]distutils)\b"
        )


def first_line(error: BaseException) -> str:
    """The message of an exception in one line, of 300 characters at most."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "..."


@contextlib.contextmanager
def compile_quietly() -> Iterator[None]:
    """Mute Theano's import, which compiles modules of its own where the cache is empty.

    Yields
    ------
    None

    Raises
    ------
    OSError
        In place of Theano's bare Exception; its listing of the C code is removed.
    Interrupted
        On Ctrl-C. Theano's modules are removed then, so that the next import starts anew.

    Examples
    --------
    >>> from mnist_cnn.compat.environment import compile_quietly
    >>> with compile_quietly():
    ...     raise Exception("Compilation failed (return status=1): ld: No space left on device")
    Traceback (most recent call last):
        ...
    OSError: Compilation failed (return status=1): ld: No space left on device
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            yield
    except KeyboardInterrupt as error:
        for name in [name for name in sys.modules if name.partition(".")[0] == "theano"]:
            del sys.modules[name]
        raise Interrupted(signal.SIGINT) from error
    except Exception as error:
        if not str(error).startswith("Compilation failed"):
            raise
        for path in re.findall("You can find the C code in this temporary file: (.+)", said.getvalue()):
            with contextlib.suppress(OSError):
                os.remove(path)
        raise OSError(what_is_missing() or str(error)) from error


def what_is_missing(compiler: str | bool = True) -> str | None:
    """A sentence about what has to be installed to compile modules; None if nothing is missing.

    Parameters
    ----------
    compiler : str or bool
        The C++ compiler; false where there is none.
    """
    missing = []
    if not compiler:
        missing.append("a C++ compiler (g++)")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        missing.append("Python's header files (Python.h)")
    if not missing:
        return None
    return (
        "Theano needs {}; install on Debian or Ubuntu with: sudo apt-get install g++ python{}.{}-dev, "
        "on macOS with: xcode-select --install".format(" and ".join(missing), *sys.version_info)
    )


class _Held(logging.Filter):
    """Holds Theano's errors back, each with a traceback, until the command ends."""

    def __init__(self):
        super().__init__()
        self.records = []

    def filter(self, record):
        if record.levelno >= logging.ERROR:
            self.records.append(record)
        return record.levelno < logging.ERROR


def with_settings_of_the_user(command: Callable[[], R]) -> R:
    """Call a command; Theano's errors from this machine or the user's settings become one line.

    Parameters
    ----------
    command : callable
        Takes no arguments.

    Raises
    ------
    MnistCnnError
        In place of an exception from Theano, where a module cannot be compiled, the disk is
        full, or THEANO_FLAGS or .theanorc set something.
    """
    from .flags import user_flags

    held, handlers = _Held(), logging.getLogger("theano").handlers
    for handler in handlers:
        handler.addFilter(held)
    try:
        try:
            return command()
        except Exception as error:
            if isinstance(error, MnistCnnError) or not _is_theanos(error):
                raise
            if not (user_flags() or isinstance(error, OSError) or "while compiling the node" in str(error)):
                raise
            held.records.clear()
            raise MnistCnnError(
                "Theano fails; check {}the compiler and the disk: {}".format(
                    "THEANO_FLAGS, .theanorc, " if user_flags() else "", first_line(error)
                )
            ) from error
    finally:
        for handler in handlers:
            handler.removeFilter(held)
            for record in held.records:
                handler.handle(record)


def _is_theanos(error):
    """Whether an exception passed through Theano's code on its way here."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "theano":
            return True
        traceback = traceback.tb_next
    return False
