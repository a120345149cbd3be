"""Hostile files of CIFAR-10: archives, rows of bytes, pickles."""

import contextlib
import io
import pickle
import pickletools
import tarfile

import numpy as np
from datasets import formats  # noqa: I100  tests/datasets

from mnist_cnn.datasets import cifar10
from mnist_cnn.datasets.pickles import read_pickle

from . import mutations

#: Opcodes, with arguments, that no batch has or that stand elsewhere in one.
OPCODES = (
    b"cos\nsystem\n",
    b"cfuzzed.cifar\nalarm\n",
    b"c__builtin__\neval\n",
    b"cnumpy\nndarray\n",
    b"R",
    b")R",
    b"b",
    b"\x81",
    b"i__builtin__\nprint\n",
    b"o",
    b"Pname\n",
    b"Q",
    b"(",
    b")",
    b"]",
    b"}",
    b"e",
    b"a",
    b"s",
    b"u",
    b"0",
    b"1",
    b"2",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"N",
    b"\x88",
    b"K\xff",
    b"J\xff\xff\xff\xff",
    b"\x8a\xff" + b"\xff" * 255,
    b"\x8b\xff\xff\xff\x7f",
    b"T\xff\xff\xff\x7f",
    b"X\xff\xff\xff\xff",
    b"\x8e" + b"\xff" * 8,
    b"q\x00",
    b"h\x63",
    b"j\xff\xff\xff\x7f",
    b"r\xff\xff\xff\x7f",
    b"g999\n",
    b"I9" + b"9" * 5000 + b"\n",
    b"Fnan\n",
    b"S'x'\n",
    b"L1L\n",
    b"\x80\x05",
    b"\x94",
    b"\x95" + b"\xff" * 8,
    b".",
    b"\x8f",
    b"\x90",
    b"\x97",
    b"(" * 2000,
    b"]" * 2000 + b"\x85" * 2000,
)

executed = []


def alarm(*args):
    """What a pickle would have had executed."""
    executed.append(args)


class _Part:
    """Stands for an array or a type: NumPy's own may crash on states that they never gave."""

    def __init__(self, *args):
        self.state = None

    def __setstate__(self, state):
        self.state = state


class _Allowed(pickle._Unpickler):
    """Python's own reader, of the few names that NumPy's arrays need; not the one in C, whose memo
    has as many places as a pickle says."""

    def find_class(self, module, name):
        if (module, name) in {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}:
            return _Part
        raise pickle.UnpicklingError(name)


def _operations(content):
    """A pickle cut before each of its opcodes."""
    places = [place for _, _, place in pickletools.genops(content)] + [len(content)]
    return [content[a:b] for a, b in zip(places, places[1:])]


def _mutate_operations(rng, operations):
    """Opcodes gone, twice, elsewhere, or others in between."""
    operations = list(operations)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, other = rng.randrange(len(operations)), rng.randrange(len(operations))
        kind = rng.randrange(5)
        if kind == 0:
            del operations[at]
        elif kind == 1:
            operations.insert(at, operations[other])
        elif kind == 2:
            operations[at], operations[other] = operations[other], operations[at]
        elif kind == 3:
            operations[at] = rng.choice(OPCODES)
        else:
            operations.insert(at, rng.choice(OPCODES))
        if not operations:
            break
    return b"".join(operations)


def _plain(value, depth=20):
    """Whether a value is of the kinds that data sets are made of."""
    if isinstance(value, dict):
        return depth and all(_plain(item, depth - 1) for item in value.values())
    if isinstance(value, (list, tuple)):
        return depth and all(_plain(item, depth - 1) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype == np.uint8
    return value is None or type(value) in (bool, int, str, bytes)


def _same(found, wanted):
    """Whether two plain values are the same, one with `_Part` for its arrays."""
    if isinstance(found, np.ndarray):
        return found.shape == wanted.state[1] and found.tobytes() == wanted.state[4]
    if isinstance(found, dict):
        return list(found) == list(wanted) and all(_same(found[key], wanted[key]) for key in found)
    if isinstance(found, (list, tuple)):
        return type(found) is type(wanted) and len(found) == len(wanted) and all(map(_same, found, wanted))
    return type(found) is type(wanted) and found == wanted


class Pickles:
    """`read_pickle`: nothing is executed, and what is read is what Python's own reader reads."""

    def __init__(self, path):
        self.path = path
        batch = formats.batch_pickle(np.zeros((1, 3, 32, 32), np.uint8), [3])
        array = np.arange(3, dtype=np.uint8)
        self.seeds = [
            batch,
            formats.meta_pickle(),
            pickle.dumps({"data": array, "labels": [1, (2,)]}, 2),
            pickle.dumps({b"data": array, "a": [None, True, 1.5]}, 4),
        ]
        self.operations = [_operations(seed) for seed in self.seeds]

    def make(self, rng):
        if rng.random() < 0.3:
            return mutations.mutate_bytes(rng, rng.choice(self.seeds), self.seeds)
        return _mutate_operations(rng, rng.choice(self.operations))

    def read(self, content):
        from mnist_cnn.system.errors import MnistCnnError

        try:
            found = read_pickle(content)
        except ValueError as error:
            raise MnistCnnError(" ".join(str(error).split())[:200]) from error
        finally:
            assert not executed
        try:
            wanted = _Allowed(io.BytesIO(content), encoding="bytes").load()
        except Exception:
            return  # it knows fewer pickles, here and there
        if _plain(found):  # names stay what they are, and stand for nothing
            assert _same(found, wanted)


class Cifar:
    """`read_source` of an archive of CIFAR-10's binary version: images and labels of the right kind."""

    def __init__(self, path):
        self.path = path
        pairs = formats.batches(rows=1)
        self.files = formats.binary_files(pairs)
        self.seeds = [formats.tar_gz(self.files)]

    def make(self, rng):
        if rng.random() < 0.2:
            return mutations.mutate_bytes(rng, rng.choice(self.seeds), self.seeds)
        files = dict(self.files)
        name = rng.choice(list(files))
        kind = rng.randrange(5)
        if kind == 0:
            del files[name]
        elif kind == 1:
            files[name] = mutations.mutate_bytes(rng, files[name], list(files.values()))
        elif kind == 2:
            files[name] = files[name][: rng.randrange(len(files[name]) + 1)]
        elif kind == 3:
            files[name] = files[rng.choice(list(files))]
        out = io.BytesIO()
        with tarfile.open(
            fileobj=out, mode="w", format=rng.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
        ) as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(rng.choice(("", "a/", "cifar-10-batches-py/")) + name)
                info.size = len(content)
                if rng.random() < 0.02:
                    info.name = rng.choice(("../" + name, "/" + name, "\u0665" * 90, "x" * 300, "a\0b"))
                if rng.random() < 0.02:
                    info.type = rng.choice(
                        (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Z")
                    )
                with contextlib.suppress(ValueError):  # a name that the format cannot write
                    archive.addfile(info, io.BytesIO(content))
        content = out.getvalue()
        if rng.random() < 0.2:  # a field of a header, its checksum wrong or right
            at = 512 * rng.randrange(len(content) // 512)
            block = bytearray(content[at : at + 512])
            field, size = rng.choice(((100, 8), (124, 12), (136, 12), (156, 1), (257, 8), (345, 155)))
            block[field : field + size] = size * rng.choice((b"\xff", b"\x80", b"7", b"\0", b"9", b"-"))
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            content = content[:at] + bytes(block) + content[at + 512 :]
        return content

    def read(self, content):
        training, test, classes, entry = cifar10.read_source("binary", self.path)
        for images, labels in (training, test):
            assert images.dtype == labels.dtype == np.uint8 and images.shape[1:] == (3, 32, 32)
            assert len(images) == len(labels) and labels.max() < len(classes)
        assert entry is None and not executed
