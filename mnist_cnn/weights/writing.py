"""Export of the network to ONNX, safetensors and PyTorch's state_dict.

The last two have the names and the layout of this PyTorch module::

    class Net(nn.Module):
        def __init__(self, channels=1, features=512, classes=10):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, 32, 5)
            self.conv2 = nn.Conv2d(32, 32, 5)
            self.fc1 = nn.Linear(features, 256)
            self.fc2 = nn.Linear(256, classes)

        def forward(self, images):
            maps = F.max_pool2d(F.relu(self.conv1(images)), 2)
            maps = F.max_pool2d(F.relu(self.conv2(maps)), 2)
            return F.softmax(self.fc2(F.relu(self.fc1(maps.flatten(1)))), dim=1)
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..system.errors import MnistCnnError
from .layouts import TORCH

if TYPE_CHECKING:
    from ..datasets.card import DataCard

__all__ = ["OPSET", "torch_arrays", "to_onnx", "to_safetensors", "to_state_dict", "WRITERS"]

#: The version of ONNX's operators; onnxruntime reads it since version 1.7, of 2021.
OPSET = 13
IR_VERSION = 7  # the file format of ONNX 1.8

LAYERS = ("conv1", "conv2", "fc1", "fc2")


def torch_arrays(weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Convert weights to PyTorch's names and layout.

    Parameters
    ----------
    weights : list of 8 arrays
        As `lasagne.layers.get_all_param_values` gives them.

    Returns
    -------
    dict
        From 'conv1.weight', 'conv1.bias' and so on to float32 arrays.
    """
    names = ["{}.{}".format(layer, what) for layer in LAYERS for what in ("weight", "bias")]
    return {name: TORCH.from_lasagne(np.asarray(array, np.float32)) for name, array in zip(names, weights)}


def to_safetensors(weights: Sequence[np.ndarray], card: DataCard) -> bytes:
    """Make the content of a safetensors file, bytes; its metadata describe classes, data and input.

    MnistCnnError where the package safetensors is missing.
    """
    (save,) = _imported("safetensors.numpy", "save")
    return save(torch_arrays(weights), metadata=_metadata(card))


def _imported(module, *names):
    """Import names from a module of the extra `exchange`."""
    import importlib

    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise MnistCnnError("to write this format, run: pip install 'mnist_cnn[exchange]'") from error
    return [getattr(found, name) for name in names]


def _metadata(card):
    return {
        "classes": json.dumps(card.classes),
        "dataset": card.dataset or "",
        "input": "images, (n, {}, {}, {}), bytes divided by 256".format(*card.shape),
    }


def to_onnx(weights: Sequence[np.ndarray], card: DataCard) -> bytes:
    """Make the content of an ONNX file, bytes: from images to probabilities, without dropout.

    The metadata are as for `to_safetensors`. MnistCnnError where the package onnx is missing.

    References
    ----------
    .. [1] Open Neural Network Exchange: operators. https://onnx.ai/onnx/operators/
    """
    helper, numpy_helper, TensorProto = _imported("onnx", "helper", "numpy_helper", "TensorProto")
    arrays = torch_arrays(weights)

    def node(kind, inputs, output, **attributes):
        return helper.make_node(kind, inputs.split(), [output], **attributes)

    nodes = [
        node("Conv", "images conv1.weight conv1.bias", "conv1", kernel_shape=[5, 5]),
        node("Relu", "conv1", "relu1"),
        node("MaxPool", "relu1", "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "pool1 conv2.weight conv2.bias", "conv2", kernel_shape=[5, 5]),
        node("Relu", "conv2", "relu2"),
        node("MaxPool", "relu2", "pool2", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "pool2", "flat"),
        node("Gemm", "flat fc1.weight fc1.bias", "fc1", transB=1),
        node("Relu", "fc1", "relu3"),
        node("Gemm", "relu3 fc2.weight fc2.bias", "fc2", transB=1),
        node("Softmax", "fc2", "probabilities", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mnist_cnn",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", *card.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(card.classes)])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(
        graph, producer_name="mnist_cnn", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    helper.set_model_props(model, _metadata(card))
    return model.SerializeToString(deterministic=True)


def to_state_dict(weights: Sequence[np.ndarray], card: DataCard | None = None) -> bytes:
    """Make a file's content, bytes, that ``torch.load(file, weights_only=True)`` reads as a state_dict.

    It is a zip archive of a pickle, which names the tensors, and of their numbers. It cannot hold `card`.
    """
    arrays = torch_arrays(weights)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:

        def add(name, data):  # without a date, so that the same weights give the same file
            archive.writestr(zipfile.ZipInfo("archive/" + name), data)

        add(
            "data.pkl",
            b"\x80\x02ccollections\nOrderedDict\n)R("
            + b"".join(_text(name) + _tensor(key, array.shape) for key, (name, array) in enumerate(arrays.items()))
            + b"u.",
        )
        add("byteorder", b"little")
        for key, array in enumerate(arrays.values()):
            add("data/{}".format(key), array.astype("<f4").tobytes())
        add("version", b"3\n")
    return content.getvalue()


def _text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode("utf-8")


def _numbers(numbers):
    return b"(" + b"".join(b"J" + struct.pack("<i", number) for number in numbers) + b"t"


def _tensor(key, shape):
    """Pickle a call of torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, False, {})."""
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    storage = (
        b"("
        + _text("storage")
        + b"ctorch\nFloatStorage\n"
        + _text(str(key))
        + _text("cpu")
        + b"J"
        + struct.pack("<i", int(np.prod(shape)))
        + b"tQ"
    )
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\0"
        + _numbers(shape)
        + _numbers(strides)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


#: From the end of a file's name to the format's name and the function that makes the content.
WRITERS = {
    ".onnx": ("ONNX, opset {}".format(OPSET), to_onnx),
    ".safetensors": ("safetensors with PyTorch's names", to_safetensors),
    ".pt": ("PyTorch's state_dict", to_state_dict),
}
