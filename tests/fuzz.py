"""Feeds hostile files to the readers; only the package's own error may come out, in one line.

    python tests/fuzz.py checkpoint --inputs 100000        (or --seconds 600; --seed N)

Without a name all targets have their turn. Inputs are well-formed files with hostile values, and
damaged ones. They depend on the seed alone; with --atheris (pip install atheris) mutations follow
the code's branches in between.
What is read must be right as well: see the targets in `fuzzed`. Ends with exit code 1 at the first
find and leaves the input in fuzz-find.
"""

import argparse
import contextlib
import functools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings

if __name__ == "__main__" and "--atheris" in sys.argv:
    import atheris

    # before they are imported
    with atheris.instrument_imports(
        [
            "zipfile",
            "gzip",
            "numpy.lib.format",
            "ast",
            "pickletools",
            "mnist_cnn.datasets.idx",
            "mnist_cnn.storage.atomic",
            "mnist_cnn.datasets.pickles",
            "mnist_cnn.datasets.archives",
        ]
    ):
        import mnist_cnn.datasets

import numpy as np

import mnist_cnn  # noqa: F401  before Lasagne
from mnist_cnn.system.errors import MnistCnnError

TARGETS = {
    "idx": "archives.Idx",
    "weights": "archives.Weights",
    "checkpoint": "archives.Checkpoint",
    "history": "archives.History",
    "snapshots": "archives.Snapshots",
    "picture": "pictures.Pictures",
    "pickle": "cifar.Pickles",
    "cifar10": "cifar.Cifar",
    "page": "page.Page",
}
SECONDS_AN_INPUT = 20  # of processor time; more is a hang
MOST_MEMORY = 2**20  # kilobytes that reading may add


def target_of(name, folder):
    """The target of that name; its files are in the folder."""
    module, kind = TARGETS[name].split(".")
    module = __import__("fuzzed." + module, fromlist=[kind])
    return getattr(module, kind)(os.path.join(folder, "input"))


def try_input(target, content):
    """Whether the reader took the input. Raises whatever must not come out of it."""
    with open(target.path, "wb") as file:
        file.write(content)
    if os.fstat(2).st_size:  # a library's words as the input was made
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_AN_INPUT)
    try:
        target.read(content)
    except MnistCnnError as error:
        text = str(error)
        if "\n" in text or len(text) > 500:
            raise AssertionError("more than one line: {!r}".format(text)) from None
        return False
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if os.fstat(2).st_size:
            raise AssertionError("it writes to stderr: {!r}".format(os.pread(2, 500, 0)))
    return True


def _hang(signum, frame):
    raise AssertionError("an input took {} s".format(SECONDS_AN_INPUT))


@contextlib.contextmanager
def strict():
    """Warnings are finds too, and what a C library writes to stderr: no user can act on them."""
    before, stderr = signal.signal(signal.SIGVTALRM, _hang), os.dup(2)
    try:
        with tempfile.TemporaryFile() as file, warnings.catch_warnings():
            os.dup2(file.fileno(), 2)
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", ResourceWarning)
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def faster():
    """NumPy parses the few headers that return again and again but once."""
    module = sys.modules.get("numpy.lib._format_impl", np.lib.format)  # NumPy 2.3 moved it there
    before = module._filter_header
    module._filter_header = functools.lru_cache(1000)(before)
    try:
        yield
    finally:
        module._filter_header = before


@contextlib.contextmanager
def a_folder():
    """A folder in memory, where there is one."""
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fuzz(name, inputs=None, seconds=None, seed=0, keep=lambda content: None):
    """Feed a target so many inputs, or for so long.

    Returns
    -------
    tried, read : int
        Inputs in all, and those that the reader took.
    """
    with a_folder() as folder, strict(), faster(), contextlib.ExitStack() as stack:
        target = target_of(name, folder)
        stack.callback(getattr(target, "close", lambda: None))
        deadline = time.time() + (seconds or float("inf"))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tried = read = 0
        while (inputs is None or tried < inputs) and time.time() < deadline:
            content = target.make(random.Random("{} {}".format(seed, tried)))
            try:
                read += try_input(target, content)
                if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > memory + MOST_MEMORY:
                    raise AssertionError("an input took more than a gigabyte")
            except BaseException:
                keep(content)
                raise
            tried += 1
            if tried % 100000 == 0:
                print("{}: {} tried, {} read".format(name, tried, read), flush=True)
        return tried, read


def with_atheris(name, seconds, keep):
    """The same inputs, and in between atheris's own mutations of them."""
    with a_folder() as folder, strict():
        target = target_of(name, folder)
        deadline, count = time.time() + seconds, [0, 0]
        corpus = os.path.join(folder, "corpus")
        os.mkdir(corpus)
        for k, content in enumerate(target.seeds):
            with open(os.path.join(corpus, str(k)), "wb") as file:
                file.write(content)

        def one(content):
            if time.time() > deadline:
                report(name, *count)
                shutil.rmtree(folder, ignore_errors=True)
                os._exit(0)
            try:
                count[1] += try_input(target, content)
                count[0] += 1
            except BaseException:
                keep(content)
                raise

        def mutate(content, most, seed):
            if seed % 2:
                return atheris.Mutate(content, most)
            return target.make(random.Random(seed))[:most]

        atheris.instrument_func(one)
        atheris.Setup(
            [sys.argv[0], corpus, "-print_final_stats=0", "-verbosity=0", "-max_len=20000"], one, custom_mutator=mutate
        )
        atheris.Fuzz()


def report(name, tried, read):
    print("{}: {} inputs tried, {} of them read, no find".format(name, tried, read), flush=True)


def _keep(content):
    with open("fuzz-find", "wb") as file:
        file.write(content)
    print("find: {} bytes in the file fuzz-find".format(len(content)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("--inputs", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    args = parser.parse_args()
    if args.target is None:
        sys.exit(
            any(
                [  # noqa: C419  all of them
                    subprocess.call([sys.executable, __file__, name, *sys.argv[1:]]) for name in TARGETS
                ]
            )
        )
    if args.atheris and args.target != "page":  # whose reader is another process
        with_atheris(args.target, args.seconds or 600, _keep)
    report(args.target, *fuzz(args.target, args.inputs, args.seconds, args.seed, _keep))


if __name__ == "__main__":
    main()
