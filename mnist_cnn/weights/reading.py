"""Read weights from files of other programs; nothing in them is executed.

The first bytes of a file tell its format, and the shapes tell which array is which.
"""

import contextlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets.pickles import read_pickle
from ..storage.atomic import open_regular
from ..storage.npz import MAX_ITEMS, MAX_REASON, ZipReader, read_npz, read_npz_shapes
from ..system.errors import MnistCnnError
from .layouts import KERAS, KERAS_CHANNELS_FIRST, TORCH, Layout

__all__ = ["Stored", "open_weights"]

MAX_BYTES = 2**28  # of a pickle


class Stored(NamedTuple):
    """An open file of weights; arrays are read later where the format allows it.

    Parameters
    ----------
    shapes : dict
        From each array's name to its shape, in the order of the layers.
    load : callable
        From a list of names to their arrays.
    layout : Layout, optional
        The layout of the program that wrote the file; None where only the shapes can tell.
    comment : bytes
        The data card, where this package wrote the file.
    """

    shapes: dict[str, tuple]
    load: Callable
    layout: Layout | None = None
    comment: bytes = b""


def open_weights(path: Path | str) -> Stored:
    """Open a file of weights.

    Parameters
    ----------
    path : path-like
        npz; a pickle of lists and dictionaries of arrays, as nolearn's ``save_params_to`` writes it;
        Keras' .h5 or .keras; PyTorch's ``torch.save(model.state_dict(), file)``; safetensors.

    Returns
    -------
    Stored

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or has another format.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> from mnist_cnn.weights.reading import open_weights
    >>> with open("weights.pkl", "wb") as file:
    ...     pickle.dump({"conv1": [np.zeros((32, 1, 5, 5)), np.zeros(32)]}, file)
    >>> open_weights("weights.pkl").shapes
    {'conv1 0': (32, 1, 5, 5), 'conv1 1': (32,)}
    """
    with _refused(path):
        with open_regular(path) as file:
            start = file.read(16)
        for is_it, read in _FORMS:
            if is_it(start):
                stored = read(path)
                if not stored.shapes:
                    raise ValueError(
                        "it holds no arrays{}".format(
                            " (PyTorch before 1.6 wrote other files; save it with a newer version)"
                            if str(path).endswith((".pt", ".pth"))
                            else ""
                        )
                    )
                return stored
        if not start:
            raise ValueError("it is empty")
        raise ValueError("it begins with the bytes {}".format(start[:4].hex()))


@contextlib.contextmanager
def _refused(path):
    """Turn the exceptions of a damaged or foreign file into MnistCnnError."""
    try:
        yield
    except OSError as error:
        raise MnistCnnError(
            "cannot read {}: {}".format(path, error.strerror or " ".join(str(error).split())[:MAX_REASON])
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
        AttributeError,
    ) as error:
        raise MnistCnnError(
            "{} is not a known file of weights (npz, nolearn's pickles, Keras' .h5, PyTorch's "
            "state_dict, safetensors): {}".format(path, " ".join(str(error).split())[:MAX_REASON] or "it is damaged")
        ) from error


def _read_zip(path):
    with ZipReader(path) as archive:
        names = archive.namelist()
    pickles = [name for name in names if name.endswith("data.pkl")]
    if pickles:
        return _read_torch(path, pickles[0])
    if "model.weights.h5" in names:
        with ZipReader(path) as archive:
            if archive.getinfo("model.weights.h5").file_size > MAX_BYTES:
                raise ValueError("it has more than {} bytes".format(MAX_BYTES))
            config = archive.read("config.json") if "config.json" in names else b"{}"
            return _read_h5(io.BytesIO(archive.read("model.weights.h5")), config, path)
    shapes, comment = read_npz_shapes(path)
    shapes = (
        {name: shapes[name] for name in sorted(shapes, key=_natural)}
        if all(re.fullmatch(r"arr_\d+", name) for name in shapes)
        else shapes
    )

    def load(names):
        wanted = {name: ("fde", shapes[name]) for name in names}
        arrays = read_npz(path, wanted, others=True)
        return [arrays[name] for name in names]

    return Stored(shapes, load, None, comment)


def _natural(name):
    """A sort key that puts conv2d_10 after conv2d_2."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", str(name))]


def _read_safetensors(path):
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise _wants_the_extra(path) from error
    try:
        with safe_open(path, framework="numpy") as archive:
            slices = {name: archive.get_slice(name) for name in sorted(archive.keys(), key=_natural)}
            shapes = {
                name: tuple(part.get_shape())
                for name, part in slices.items()
                if part.get_dtype() in ("F16", "F32", "F64")
            }
    except SafetensorError as error:
        raise ValueError(error) from error

    def load(names):
        with safe_open(path, framework="numpy") as archive:
            return [archive.get_tensor(name) for name in names]

    return Stored(shapes, load)


def _wants_the_extra(path):
    return MnistCnnError("to read {}, run: pip install 'mnist_cnn[exchange]'".format(path))


def _flatten(value, name=""):
    """Yield name and array of all arrays in nested dictionaries and lists."""
    if isinstance(value, np.ndarray):
        yield name.strip() or "the array", value
    elif isinstance(value, dict):
        for key, item in value.items():
            key = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
            yield from _flatten(item, "{} {}".format(name, key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _flatten(item, "{} {}".format(name, i))


def _read_pickle(path):
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("it has more than {} bytes".format(MAX_BYTES))
    return _stored(_flatten(read_pickle(content)))


def _stored(arrays, layout=None):
    arrays = dict(arrays)
    return Stored(
        {name: array.shape for name, array in arrays.items()}, lambda names: [arrays[name] for name in names], layout
    )


class _Storage:
    """A tensor's numbers in PyTorch's file."""

    def __init__(self, array):
        self.array = array

    def tensor(self, offset, shape, strides, *_):
        spans = [(n - 1) * step for n, step in zip(shape, strides)]
        if not (
            len(shape) == len(strides) <= 5
            and all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))
            and math.prod(shape) <= MAX_ITEMS
            and (0 in shape or offset + sum(spans) < len(self.array))
        ):
            raise ValueError("a tensor lies outside of its storage")
        size = self.array.itemsize
        return np.lib.stride_tricks.as_strided(self.array[offset:], shape, [size * step for step in strides]).copy()


def _read_torch(path, name):
    """Read the zip archive that ``torch.save`` writes since version 1.6: a pickle, and storages."""
    folder = name[: -len("data.pkl")]
    types = {
        "torch.{}Storage".format(kind): dtype
        for kind, dtype in (("Half", "<f2"), ("Float", "<f4"), ("Double", "<f8"), ("Long", "<i8"), ("Int", "<i4"))
    }

    with ZipReader(path) as archive:
        if archive.getinfo(name).file_size > MAX_BYTES:
            raise ValueError("it has more than {} bytes".format(MAX_BYTES))

        def persistent(parts):
            kind, key = parts[1].text, parts[2]
            if archive.getinfo(folder + "data/" + key).file_size > 8 * MAX_ITEMS:
                raise ValueError("a tensor has more than {} numbers".format(MAX_ITEMS))
            return _Storage(np.frombuffer(archive.read(folder + "data/" + key), types[kind]))

        names = dict.fromkeys(types)
        names["torch._utils._rebuild_tensor_v2"] = _Storage.tensor
        names["torch._utils._rebuild_parameter"] = lambda tensor, *_: tensor
        try:
            value = read_pickle(archive.read(name), names, persistent)
        except ValueError as error:
            raise ValueError(
                "{}; save a model's weights alone: torch.save(model.state_dict(), file)".format(error)
            ) from error
    return _stored(((name, array) for name, array in _flatten(value) if array.ndim), TORCH)


def _read_h5_file(path):
    return _read_h5(path, None, path)


def _read_h5(file, config, path):
    """Read Keras' files, in the order of the layers where the file has it, as up to version 2."""
    try:
        import h5py
    except ImportError as error:
        raise _wants_the_extra(path) from error
    with h5py.File(file, "r") as archive:
        root = archive.get("model_weights", archive)
        text = lambda word: word.decode("utf-8") if isinstance(word, bytes) else str(word)
        config = archive.attrs.get("model_config", config or b"")
        backend = text(root.attrs.get("backend", archive.attrs.get("backend", "")))
        arrays = {}

        def add(name, dataset):
            if dataset.size <= MAX_ITEMS and dataset.dtype.kind == "f":
                arrays[name] = dataset[()]

        if "layer_names" in root.attrs:
            for layer in map(text, root.attrs["layer_names"]):
                for name in map(text, root[layer].attrs["weight_names"]):
                    add(name, root[layer][name])
        else:
            found = []
            root.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
            for name, item in sorted(found, key=lambda pair: _natural(pair[0])):
                if "optimizer" not in name:
                    add(name, item)
    layout = KERAS_CHANNELS_FIRST if "channels_first" in text(config) else KERAS
    # with the backend Theano, Keras convolves as Lasagne does; otherwise it correlates
    return _stored(arrays.items(), layout._replace(turned=backend != "theano"))


#: For each format a test of the file's first bytes, and the reader.
_FORMS = (
    (lambda start: start.startswith(b"PK"), _read_zip),
    (lambda start: start.startswith(b"\x89HDF"), _read_h5_file),
    (lambda start: start[8:9] == b"{", _read_safetensors),
    (lambda start: start[:1] in (b"\x80", b"(", b"]", b"}", b"c") and len(start) > 1, _read_pickle),
)
