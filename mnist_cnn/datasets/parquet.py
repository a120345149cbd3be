"""Parquet files of the Hugging Face hub: a column of encoded pictures, and one of labels.

The metadata has the names of the classes. Needs pyarrow: pip install 'mnist_cnn[parquet]'.
"""

import functools
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..storage.npz import MAX_REASON
from ..system.errors import MnistCnnError
from .parts import Found, Part, Source, check_names, part_of
from .pictures import join_pixels

__all__ = ["find"]

LABELS = ("label", "labels", "class", "target")


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the data sets in Parquet files, a list of `mnist_cnn.datasets.parts.Source`.

    Several files may hold one part: ``train-00000-of-00002.parquet`` or ``train/0000.parquet``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.datasets.parquet import find
    >>> [source.name for source in find([Path("mnist/train-00000-of-00001.parquet")])]
    ['mnist']
    """
    roots = defaultdict(lambda: defaultdict(list))
    for path in paths:
        if path.suffix.lower() == ".parquet":
            if part_of(path.name):
                roots[path.parent][part_of(path.name)].append(path)
            elif part_of(path.parent.name):
                roots[path.parent.parent][part_of(path.parent.name)].append(path)
            else:
                roots[path.parent]["train"].append(path)
    return [
        Source(str(root), functools.partial(_read, parts), [path for files in parts.values() for path in files])
        for root, parts in roots.items()
        if "train" in parts
    ]


def _read(parts):
    found, classes = {}, None
    for part, paths in parts.items():
        images, labels = [], []
        for path in paths:
            pictures, numbers, names = _read_file(path)
            images += [
                (io.BytesIO(content), "{} (picture {})".format(path, i)) for i, content in enumerate(pictures, 1)
            ]
            labels += numbers
            classes = classes or names
        found[part] = Part(join_pixels(images), np.array(labels), paths[0], paths[0])
    return Found(found, classes)


def _read_file(path):
    """Read encoded pictures, labels, and the names of the classes or None."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MnistCnnError(
            "{} is a Parquet file; to read it, run: pip install 'mnist_cnn[parquet]'".format(path)
        ) from error
    try:
        schema = parquet.read_schema(path)
        image = next(
            (
                field.name
                for field in schema
                if pyarrow.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
            ),
            None,
        )
        label = next((name for name in LABELS if name in schema.names), None)
        if image is None or label is None:
            raise ValueError(
                "it has the columns {}; it needs a column of pictures and a column called label".format(
                    ", ".join(schema.names)
                )
            )
        table = parquet.read_table(path, columns=[image, label])
        pictures = [row["bytes"] for row in table[image].to_pylist()]
        if not all(isinstance(content, bytes) for content in pictures):
            raise ValueError("it holds a picture's path instead of the picture")
        said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}").decode("utf-8"))
        names = said.get("info", {}).get("features", {}).get(label, {}).get("names")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError, pyarrow.ArrowException) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:MAX_REASON]
        raise MnistCnnError(
            "{} does not have the form of the hub's Parquet files: {}".format(path, reason or "it is damaged")
        ) from error
    return pictures, table[label].to_pylist(), check_names(names, path) if names else None
