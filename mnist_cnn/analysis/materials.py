"""The arrays that the figures of a model are drawn from."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import lasagne
import numpy as np

from ..data import load_dataset_of
from ..datasets.labels import are_digits, find_class, named, noun
from ..model import load_model
from ..pictures.photos import read_images
from ..storage.records import load_snapshots, snapshots_path
from ..system.errors import MnistCnnError
from . import attribution, layers, metrics

__all__ = ["Materials", "HIDDEN", "snapshots_of"]

HIDDEN = 5  # pixels, the side of an occlusion: a little more than a stroke's width


class Materials:
    """The arrays that the figures are drawn from; each is computed once, on first use.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    index, digit, image, versus, diverging, data_dir, dataset, class_name
        As for `mnist_cnn.analysis.gallery.main`.
    """

    def __init__(
        self,
        model: Path | str,
        index: int | None = None,
        digit: int | None = None,
        image: Path | str | None = None,
        versus: int | None = None,
        diverging: bool = False,
        data_dir: Path | str | None = None,
        dataset: str | None = None,
        class_name: str | None = None,
    ) -> None:
        self.model, self.diverging = model, diverging
        self.network, card = load_model(model)
        self.layers = layers.name_layers(self.network)
        self.weights = lasagne.layers.get_all_param_values(self.network)
        loaded = load_dataset_of(model, card, data_dir, dataset)
        *_, self.images, self.labels = loaded
        self.labels = self.labels.astype(int)
        self.names = list(loaded.card.classes)
        self.versus = None if versus is None else _class_number(self.names, versus)
        if class_name is not None:
            digit = find_class(self.names, class_name)
        elif digit is not None:
            digit = _class_number(self.names, digit)
        if image is not None:
            self._shown = read_images(image, card, single=True).images[0], _readable(Path(image).name)
        else:
            self._wanted = index, digit
            if index is not None or digit is not None:
                _ = self._shown  # raises where a number is out of range, before anything is drawn

    @cached_property
    def _shown(self):
        """The image to show, and its name; a random one is chosen on first use."""
        index = _choose(self.labels, *self._wanted)
        form = "test image {}, {}" if are_digits(self.names) else "test image {} ({})"
        name = form.format(index, named(self.names, self.labels[index]))
        print("Showing {} (--index {})".format(name, index))
        return self.images[index], name

    @property
    def is_image_shown(self) -> bool:
        """Whether a figure has used the image so far."""
        return "_shown" in vars(self)

    @property
    def image(self) -> np.ndarray:
        return self._shown[0]

    @property
    def name(self) -> str:
        return self._shown[1]

    @property
    def noun(self) -> str:
        """The word for an image: 'digit' or 'image'."""
        return noun(self.names)

    @cached_property
    def nothing(self) -> np.ndarray:
        """The colour of an empty image, (channels, 1, 1): black, or the mean colour."""
        if self.images.shape[1] == 1:
            return np.zeros((1, 1, 1), self.images.dtype)
        colour = self.images.mean(axis=(0, 2, 3), dtype=float)
        return colour.astype(self.images.dtype)[:, None, None]

    @property
    def start_of_climb(self) -> dict[str, Any]:
        """The options of `maximize_activation` for the start of the gradient ascent."""
        noise = (0, 0.1) if self.images.shape[1] == 1 else (-0.25, 0.25)
        return dict(neutral=self.nothing, noise=noise)

    @cached_property
    def activations_fn(self) -> Callable[..., dict[str, np.ndarray]]:
        return layers.compile_activations(self.network)

    @cached_property
    def activations(self) -> dict[str, np.ndarray]:
        """The activations of the image, by the layers' names."""
        return {name: values[0] for name, values in self.activations_fn(self.image[None]).items()}

    @property
    def probabilities(self) -> np.ndarray:
        return self.activations["output"]

    @cached_property
    def test_activations(self) -> dict[str, np.ndarray]:
        return self.activations_fn(self.images, ("conv 2", "dense", "output"))

    @property
    def test_probabilities(self) -> np.ndarray:
        return self.test_activations["output"]

    @cached_property
    def confusion(self) -> np.ndarray:
        return metrics.confusion_matrix(self.labels, self.test_probabilities.argmax(axis=1), len(self.names))

    @cached_property
    def score_fns(self) -> tuple[Callable[[np.ndarray], np.ndarray], attribution.GradientFn]:
        return attribution.compile_scores(self.network)

    @cached_property
    def occlusion(self) -> np.ndarray:
        return attribution.occlusion(self.score_fns[0], self.image, HIDDEN, self.nothing)

    @cached_property
    def snapshots(self) -> tuple[np.ndarray, np.ndarray]:
        return snapshots_of(self.model, self.weights[0])


def snapshots_of(model: Path | str, kernels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read the snapshots of the first layer's kernels that lie beside a model.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    kernels : array
        The model's own, which are among the snapshots of its training.

    Returns
    -------
    epochs, snapshots : arrays
        As `mnist_cnn.storage.records.load_snapshots` returns them.

    Raises
    ------
    MnistCnnError
        When the file cannot be read, or comes from another training.
    """
    epochs, snapshots = load_snapshots(model, kernels.shape)
    if not (snapshots == kernels).all(axis=(1, 2, 3, 4)).any():
        raise MnistCnnError(
            "{} comes from another training than {}; train with --snapshots again, or remove it".format(
                snapshots_path(model), model
            )
        )
    return epochs, snapshots


def _readable(name):
    """A file's name for a title: without formulas and characters that Matplotlib's font lacks."""
    name = "".join(c if c.isprintable() and c != "$" and ord(c) < 0x500 else "?" for c in name)
    return name if len(name) <= 40 else name[:37] + "..."


def _class_number(names, number):
    """The number of a class; MnistCnnError where it is out of range."""
    if not 0 <= number < len(names):
        raise MnistCnnError("there is no class {}; the classes are numbered 0 to {}".format(number, len(names) - 1))
    return number


def _choose(labels, index, digit):
    """The number of a test image: the given one, or a random one (of a class)."""
    if index is not None:
        if not 0 <= index < len(labels):
            raise MnistCnnError(
                "there is no test image {}; the test images are numbered 0 to {}".format(index, len(labels) - 1)
            )
        return index
    candidates = np.arange(len(labels)) if digit is None else np.flatnonzero(labels == digit)
    if not len(candidates):
        raise MnistCnnError("the test set has no image of class {}".format(digit))
    return int(np.random.choice(candidates))
