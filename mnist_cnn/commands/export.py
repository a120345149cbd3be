"""Export a model to ONNX, safetensors or PyTorch."""

from ..weights.export import main

__all__ = ["main"]


def add_arguments(parser):
    add = parser.add_argument
    add("model", metavar="MODEL",
        help="the weights that train.py saved, e.g. model.npz, or those of nolearn, Keras or PyTorch")
    add("--output", metavar="FILE",
        help="the file to write; its name's end says the form: .onnx, .safetensors or .pt, a "
             "state_dict (default: beside the model, ending in .onnx)")
