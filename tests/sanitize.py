"""The kernels and the compiled Ops under sanitizers, by GCC and by Clang.

    python tests/sanitize.py        (words choose among the checks: harness, ops, thread, g++ ...)

The harnesses (every tests/fused/*_harness.cpp) run with AddressSanitizer and
UndefinedBehaviorSanitizer for each instruction set that this processor has, and with
ThreadSanitizer. Then Theano compiles all modules of a few networks with the same sanitizers, and
steps are made. Prints a line a check; ends with exit code 1 where one failed.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
HARNESSES = sorted((ROOT / "tests").rglob("*_harness.cpp"))
COMPILERS = ("g++", "clang++")
ADDRESS = ("-fsanitize=address", "-fsanitize=undefined", "-fno-sanitize-recover=all")
THREAD = ("-fsanitize=thread",)
NO_OPENMP = "without OpenMP, which {} has not here"

#: -march, the feature that it needs, the vector's length, further flags.
INSTRUCTION_SETS = (
    ("x86-64", "sse2", 4, ()),
    ("x86-64-v3", "avx2", 8, ()),
    ("skylake-avx512", "avx512dq", 16, ()),
    # the code for 16 lanes, but for its four instructions, where no processor has them
    ("x86-64-v3", "avx2", 16, ("-DVECTOR_LENGTH=16", "-Wno-psabi")),
)


class Skipped(Exception):
    """Why a check cannot be made here."""


class Failed(Exception):
    """What a check found."""


def run(*command, what="failed", **kwargs):
    """A process's output; Failed where its exit code is not 0."""
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs
    )
    if done.returncode:
        lines = done.stdout.splitlines()
        found = [line for line in lines if "runtime error" in line or "Sanitizer" in line]
        raise Failed("\n".join([what, *found[:10], *lines[-15:]]))
    return done.stdout


@functools.cache
def processor_features():
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        words = []
    return frozenset(words)


@functools.cache
def openmp_flags(compiler):
    """How the compiler takes OpenMP; nothing where it cannot (Clang without libomp)."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.cpp")
        source.write_text("#include <omp.h>\nint main() { return omp_get_max_threads() < 1; }\n")
        done = subprocess.run(
            [compiler, "-fopenmp", str(source), "-o", str(source) + ".out"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return ("-fopenmp",) if done.returncode == 0 else ()


def require(compiler):
    if shutil.which(compiler) is None:
        raise Skipped("there is no {}".format(compiler))


def build_harness(folder, source, compiler, *flags):
    """The program, compiled from a harness."""
    program = Path(folder, "harness")
    run(
        compiler,
        "-std=c++14",
        "-pthread",
        *openmp_flags(compiler),
        "-I",
        ROOT / "mnist_cnn" / "fused" / "csrc",
        *flags,
        source,
        "-o",
        program,
        what="does not compile",
    )
    return program


def check_harness(source, compiler, sanitizers, march, feature, width, flags):
    """Run a harness of one instruction set under sanitizers."""
    require(compiler)
    if feature not in processor_features():
        raise Skipped("this processor has no {}".format(feature))
    with tempfile.TemporaryDirectory() as folder:
        program = build_harness(folder, source, compiler, "-O1", "-g", "-march=" + march, *sanitizers, *flags)
        said = run(
            program,
            env=dict(os.environ, OMP_NUM_THREADS="3", TSAN_OPTIONS="halt_on_error=1:ignore_noninstrumented_modules=1"),
        )  # OpenMP's own library
    if said != "ok, vectors of {}\n".format(width):
        raise Failed(said)
    return "" if openmp_flags(compiler) else NO_OPENMP.format(compiler)


def runtimes(compiler, sanitizer):
    """The sanitizers' libraries, which Python must load before all others."""
    if compiler == "g++":
        names = ["libasan.so", "libubsan.so"] if sanitizer == "address" else ["libtsan.so"]
    else:
        names = ["libclang_rt.{}-{}.so".format(sanitizer[:1] + "san", os.uname().machine)]
    paths = [run(compiler, "-print-file-name=" + name).strip() for name in names]
    for path in paths:
        if not os.path.isabs(path):
            raise Skipped("{} has no library {}".format(compiler, path))
    return " ".join(paths)


def check_ops(network, compiler, cache):
    """Have Theano compile a network's modules with sanitizers, and make steps."""
    require(compiler)
    flags = ["-O1", "-g", "-fno-omit-frame-pointer", *ADDRESS]
    theano_flags = ["base_compiledir=" + cache, "cxx=" + shutil.which(compiler)]
    remark = ""
    if compiler != "g++":
        # Theano's and Python's own C calls methods by pointers of another type, and Theano's Split
        # takes the stride of an array without axes, times zero; csrc/ is checked for all else
        theanos = Path(cache, "theanos-own.txt")
        theanos.parent.mkdir(parents=True, exist_ok=True)
        theanos.write_text("[null]\nsrc:*/mod.cpp\n")
        flags += ["-shared-libsan", "-fno-sanitize=function", "-fsanitize-ignorelist={}".format(theanos)]
        if not openmp_flags(compiler):
            theano_flags.append("openmp=False")
            remark = ", " + NO_OPENMP.format(compiler)
    theano_flags.append("gcc.cxxflags=" + " ".join(flags))
    environment = dict(
        os.environ,
        THEANO_FLAGS=",".join(theano_flags),
        OMP_NUM_THREADS="3",
        LD_PRELOAD=runtimes(compiler, "address"),
        UBSAN_OPTIONS="print_stacktrace=1",
        # Python's own objects live until it ends; its C stack is deep
        ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0",
    )
    said = run(sys.executable, ROOT / "tests" / "sanitized_steps.py", network, env=environment)
    return said.strip().splitlines()[-1] + remark


def checks():
    """(name, function) of each check."""
    from mnist_cnn.benchmarks.networks import NETWORKS

    for source in HARNESSES:
        for compiler in COMPILERS:
            for machine in INSTRUCTION_SETS:
                name = "harness {} address {} {} lanes of {}".format(source.name, compiler, machine[2], machine[0])
                yield name, functools.partial(check_harness, source, compiler, ADDRESS, *machine)
            for machine in INSTRUCTION_SETS[1:3]:
                name = "harness {} thread {} {} lanes of {}".format(source.name, compiler, machine[2], machine[0])
                yield name, functools.partial(check_harness, source, compiler, THREAD, *machine)
    cache = ROOT / "build" / "sanitize"
    for compiler in COMPILERS:
        for network in ["layers", *NETWORKS]:
            yield (
                "ops of {} address {}".format(network, compiler),
                functools.partial(check_ops, network, compiler, str(cache / compiler)),
            )


def main():
    wanted, counts = sys.argv[1:], {"ok": 0, "skipped": 0, "FAILED": 0}
    for name, check in checks():
        if not set(wanted) <= set(name.split()):
            continue
        started = time.time()
        try:
            verdict, remark = "ok", check()
        except Skipped as error:
            verdict, remark = "skipped", error
        except Failed as error:
            verdict, remark = "FAILED", error
        counts[verdict] += 1
        remark = ": {}".format(remark) if str(remark) else ""
        print("{:<8}{} ({:.0f} s){}".format(verdict, name, time.time() - started, remark), flush=True)
    print(", ".join("{} {}".format(count, verdict) for verdict, count in counts.items()))
    sys.exit(counts["FAILED"] > 0)


if __name__ == "__main__":
    main()
