"""The reader of pickles against Python's own, and against pickles that mean harm."""

import os
import pickle
import subprocess

import numpy as np
import pytest
from formats import batch_pickle, batches, meta_pickle
from hypothesis import HealthCheck, given, settings, strategies as st

from mnist_cnn.datasets.pickles import read_pickle

IMAGES, LABELS = batches(4)[0]


def equal(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype.newbyteorder("=") and np.array_equal(a, b)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    return a == b and type(a) is type(b)


@pytest.mark.parametrize("content", [batch_pickle(IMAGES, LABELS), meta_pickle()])
def test_what_python_2_wrote_is_read_as_pickle_reads_it(content):
    assert equal(read_pickle(content), pickle.loads(content, encoding="bytes"))


@pytest.mark.parametrize("protocol", range(6))
def test_what_python_3_writes(protocol):
    batch = {
        b"data": IMAGES.reshape(4, -1),
        "weights": [
            np.arange(6.0).reshape(2, 3),
            (np.ones((2, 1), ">f4"), np.asfortranarray(np.eye(3, 2, dtype="i8"))),
        ],
        "one": 1.5,
        "labels": LABELS.tolist(),
        "more": [None, True, 300],
        "text": "x" * 300,
        b"bytes": b"y" * 300,
        "pair": ("a", -5),
        "deep": {"label": 2**20},
    }
    assert equal(read_pickle(pickle.dumps(batch, protocol)), batch)


class Harm:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "harm",
    [
        Harm(os.system, "touch harmed"),
        Harm(eval, "open('harmed', 'w')"),
        Harm(subprocess.call, ["touch", "harmed"]),
        Harm(np.fromfile, "/etc/passwd"),
        Harm(getattr, "text", "upper"),
        np.array([Harm(os.getpid)], object),
        np.zeros(3, "c16"),
        print,
    ],
)
@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_what_means_harm_is_not_done(harm, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError):
        read_pickle(pickle.dumps({"labels": [0], "data": harm}, protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"\x80\x02.",
        b"\x80\x02}q\x01.."[:4],
        b"\x80\x02(((",
        b"\x80\x02h\x05.",
        b"\x80\x02]K\x01a",
        b"\x80\x02K\x01K\x02s.",
        b"\x80\x02)R.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02}]K\x01s.",
        b"\x80\x02cnumpy\nndarray\n)R.",
        b"\x80\x02cnumpy\ndtype\nU\x02f8\x85R.",
        b"cposix\nsystem\n.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x80\x02T\xff\xff\xff\x7f",
        b"I" + b"9" * 10000 + b"\n.",
        b"\x80\x02}" + b"U\x01a}" * 50 + b"s" * 50 + b".",
    ],
)
def test_junk_is_refused(content):
    with pytest.raises(ValueError):
        read_pickle(content)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_pickle_is_read_or_refused(data):
    content = bytearray(batch_pickle(IMAGES[:1], LABELS[:1]))
    ends = list(range(200)) + list(range(len(content) - 120, len(content)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.sampled_from(ends))] = data.draw(st.integers(0, 255))
    try:
        read_pickle(bytes(content))
    except ValueError:
        pass
