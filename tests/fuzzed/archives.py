"""Hostile IDX files, files of weights, checkpoints and histories."""

import gzip
import io
import json
import struct

import lasagne  # noqa: I100  after mnist_cnn, which makes it importable
import numpy as np
from stand_in import a_run, state

from mnist_cnn import model
from mnist_cnn.datasets import idx
from mnist_cnn.datasets.card import DataCard
from mnist_cnn.storage import records
from mnist_cnn.training import checkpoint
from mnist_cnn.weights import fitting

from . import mutations


class Idx:
    """`read_idx`: what comes back is to the last byte what the file holds."""

    reader = staticmethod(idx.read_idx)

    def __init__(self, path):
        self.path = path
        array = struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))
        self.seeds = [array, gzip.compress(array, 1), struct.pack(">4BI", 0, 0, 8, 1, 5) + b"12345"]

    def make(self, rng):
        if rng.random() < 0.4:
            return mutations.mutate_bytes(rng, rng.choice(self.seeds), self.seeds)
        shape = [rng.choice((0, 1, 2, 3, 5, 28)) for _ in range(rng.randrange(6))]
        size = int(np.prod(shape)) if len(shape) < 5 else 9
        size = max(0, size + (rng.choice((-1, 1, 1000)) if rng.random() < 0.3 else 0))
        if shape and rng.random() < 0.3:
            shape[rng.randrange(len(shape))] = rng.choice(mutations.LENGTHS)
        magic = [
            0,
            0,
            8 if rng.random() < 0.9 else rng.randrange(256),
            len(shape) if rng.random() < 0.9 else rng.randrange(256),
        ]
        content = struct.pack(">4B{}I".format(len(shape)), *magic, *shape) + bytes(size if size < 10**5 else 9)
        kind = rng.randrange(4)
        if kind == 1:
            content = gzip.compress(content, 1)
        elif kind == 2:  # of several members, as gzip allows
            at = rng.randrange(len(content) + 1)
            content = gzip.compress(content[:at], 1) + gzip.compress(content[at:], 1)
        elif kind == 3:
            content = mutations.mutate_bytes(rng, gzip.compress(content, 1), self.seeds)
        return content

    def read(self, content):
        array = idx.read_idx(self.path)
        if content.startswith(b"\x1f\x8b"):
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(2**20)
        kind = content[2]
        assert array.dtype == {8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}[kind]
        assert (
            content
            == struct.pack(">4B{}I".format(array.ndim), 0, 0, kind, array.ndim, *array.shape)
            + array.astype(array.dtype.newbyteorder(">")).tobytes()
        )


class _Npz:
    """An archive of arrays, of which a few are hostile."""

    arrays = {}

    def make(self, rng):
        if rng.random() < 0.2:
            return mutations.mutate_bytes(rng, rng.choice(self.seeds), self.seeds)
        members = dict(self.members)
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            name = rng.choice(list(members))
            kind = rng.random()
            if kind < 0.7:
                members[name] = mutations.npy(self.hostile(rng, name))
            elif kind < 0.9:
                members[name] = mutations.mutate_npy(rng, self.members[name])
            else:
                members[name] = mutations.mutate_bytes(rng, self.members[name])
        return mutations.archive(rng, [(name + ".npy", content) for name, content in members.items()])

    def hostile(self, rng, name):
        return mutations.mutate_array(rng, self.arrays[name])

    def prepare(self, arrays, rng):
        self.arrays = arrays
        self.members = {name: mutations.npy(array) for name, array in arrays.items()}
        stored = mutations.archive(rng, ((name + ".npy", content) for name, content in self.members.items()), False)
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)
        self.seeds = [stored, packed.getvalue()]


class Weights(_Npz):
    """`read_card` and `load_weights`: finite numbers of the network's type, or it is unchanged."""

    def __init__(self, path):
        import random

        self.path = path
        self.network = lasagne.layers.DenseLayer(lasagne.layers.InputLayer((None, 3)), 2)
        self.params = lasagne.layers.get_all_params(self.network)
        self.card = DataCard("mnist").to_json()
        self.prepare({"arr_0": np.ones((3, 2), "f"), "arr_1": np.ones(2)}, random.Random(0))

    def make(self, rng):
        content = super().make(rng)
        if rng.random() > 0.2 or content[-2:] != bytes(2):  # the end of a zip without a comment
            return content
        fields = json.loads(self.card.decode())
        if rng.random() < 0.7:
            fields[rng.choice(list(fields))] = rng.choice(
                (
                    None,
                    True,
                    0,
                    1,
                    -1,
                    1.5,
                    10**400,
                    "",
                    "x\ny",
                    [],
                    [1, 28],
                    [1, 28, 28],
                    [0, 28, 28],
                    [1, 28, True],
                    [1, 10**9, 28],
                    ["a"] * 10,
                    ["a", "b"],
                    [[]] * 3,
                    {},
                    "f" * 64,
                )
            )
        comment = json.dumps(fields).encode()
        if rng.random() < 0.3:
            comment = rng.choice((mutations.mutate_bytes(rng, comment), b"[" * 9000, b"{}", b"\xff"))
        return content[:-2] + struct.pack("<H", len(comment)) + comment

    def read(self, content):
        before = [param.get_value(borrow=True) for param in self.params]
        try:
            card = fitting.read_card(self.path)
            model.load_weights(self.path, self.network)
        except BaseException:
            assert all(param.get_value(borrow=True) is old for param, old in zip(self.params, before)), (
                "the network has changed"
            )
            raise
        assert isinstance(card.dataset, (str, type(None))) and len(card.shape) == 3
        assert max(card.shape) <= 256 and 2 <= len(card.classes) <= 1000
        assert all(isinstance(name, str) for name in card.classes)
        for param, old in zip(self.params, before):
            new = param.get_value(borrow=True)
            assert new.dtype == old.dtype and new.shape == old.shape and np.isfinite(new).all()


class Checkpoint(_Npz):
    """`load_checkpoint`: a state that a run can have, or the run unchanged."""

    def __init__(self, path):
        import random

        self.path, self.run = path, a_run()
        self.fresh = state(self.run)
        checkpoint.save_checkpoint(path, a_run(value=5))
        with np.load(path) as file:
            self.prepare(dict(file), random.Random(0))
        self.settings = json.loads(self.arrays["settings"].tobytes().decode())

    def hostile(self, rng, name):
        if name != "settings" or rng.random() < 0.2:
            return super().hostile(rng, name)
        return np.frombuffer(self.hostile_settings(rng), np.uint8)

    def hostile_settings(self, rng):
        kind = rng.randrange(5)
        if kind == 0:
            return mutations.mutate_bytes(rng, json.dumps(self.settings).encode())
        if kind == 1:
            return rng.choice(
                (
                    b"",
                    b"{}",
                    b"[]",
                    b"null",
                    b"3",
                    b"NaN",
                    b"[" * 5000,
                    b'{"a":' * 3000,
                    b"9" * 9000,
                    b'"\\ud800"',
                    b"\xff\xfe",
                    b'[["batch_size", 50]]',
                    b" " * 150000 + b"{}",
                )
            )
        settings = dict(self.settings)
        name = rng.choice(list(settings))
        if kind == 2:
            del settings[name]
        elif kind == 3:
            settings[rng.choice(("", "batch_size\n", "num_epochs", "x" * 999))] = 1
        else:
            settings[name] = rng.choice(
                (
                    None,
                    True,
                    [],
                    {},
                    [[1]] * 99,
                    "",
                    "x\ny",
                    "\x1b[31m",
                    "\ud800",
                    "9" * 999,
                    -1,
                    10**400,
                    *mutations.NUMBERS,
                )
            )
        return json.dumps(settings).encode()

    def read(self, content):
        run = self.run
        try:
            checkpoint.load_checkpoint(self.path, run)
        except BaseException:
            assert state(run) == self.fresh, "the run has changed"
            raise
        # said anew, in other words than the reader's
        weights, _, streams = (v.get_value() for v in run.train_fn.variables)
        for k, (epoch, seconds, *losses_and_accuracies) in enumerate(run.history):
            assert epoch == k + 1 and isinstance(epoch, int) and abs(seconds) < 1e39
            assert all(0 <= loss < 1e39 for loss in losses_and_accuracies[::2])
            assert all(0 <= accuracy <= 1 for accuracy in losses_and_accuracies[1::2])
        assert run.history and np.isfinite(weights).all()
        assert ((streams >= 0) & (streams < 2**31 - 1)).all()
        assert (streams[:, :3].any(axis=1) & streams[:, 3:].any(axis=1)).all()
        assert sorted(run.rng.permutation(9)) == list(range(9)) and abs(run.rng.normal()) < 20
        self.run = a_run()


class History:
    """`load_history`: the CSV beside a file of weights."""

    def __init__(self, path):
        self.path = str(path) + ".npz"
        records.save_history(self.path, [(1, 2.5, 0.4, 0.8, 0.3, 0.9), (2, 2.5, 0.3, 0.9, 0.2, 0.95)])
        self.written = records.history_path(self.path)
        self.seeds = [self.written.read_bytes()]

    def make(self, rng):
        content = self.seeds[0]
        if rng.random() < 0.5:
            lines = content.split(b"\r\n")
            cells = lines[rng.randrange(len(lines))].split(b",")
            cells[rng.randrange(len(cells))] = rng.choice(
                (
                    b"",
                    b"nan",
                    b"1e999",
                    b"1_0",
                    b'"',
                    b'""',
                    b"'",
                    b"\0",
                    b"\xff",
                    b"9" * 200000,
                    b"x",
                    b"\r",
                    b"\n",
                    b" 1 ",
                    b"0x3",
                    b"1,1",
                )
            )
            lines[rng.randrange(len(lines))] = b",".join(cells)
            content = b"\r\n".join(lines)
        return mutations.mutate_bytes(rng, content) if rng.random() < 0.6 else content

    def read(self, content):
        self.written.write_bytes(content)
        history = records.load_history(self.path)
        assert history.dtype.names in (records.HISTORY_FIELDS, records.TRAINING_FIELDS)
        assert history.ndim == 1


class Snapshots(_Npz):
    """`load_snapshots`: the kernels beside a file of weights."""

    def __init__(self, path):
        import random

        self.path = str(path) + ".npz"
        self.written = records.snapshots_path(self.path)
        self.prepare({"epochs": np.arange(3), "kernels": np.ones((3, 2, 1, 3, 3), "f")}, random.Random(0))

    def read(self, content):
        self.written.write_bytes(content)
        epochs, kernels = records.load_snapshots(self.path, (2, 1, 3, 3))
        assert (np.diff(epochs) > 0).all() and epochs[0] >= 0
        assert kernels.shape == (len(epochs), 2, 1, 3, 3) and np.isfinite(kernels).all()
