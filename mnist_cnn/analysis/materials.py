"""What the figures of a model are drawn from."""

from functools import cached_property
from pathlib import Path

import lasagne
import numpy as np

from ..data import load_dataset_of
from ..datasets.labels import are_digits, find_class, named, noun
from ..model import load_model
from ..pictures.photos import read_images
from ..storage.records import load_snapshots, snapshots_path
from ..system.errors import MnistCnnError
from . import attribution, layers, metrics

__all__ = ["Materials", "HIDDEN"]

HIDDEN = 5  # pixels of an occlusion's side: a stroke's width and a little more


class Materials:
    """What the figures are drawn from; each is computed when first asked for, and once.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    index, digit, image, versus, diverging, data_dir, dataset, class_name
        As for `mnist_cnn.analysis.gallery.main`.

    Examples
    --------
    >>> from mnist_cnn.analysis.materials import Materials
    >>> from mnist_cnn.model import build_cnn, save_weights
    >>> import lasagne
    >>> save_weights("weights.npz", lasagne.layers.get_all_param_values(build_cnn()))
    >>> materials = Materials("weights.npz", index=0)
    Showing test image 0, a 7 (--index 0)
    >>> materials.image.shape
    (1, 28, 28)
    """

    def __init__(
        self,
        model,
        index=None,
        digit=None,
        image=None,
        versus=None,
        diverging=False,
        data_dir=None,
        dataset=None,
        class_name=None,
    ):
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
                _ = self._shown  # a number out of range is said before anything is drawn

    @cached_property
    def _shown(self):
        """The image that is shown, and its name; a random one, once a figure asks for it."""
        index = _choose(self.labels, *self._wanted)
        form = "test image {}, {}" if are_digits(self.names) else "test image {} ({})"
        name = form.format(index, named(self.names, self.labels[index]))
        print("Showing {} (--index {})".format(name, index))
        return self.images[index], name

    @property
    def is_image_shown(self):
        """Whether a figure has asked for the image so far."""
        return "_shown" in vars(self)

    @property
    def image(self):
        return self._shown[0]

    @property
    def name(self):
        return self._shown[1]

    @property
    def noun(self):
        """What an image is called."""
        return noun(self.names)

    @cached_property
    def nothing(self):
        """What an image shows where nothing is, (channels, 1, 1): black, or the mean colour."""
        if self.images.shape[1] == 1:
            return np.zeros((1, 1, 1), self.images.dtype)
        colour = self.images.mean(axis=(0, 2, 3), dtype=float)
        return colour.astype(self.images.dtype)[:, None, None]

    @property
    def start_of_climb(self):
        """Where the pictures start that are climbed to."""
        noise = (0, 0.1) if self.images.shape[1] == 1 else (-0.25, 0.25)
        return dict(neutral=self.nothing, noise=noise)

    @cached_property
    def activations_fn(self):
        return layers.compile_activations(self.network)

    @cached_property
    def activations(self):
        """The image's, a layer's name to its maps or units."""
        return {name: values[0] for name, values in self.activations_fn(self.image[None]).items()}

    @property
    def probabilities(self):
        return self.activations["output"]

    @cached_property
    def test_activations(self):
        return self.activations_fn(self.images, ("conv 2", "dense", "output"))

    @property
    def test_probabilities(self):
        return self.test_activations["output"]

    @cached_property
    def confusion(self):
        return metrics.confusion_matrix(self.labels, self.test_probabilities.argmax(axis=1), len(self.names))

    @cached_property
    def score_fns(self):
        return attribution.compile_scores(self.network)

    @cached_property
    def occlusion(self):
        return attribution.occlusion(self.score_fns[0], self.image, HIDDEN, self.nothing)

    @cached_property
    def snapshots(self):
        epochs, snapshots = load_snapshots(self.model, self.weights[0].shape)
        if not (snapshots == self.weights[0]).all(axis=(1, 2, 3, 4)).any():
            raise MnistCnnError(
                "{} is of another training than {}; train with --snapshots again, or remove it".format(
                    snapshots_path(self.model), self.model
                )
            )
        return epochs, snapshots


def _readable(name):
    """A file's name as a title can hold it: what matplotlib's font has, and no formulas."""
    name = "".join(c if c.isprintable() and c != "$" and ord(c) < 0x500 else "?" for c in name)
    return name if len(name) <= 40 else name[:37] + "..."


def _class_number(names, number):
    """A class's number, which has to be one."""
    if not 0 <= number < len(names):
        raise MnistCnnError("there is no class {}; they are numbered 0 to {}".format(number, len(names) - 1))
    return number


def _choose(labels, index, digit):
    """The number of a test image: the one asked for, or a random one (of a class)."""
    if index is not None:
        if not 0 <= index < len(labels):
            raise MnistCnnError("there is no test image {}; they are numbered 0 to {}".format(index, len(labels) - 1))
        return index
    candidates = np.arange(len(labels)) if digit is None else np.flatnonzero(labels == digit)
    if not len(candidates):
        raise MnistCnnError("the test set has no image of class {}".format(digit))
    return int(np.random.choice(candidates))
