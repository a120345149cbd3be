"""Export a model to ONNX, safetensors or PyTorch."""

import argparse
from pathlib import Path

import lasagne

from ..model import load_model
from ..storage.atomic import atomic_open, check_writable, keep_apart
from ..system.errors import MnistCnnError
from ..weights.writing import WRITERS

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="the weights that train.py saved, e.g. model.npz, or those of nolearn, Keras or PyTorch",
    )
    add(
        "--output",
        metavar="FILE",
        help="the file to write; its name ends in .onnx, .safetensors or .pt (a state_dict) "
        "(default: beside the model, ending in .onnx)",
    )


def main(model: Path | str, output: Path | str | None = None) -> Path:
    """Export a model for other programs, and print the file's input and output.

    Parameters
    ----------
    model : path-like
        A file of weights, as for `mnist_cnn.model.load_model`.
    output : path-like, optional
        The file to write, ending in .onnx, .safetensors or .pt; by default beside the model, ending
        in .onnx.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    MnistCnnError
        When the model cannot be used, the output's name ends in another suffix, a package is missing,
        or the file cannot be written.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn, save_weights
    >>> from mnist_cnn.commands.export import main
    >>> import lasagne
    >>> save_weights("model.npz", lasagne.layers.get_all_param_values(build_cnn()))
    >>> path = main("model.npz", "model.pt")
    model.pt: PyTorch's state_dict; images (n, 1, 28, 28), bytes divided by 256; 10 classes
    """
    network, card = load_model(model)
    output = Path(model).with_suffix(".onnx") if output is None else Path(output)
    if output.suffix not in WRITERS:
        raise MnistCnnError("{} has an unknown format; name a file that ends in {}".format(output, ", ".join(WRITERS)))
    keep_apart([model], [output])
    check_writable(output)
    form, write = WRITERS[output.suffix]
    content = write(lasagne.layers.get_all_param_values(network), card)
    with atomic_open(output) as file:
        file.write(content)
    print(
        "{}: {}; images (n, {}, {}, {}), bytes divided by 256; {} classes".format(
            output, form, *card.shape, len(card.classes)
        )
    )
    return output
