"""Feeds damaged files to the readers; only the package's own error may come out.

    python tests/fuzz.py idx 600        (or npz: weights; seconds)

With atheris installed (pip install atheris) mutations follow the code's branches; else they are
blind. Ends with exit code 1 at the first find and leaves the input in fuzz-find.
"""

import gzip
import os
import random
import struct
import sys
import tempfile
import time

try:
    import atheris
except ImportError:
    atheris = None

import contextlib

with atheris.instrument_imports(["zipfile", "gzip", "numpy.lib.format", "ast"]) if atheris \
        else contextlib.nullcontext():
    from mnist_cnn import data
    from mnist_cnn.support import files
    from mnist_cnn.support.errors import MnistCnnError

import numpy as np

FOLDER = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
PATH = os.path.join(FOLDER, "input")
WANTED = {"arr_0": ("fd", (3, 2)), "arr_1": ("d", (None, 6))}


def idx_seeds():
    array = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))
    return [array, gzip.compress(array), struct.pack(">4BI", 0, 0, 8, 1, 5) + b"12345"]


def npz_seeds():
    files.write_npz(PATH, {"arr_0": np.ones((3, 2), "f"), "arr_1": np.ones((2, 6))})
    stored = open(PATH, "rb").read()
    np.savez_compressed(PATH + ".npz", arr_0=np.ones((3, 2)), arr_1=np.ones((1, 6)))
    return [stored, open(PATH + ".npz", "rb").read()]


READERS = {"idx": (data.read_idx, idx_seeds),
           "npz": (lambda path: files.read_npz(path, WANTED), npz_seeds)}

count = {"tried": 0, "read": 0}


def try_input(read, content):
    with open(PATH, "wb") as file:
        file.write(content)
    count["tried"] += 1
    try:
        read(PATH)
        count["read"] += 1
    except MnistCnnError as error:
        if "\n" in str(error):
            raise AssertionError("more than one line: {!r}".format(str(error)))


def mutate(content, seeds):
    """A few random changes: bytes, numbers at the ends of their range, cuts, repeats, splices."""
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at = random.randrange(len(content) + 1)
        kind = random.randrange(6)
        if kind == 0 and content:
            content[at % len(content)] = random.randrange(256)
        elif kind == 1:
            content[at:at + 4] = random.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x80"))
        elif kind == 2:
            del content[at:at + random.randrange(40)]
        elif kind == 3:
            content[at:at] = content[at:at + random.randrange(40)]
        elif kind == 4:
            content[at:at] = bytes(random.randrange(256) for _ in range(random.randrange(6)))
        else:
            other = random.choice(seeds)
            cut = random.randrange(len(other) + 1)
            content[at:] = other[cut:]
    return bytes(content)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in READERS:
        sys.exit(__doc__)
    read, make_seeds = READERS[sys.argv[1]]
    seconds = float(sys.argv[2])
    seeds = make_seeds()
    deadline = time.time() + seconds

    def one(content):
        try:
            try_input(read, content)
        except BaseException:
            with open("fuzz-find", "wb") as file:
                file.write(content)
            print("find: {} bytes in the file fuzz-find".format(len(content)), flush=True)
            raise

    print("{} inputs, {} for {:g} s".format(
        sys.argv[1], "atheris" if atheris else "blind mutations", seconds), flush=True)
    if atheris:
        corpus = os.path.join(FOLDER, "corpus")
        os.mkdir(corpus)
        for i, seed in enumerate(seeds):
            with open(os.path.join(corpus, str(i)), "wb") as file:
                file.write(seed)

        def target(content):
            one(content)
            if time.time() > deadline:
                report()
                os._exit(0)

        atheris.instrument_func(target)
        atheris.Setup([sys.argv[0], corpus, "-print_final_stats=0", "-verbosity=0",
                       "-max_len=4000"], target)
        atheris.Fuzz()
    while time.time() < deadline:
        one(mutate(random.choice(seeds), seeds))
    report()


def report():
    print("{tried} inputs tried, {read} of them read, no find".format(**count), flush=True)


if __name__ == "__main__":
    main()
