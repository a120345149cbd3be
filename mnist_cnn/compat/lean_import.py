"""A short start: Theano's GPU part is imported at its first use, and the compiler's answers are kept."""

import contextlib
import functools
import inspect
import json
import os
import platform
import subprocess
import tempfile
import types
from pathlib import Path

from .import_hooks import import_when_asked, wrap

__all__ = ["import_gpuarray_when_asked", "remember_the_compiler", "fault_of_compiler", "skip_source_lines"]


#: Packages, and the modules that ``import theano`` used to bring into them by way of ``theano.gpuarray``.
_LATER = {
    "theano": ("gpuarray", "ifelse", "pathparse"),
    "theano.tensor": ("fft", "slinalg"),
    "theano.tensor.nnet": ("conv3d2d", "ctc", "neighbours"),
}


def import_gpuarray_when_asked() -> None:
    """Have ``theano.gpuarray``, and what it imports, imported by their first use.

    The CPU never uses it. Programs do use modules that came with it, such as ``theano.ifelse``, after a
    plain ``import theano``.
    """
    for package, names in _LATER.items():
        import_when_asked(package, *names)


def _identity_of_compiler():
    """All that may change the compiler's answers; the processor is in the name of the cache's folder."""
    from theano import config
    from theano.configdefaults import gcc_version_str

    file = os.stat(config.cxx)
    return [os.path.realpath(config.cxx), file.st_size, file.st_mtime_ns, gcc_version_str, config.gcc.cxxflags]


class _Answers:
    """The compiler's answers, in a file of the cache's folder; forgotten with another compiler."""

    def __init__(self, path, identity):
        self.path, self.identity, self.values = path, identity, {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(path.read_text())
            if stored["compiler"] == identity:
                self.values = dict(stored["answers"])

    def add(self, name, value):
        self.values[name] = value
        text = json.dumps({"compiler": self.identity, "answers": self.values})
        with contextlib.suppress(OSError):  # a full disk: the compiler is asked again
            with tempfile.NamedTemporaryFile("w", dir=str(self.path.parent), prefix="compiler-", delete=False) as file:
                file.write(text)
            os.replace(file.name, str(self.path))


_known = []  # the answers of the compiler in use, if there is one


def fault_of_compiler() -> str | None:
    """The reason why the compiler cannot make a module with Theano's flags, or None; asked once."""
    from theano import config
    from theano.gof.cmodule import std_include_dirs

    if any("works" in answers.values for answers in _known):
        return None
    try:
        process = subprocess.run(
            [
                config.cxx,
                "-shared",
                "-fPIC",
                *config.gcc.cxxflags.split(),
                *("-I" + folder for folder in std_include_dirs()),
                "-x",
                "c++",
                "-",
                "-o",
                os.devnull,
            ],
            input="#include <Python.h>\n#include <numpy/arrayobject.h>\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return error.strerror
    if process.returncode:
        lines = process.stdout.splitlines() or ["it ends with exit code {}".format(process.returncode)]
        return next((line for line in lines if "error" in line), lines[0]).strip()
    for answers in _known:
        answers.add("works", True)
    return None


def remember_the_compiler() -> None:
    """Keep the flags of this processor and whether OpenMP works, which take four processes at each start."""
    from theano import config
    from theano.gof.cmodule import GCC_compiler
    from theano.gof.op import OpenMPOp

    try:
        answers = _Answers(Path(config.compiledir, "compiler.json"), _identity_of_compiler())
    except OSError:  # no compiler
        return
    _known.append(answers)
    # Where Theano's own modules were compiled just now, the flags are known already.
    GCC_compiler.march_flags = GCC_compiler.march_flags or answers.values.get("flags of the processor")
    OpenMPOp.gxx_support_openmp = answers.values.get("OpenMP")
    clang = _is_clang(answers)
    if clang or not _is_x86():
        if "flags of the processor" not in answers.values:
            answers.add("flags of the processor", _flags_of_processor())
        GCC_compiler.march_flags = answers.values["flags of the processor"]

    @wrap(GCC_compiler, "compile_args")
    def compile_args(old, *args, **kwargs):
        flags = old(*args, **kwargs)
        if clang:  # an error to it, in Theano's elementwise operations
            flags.append("-Wno-c++11-narrowing")
        if GCC_compiler.march_flags and "flags of the processor" not in answers.values:
            answers.add("flags of the processor", GCC_compiler.march_flags)
        return flags

    @wrap(OpenMPOp, "test_gxx_support")
    def test_gxx_support(old):
        works = old()
        if works:
            answers.add("OpenMP", True)
        return works


def _is_clang(answers):
    """Whether the compiler is Clang, by whatever name."""
    if "Clang" not in answers.values:
        from theano import config

        try:
            version = subprocess.run(
                [config.cxx, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ).stdout
        except OSError:  # no compiler
            return False
        answers.add("Clang", b"clang" in version.lower())
    return answers.values["Clang"]


def _is_x86():
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _flags_of_processor():
    """The flag for this processor, where Theano does not find it.

    Theano knows -march=native only, which is -mcpu=native on other processors than x86 (an error to
    some compilers). And it takes parts of Clang's output for flags: "unknown argument: '-target-feature'".
    """
    from theano import config
    from theano.gof.cmodule import try_march_flag

    if any(flag.startswith(("-march=", "-mcpu=")) for flag in config.gcc.cxxflags.split()):
        return []  # the user's own
    flag = "-march=native" if _is_x86() else "-mcpu=native"
    compiles, _ = try_march_flag([flag])
    return [flag] if compiles else []


def skip_source_lines() -> None:
    """Keep Theano from reading its own source after an invalid rewriting of the graph.

    It needs the calling function's name only; for the source line Python searches all modules, 0.03 s
    each time.
    """
    from theano.gof import toolbox

    toolbox.inspect = types.SimpleNamespace(
        currentframe=inspect.currentframe, getframeinfo=functools.partial(inspect.getframeinfo, context=0)
    )
