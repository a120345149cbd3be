"""Pictures of what the network learned.

Each ``plot_`` function takes arrays and returns a matplotlib figure.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from .data import load_dataset
from .errors import MnistCnnError
from .features import feature_maps
from .files import atomic_open
from .model import build_cnn, load_weights
from .train import history_path, load_history

__all__ = ["plot_digit", "plot_kernels", "plot_feature_maps", "plot_history", "main"]


def _plot_grid(images, title, label):
    """Draw up to 36 images of one size, at one scale, in the tutorial's 6x6 grid."""
    figure = plt.figure(figsize=(7, 7), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(6, 6)
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, image) in enumerate(zip(axes.flat, images)):
        drawn = ax.imshow(image, cmap="gray", vmin=images.min(), vmax=images.max())
        ax.set_title(str(i), fontsize=8, pad=2)
    figure.colorbar(drawn, ax=axes, shrink=.6, pad=.02, label=label)
    return figure


def plot_kernels(kernels):
    """Draw the kernels of the first layer.

    Parameters
    ----------
    kernels : array
        (maps, 1, rows, columns), at most 36 maps.

    Returns
    -------
    matplotlib Figure
        All kernels at one scale, numbered from 0.
    """
    return _plot_grid(kernels[:, 0], "Kernels of the first layer ({} x {} pixels)".format(
        *kernels.shape[2:]), "weight")


def plot_feature_maps(maps, name):
    """Draw the feature maps of one image.

    Parameters
    ----------
    maps : array
        (maps, rows, columns), at most 36 maps.
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure
        All maps at one scale, numbered as the kernels that made them.
    """
    return _plot_grid(maps, "Feature maps of {}: the image convolved with each kernel".format(name),
                      "activation before bias and rectifier")


def plot_digit(image, name):
    """Draw one image.

    Parameters
    ----------
    image : array
        (rows, columns), in [0, 1].
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure
    """
    figure = plt.figure(figsize=(4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.axis("off")
    return figure


def plot_history(history):
    """Draw the training curves.

    Parameters
    ----------
    history : structured array
        As `mnist_cnn.train.load_history` returns it.

    Returns
    -------
    matplotlib Figure
        Loss and accuracy by epoch, for training (with dropout) and validation (without).
    """
    figure = plt.figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle("Training and validation by epoch")
    for ax, quantity, label, scale in zip(
            figure.subplots(1, 2), ("loss", "accuracy"), ("cross-entropy [nats]", "accuracy [%]"),
            (1, 100)):
        for part, marker in (("training", "o"), ("validation", "s")):
            text = "training (with dropout)" if part == "training" else part
            ax.plot(history["epoch"], scale * history["{}_{}".format(part, quantity)],
                    marker=marker, markersize=4, label=text)
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=.3)
        ax.legend()
    return figure


def _choose(labels, index, digit):
    """The number of a test image: the one asked for, or a random one (of a class)."""
    if index is not None:
        if not 0 <= index < len(labels):
            raise MnistCnnError("there is no test image {}; they are numbered 0 to {}".format(
                index, len(labels) - 1))
        return index
    candidates = np.arange(len(labels)) if digit is None else np.flatnonzero(labels == digit)
    if not len(candidates):
        raise MnistCnnError("the test set has no image of class {}".format(digit))
    return int(np.random.choice(candidates))


def main(model, index=None, digit=None, output="pictures", data_dir=None, show=False):
    """Draw the tutorial's pictures of a trained model and save them.

    Parameters
    ----------
    model : path-like
        The npz file of the weights. Where the history lies beside it, it is drawn as well.
    index : int, optional
        The test image to show, from 0; by default a random one.
    digit : int, optional
        Take a random test image of this class.
    output : path-like
        The folder for the pictures; made if missing.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`.
    show : bool
        Whether to open the pictures in windows too.

    Raises
    ------
    MnistCnnError
        When the model or the data cannot be used, a number is out of range, the pictures cannot
        be written, or there is no screen to show them on.
    """
    kernels = load_weights(model, build_cnn())[0]
    *_, X_test, y_test = load_dataset(data_dir)
    index = _choose(y_test, index, digit)
    name = "test image {}, a {}".format(index, y_test[index])
    print("Showing {} (--index {})".format(name, index))

    figures = {
        "kernels": plot_kernels(kernels),
        "digit": plot_digit(X_test[index, 0], name.capitalize()),
        "feature_maps": plot_feature_maps(feature_maps(kernels, X_test[index:index + 1])[0], name),
    }
    if history_path(model).exists():
        figures["history"] = plot_history(load_history(model))

    output = Path(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MnistCnnError("cannot make the folder {}: {}".format(
            output, error.strerror)) from error
    for stem, figure in figures.items():
        path = output / (stem + ".png")
        with atomic_open(path) as file:
            figure.savefig(file, format="png", dpi=120)
        print("Wrote {}".format(path))
    if show:
        if plt.get_backend().lower() == "agg":
            raise MnistCnnError("--show needs a screen and a window toolkit (on Debian or Ubuntu: "
                                "sudo apt-get install python3-tk); the pictures are in {}"
                                .format(output))
        plt.show()
