"""The environment that Theano starts in: checked before it, and its errors in one line each.

An invalid value raises an ImportError that names the variable.
"""

import contextlib
import io
import logging
import os
import re
import signal
import sys
import sysconfig
import warnings

from ..system.errors import Interrupted, MnistCnnError

__all__ = [
    "check_environment",
    "compile_quietly",
    "first_line",
    "mute_old_code",
    "plain_number_of_threads",
    "what_is_missing",
    "with_settings_of_the_user",
]

MAX_THREADS = 1024

#: Variables with a number of threads; OpenMP's may be a list, for regions in regions.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_THREAD_LIMIT")


def check_environment():
    """Raise an ImportError where the interpreter cannot run the stack, or an environment variable is invalid.

    Examples
    --------
    >>> import os
    >>> from mnist_cnn.compat.environment import check_environment
    >>> os.environ["GOTO_NUM_THREADS"] = "four"
    >>> try:
    ...     check_environment()
    ... except ImportError as error:
    ...     print(error)
    GOTO_NUM_THREADS is 'four' in the environment; it must be a whole number, 1 to 1024
    >>> del os.environ["GOTO_NUM_THREADS"]
    """
    if sys.version_info < (3, 10):  # noqa: UP036  a clone may be run by any Python
        raise ImportError("mnist_cnn needs CPython 3.10 or later, not {}.{}".format(*sys.version_info))
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise ImportError(
            "mnist_cnn needs an ordinary build of CPython, with its lock (the GIL), which Theano's "
            "C code counts on: run it with PYTHON_GIL=1, or by another Python"
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


@contextlib.contextmanager
def plain_number_of_threads():
    """Let Theano see the first number of OMP_NUM_THREADS: it reads no list such as "4,2".

    Yields
    ------
    None

    Examples
    --------
    >>> import os
    >>> from mnist_cnn.compat.environment import plain_number_of_threads
    >>> with plain_number_of_threads():
    ...     "," in os.environ.get("OMP_NUM_THREADS", "")
    False
    """
    text = os.environ.get("OMP_NUM_THREADS", "")
    if "," in text:
        os.environ["OMP_NUM_THREADS"] = text.split(",")[0]
    try:
        yield
    finally:
        if text:
            os.environ["OMP_NUM_THREADS"] = text


def mute_old_code():
    """Keep Python's words to the authors of Theano and Lasagne from ending a ``python -W error``.

    Examples
    --------
    >>> import warnings
    >>> from mnist_cnn.compat.environment import mute_old_code
    >>> with warnings.catch_warnings():
    ...     mute_old_code()
    ...     warnings.filters[0][2].__name__
    'ResourceWarning'
    """
    for category in (DeprecationWarning, PendingDeprecationWarning, SyntaxWarning, ImportWarning, ResourceWarning):
        warnings.filterwarnings(
            "ignore", category=category, module=r"(.*[/\\])?(theano|lasagne|numpy[./\\]distutils)\b"
        )


def first_line(error):
    """What an exception says, in one line of bearable length.

    Examples
    --------
    >>> from mnist_cnn.compat.environment import first_line
    >>> first_line(OSError("No space left on device"))
    'No space left on device'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "..."


@contextlib.contextmanager
def compile_quietly():
    """While Theano is imported, and compiles parts of its own where its cache is empty.

    Yields
    ------
    None

    Raises
    ------
    OSError
        In place of its bare exception; the listing that it makes and speaks of is gone.
    Interrupted
        On Ctrl-C. Theano's modules are forgotten then, so that the next import is a whole one.

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


def what_is_missing(compiler=True):
    """What has to be installed so that modules can be compiled, in a sentence; None if all is there.

    Parameters
    ----------
    compiler : str or bool
        The C++ compiler; false where there is none.

    Examples
    --------
    >>> from mnist_cnn.compat.environment import what_is_missing
    >>> what_is_missing("") # doctest: +ELLIPSIS
    'Theano needs a C++ compiler (g++); install on Debian or Ubuntu with: sudo apt-get install ...
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
    """Keeps Theano's errors, each with a traceback, until it is known what became of them."""

    def __init__(self):
        super().__init__()
        self.records = []

    def filter(self, record):
        if record.levelno >= logging.ERROR:
            self.records.append(record)
        return record.levelno < logging.ERROR


def with_settings_of_the_user(command):
    """Call a command; what Theano cannot do with this machine or the user's settings is one line.

    Parameters
    ----------
    command : callable
        Takes no arguments.

    Raises
    ------
    MnistCnnError
        In place of any exception of Theano's where a module could not be compiled, the disk is
        full, or THEANO_FLAGS or .theanorc set something.

    Examples
    --------
    >>> from mnist_cnn.compat.environment import with_settings_of_the_user
    >>> with_settings_of_the_user(lambda: "done")
    'done'
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
                "Theano fails; look at {}the compiler and the disk: {}".format(
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
