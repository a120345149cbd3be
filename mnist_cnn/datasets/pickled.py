"""deeplearning.net's mnist.pkl.gz: three pairs of arrays, training, validation and test, pickled.

Python 2 wrote it. Reading executes nothing in it (`mnist_cnn.datasets.pickles`).
"""

import functools
import gzip
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from ..storage.atomic import open_regular
from ..storage.npz import MAX_REASON
from ..system.errors import MnistCnnError
from .parts import Found, Part, Source
from .pickles import read_pickle

__all__ = ["find"]

MAX_BYTES = 2**30


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the data sets in pickles, a list of `mnist_cnn.datasets.parts.Source`."""
    return [
        Source(str(path), functools.partial(_read, path), [path])
        for path in paths
        if re.search(r"\.(pkl|pickle)(\.gz)?$", path.name, re.IGNORECASE)
    ]


def _read(path):
    try:
        with open_regular(path) as file:
            if file.peek(2)[:2] == b"\x1f\x8b":
                file = gzip.GzipFile(fileobj=file)
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError("it has more than {} bytes".format(MAX_BYTES))
        (*parts,) = (tuple(pair) for pair in read_pickle(content))
        if [len(pair) for pair in parts] != [2, 2, 2]:
            raise ValueError("it does not hold three pairs of images and labels")
    except (OSError, EOFError, zlib.error, ValueError, TypeError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:MAX_REASON]
        raise MnistCnnError(
            "{} does not have the form of mnist.pkl.gz: {}".format(path, reason or "it is damaged")
        ) from error
    return Found({part: Part(*pair, path, path) for part, pair in zip(("train", "val", "test"), parts)})
