"""From a trained model to a folder of pictures and a page that explains them."""

import collections
import importlib.util
import io
import os
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps
from PIL import Image

from . import architecture, attribution, features, metrics, plots
from .. import visualize
from ..data import load_dataset
from ..support.errors import MnistCnnError
from ..support.files import atomic_open, make_folder
from .page import build_page, data_url
from ..model import build_cnn, load_weights
from ..support.pictures import load_picture
from ..support.records import (history_path, load_history, load_snapshots, snapshots_path)

__all__ = ["FIGURES", "TUTORIAL", "main"]

DPI = 120
HIDDEN = 5  # pixels of an occlusion's side: a stroke's width and a little more
MISTAKES = 24
PAGE_DIGITS = 2500  # that the page shows on an embedding; it holds a picture of each
COLUMNS = 50
TSNE_DIGITS = 2500  # for which t-SNE takes some ten seconds


class Materials:
    """What the figures are drawn from; each is computed when first asked for, and once.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    index, digit, image, versus, diverging, data_dir
        As for `main`.
    """

    def __init__(self, model, index=None, digit=None, image=None, versus=None, diverging=False,
                 data_dir=None):
        self.model, self.diverging, self.versus = model, diverging, versus
        self.network = build_cnn()
        self.layers = features.name_layers(self.network)
        self.weights = load_weights(model, self.network)
        *_, self.images, self.labels = load_dataset(data_dir)
        self.labels = self.labels.astype(int)
        self.names = [str(number) for number in range(self.weights[-1].size)]
        if image is not None:
            self._shown = load_picture(image), _readable(Path(image).name)
        else:
            self._wanted = index, digit
            if index is not None or digit is not None:
                self._shown  # a number out of range is said before anything is drawn

    @cached_property
    def _shown(self):
        """The image that is shown, and its name; a random one, once a figure asks for it."""
        index = _choose(self.labels, *self._wanted)
        name = "test image {}, a {}".format(index, self.labels[index])
        print("Showing {} (--index {})".format(name, index))
        return self.images[index], name

    @property
    def image(self):
        return self._shown[0]

    @property
    def name(self):
        return self._shown[1]

    @cached_property
    def activations_fn(self):
        return features.compile_activations(self.network)

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
        return metrics.confusion_matrix(self.labels, self.test_probabilities.argmax(axis=1))

    @cached_property
    def score_fns(self):
        return attribution.compile_scores(self.network)

    @cached_property
    def occlusion(self):
        return attribution.occlusion(self.score_fns[0], self.image, HIDDEN)

    @cached_property
    def snapshots(self):
        epochs, snapshots = load_snapshots(self.model, self.weights[0].shape)
        if not (snapshots == self.weights[0]).all(axis=(1, 2, 3, 4)).any():
            raise MnistCnnError("{} is of another training than {}; train with --snapshots again, "
                                "or remove it".format(snapshots_path(self.model), self.model))
        return epochs, snapshots


def _architecture(materials):
    print(architecture.summary_table(materials.network))
    return plots.plot_architecture(architecture.layer_rows(materials.network))


def _kernels(materials):
    return visualize.plot_kernels(materials.weights[0], materials.diverging)


def _signed_kernels(materials):
    return visualize.plot_kernels(materials.weights[0], diverging=True)


def _digit(materials):
    return visualize.plot_digit(materials.image[0], _capitalized(materials.name))


def _feature_maps(materials):
    maps = features.feature_maps(materials.weights[0], materials.image[None])[0]
    return visualize.plot_feature_maps(maps, materials.name, materials.diverging)


def _history(materials):
    return visualize.plot_history(load_history(materials.model))


def _activations(materials):
    activations = dict(materials.activations)
    return plots.plot_activations(activations.pop("input")[0], activations, materials.name)


def _second_layer(materials):
    layer = materials.layers["conv 2"]
    patches, values, _ = features.top_patches(layer, materials.test_activations["conv 2"],
                                              materials.images)
    unit_fn, shape = features.compile_units(layer)
    maxima, maximum_values = features.maximize_activation(
        unit_fn, np.arange(layer.num_filters), shape)
    return plots.plot_second_layer(patches, values, maxima[:, 0], maximum_values,
                                   layer.W.get_value())


def _classes(materials):
    unit_fn, shape = features.compile_units(materials.layers["output"])
    classes = np.arange(len(materials.names))
    maxima, _ = features.maximize_activation(unit_fn, classes, shape)
    probabilities = materials.activations_fn(maxima, ("output",))["output"]
    return plots.plot_classes(maxima[:, 0], probabilities[classes, classes], materials.names)


def _attribution(materials):
    probabilities = materials.probabilities
    predicted, runner_up = np.argsort(-probabilities, kind="stable")[:2]
    if materials.versus == predicted:
        raise MnistCnnError("versus is {}, which is the network's answer for {}; name another "
                            "class, or none for the second likeliest".format(
                                predicted, materials.name))
    other = runner_up if materials.versus is None else materials.versus
    classes = [int(predicted), int(other)]
    gradient_fn = materials.score_fns[1]
    maps = {
        "saliency\n(gradient) [nats per brightness]":
            attribution.saliency(gradient_fn, materials.image, classes),
        "integrated gradients\n[nats]":
            attribution.integrated_gradients(gradient_fn, materials.image, classes),
        "occlusion\nby {0} x {0} pixels [nats]".format(HIDDEN): materials.occlusion[classes],
    }
    return plots.plot_attributions(materials.image[0], maps, classes, probabilities,
                                   materials.name)


def _occlusion(materials):
    drops, probabilities = materials.occlusion, materials.probabilities
    scores = materials.score_fns[0](materials.image[None])[0][:, None, None] - drops
    odds = np.exp(scores - scores.max(axis=0))
    probability = (odds / odds.sum(axis=0))[probabilities.argmax()]
    return plots.plot_occlusion(materials.image[0], drops, probability, probabilities,
                                materials.name, HIDDEN)


def _confusion(materials):
    return plots.plot_confusion(materials.confusion)


def _accuracy(materials):
    num_correct, counts = materials.confusion.diagonal(), materials.confusion.sum(axis=1)
    low, high = metrics.wilson_interval(num_correct, counts)
    return plots.plot_accuracy(num_correct, counts, low, high)


def _mistakes(materials):
    probabilities = materials.test_probabilities
    indices = metrics.confident_mistakes(probabilities, materials.labels, MISTAKES)
    return plots.plot_mistakes(materials.images[indices, 0], materials.labels[indices],
                               probabilities[indices], indices)


def _reliability(materials):
    probabilities = materials.test_probabilities
    judged = probabilities.max(axis=1), probabilities.argmax(axis=1) == materials.labels
    counts, num_correct, confidence = metrics.calibration_bins(*judged)
    low, high = metrics.wilson_interval(num_correct, np.maximum(counts, 1))
    return plots.plot_reliability(counts, num_correct, confidence, low, high,
                                  metrics.expected_calibration_error(*judged))


def _embedding(materials):
    units = materials.test_activations["dense"]
    projected, components, explained = features.pca(units)
    marked = components @ (materials.activations["dense"] - units.mean(axis=0))
    return plots.plot_embedding(
        projected, materials.labels, materials.images[:, 0],
        "What the network thinks alike: {:,} test digits by the first two principal components\n"
        "of the features before the last layer (circle: {})".format(len(units), materials.name),
        ("first component ({:.0f} % of the variance)".format(100 * explained[0]),
         "second component ({:.0f} %)".format(100 * explained[1])), marked, materials.names)


def _tsne(materials):
    units = materials.test_activations["dense"][:TSNE_DIGITS]
    placed = features.tsne(np.vstack([units, materials.activations["dense"]]))
    return plots.plot_embedding(
        placed[:-1], materials.labels[:len(units)], materials.images[:len(units), 0],
        "The same features of {:,} test digits, laid out by t-SNE so that neighbours stay "
        "neighbours\n(circle: {})".format(len(units), materials.name), ("", ""), placed[-1],
        materials.names)


def _evolution(materials):
    epochs, snapshots = materials.snapshots
    return plots.plot_evolution(snapshots, epochs)


def _evolution_gif(materials):
    """The same as an animated GIF: half a second an epoch, two for the last."""
    epochs, snapshots = materials.snapshots
    # spread evenly: the commonest colours would leave the few dark red and blue ones out
    frames = [Image.fromarray(frame).quantize(method=Image.Quantize.MAXCOVERAGE,
                                              dither=Image.Dither.NONE)
              for frame in plots.draw_evolution(snapshots, epochs)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], loop=0,
                   duration=[500] * (len(frames) - 1) + [2000])
    return file.getvalue()


def _digit_places(materials, figure):
    """Where the first digits of an embedding are in its picture, for the page to show them."""
    ax = figure.axes[0]
    points = ax.transData.transform(ax.collections[0].get_offsets()[:PAGE_DIGITS])
    points /= figure.bbox.size
    answers = materials.test_probabilities.argmax(axis=1)
    texts = ["{}: a {}".format(i, label) if answer == label else
             "{}: a {}, taken for {}".format(i, label, answer)
             for i, (label, answer) in enumerate(zip(materials.labels, answers[:len(points)]))]
    return {"points": [[round(x, 4), round(1 - y, 4)] for x, y in points.tolist()], "texts": texts}


def _mistake_places(materials, figure):
    """Where the mistakes are in their picture, and for each its attribution."""
    probabilities = materials.test_probabilities
    indices = metrics.confident_mistakes(probabilities, materials.labels, MISTAKES)
    places = []
    for ax, index in zip(figure.axes, indices):
        answer, label = int(probabilities[index].argmax()), int(materials.labels[index])
        parts = attribution.integrated_gradients(materials.score_fns[1], materials.images[index],
                                                 [answer, label], steps=32)
        box = ax.get_position()
        places.append({
            "box": [round(part, 4) for part in (box.x0, 1 - box.y1, box.width, box.height)],
            "text": "Test image {}, a {}: red pixels speak for the answer {}, blue ones for {}."
                    .format(index, label, answer, label),
            "sources": [data_url("image/png", _png(picture)) for picture in (
                np.uint8(256 * materials.images[index, 0]), _coloured(parts[0] - parts[1]))]})
    return places


def _coloured(values):
    """A map's pixels in red and blue around white, (rows, columns, 3)."""
    limit = np.abs(values).max() or 1
    return colormaps["RdBu_r"](values / limit / 2 + .5, bytes=True)[..., :3]


def _png(pixels):
    """Pixels, uint8 (rows, columns) or (rows, columns, 3), as a PNG file's bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


#: The figures whose pictures can be pointed at on the page.
PLACES = {"embedding": _digit_places, "tsne": _digit_places, "mistakes": _mistake_places}


def _sheet(images):
    """Digits side by side in rows, as a PNG file's bytes."""
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, 28, 28), np.uint8)
    sheet[:len(images)] = 256 * images[:, 0]
    return _png(sheet.reshape(rows, COLUMNS, 28, 28).swapaxes(1, 2).reshape(rows * 28, -1))


Figure = collections.namedtuple("Figure", "draw heading text")

#: Every figure: how it is drawn, and what the page says of it.
FIGURES = {
    "architecture": Figure(_architecture, "The network", """
        Two convolutions find patterns, each followed by a pooling that keeps the strongest answer
        of four neighbours; two dense layers weigh what was found. Look where the numbers are that
        it learns: most of them belong to the first dense layer."""),
    "kernels": Figure(_kernels, "The kernels of the first layer", """
        Each square is what one unit of the first layer multiplies its 5 x 5 pixels with. Look
        for edges and strokes, bright on one side and dark on the other, in many directions.
        Theano convolves as mathematics does: a kernel answers most to the stroke that it shows
        turned by 180 degrees."""),
    "signed_kernels": Figure(_signed_kernels, "The same kernels, red and blue", """
        Grey hides where a kernel's weights change sign. Here red is positive, blue negative and
        white zero: a kernel finds a stroke where it is red on one side and blue on the other."""),
    "digit": Figure(_digit, "The digit", """
        What the network sees: 28 x 28 pixels, the digit in a box of 20 x 20 and its centre of
        mass in the middle."""),
    "feature_maps": Figure(_feature_maps, "Its feature maps", """
        The digit convolved with each kernel, numbered alike. Look for maps that keep only the
        strokes of one direction, or one edge of them."""),
    "history": Figure(_history, "How training went", """
        Training goes through dropout, with half of the features missing, so its curve is the
        worse one. Look whether validation still improves, and whether its loss rises again:
        from there on the network learns by heart."""),
    "activations": Figure(_activations, "A digit's way through the network", """
        From pixels on the left to the answer on the right. The maps lose detail (24, 12, 8, 4
        pixels a side) and gain meaning: edges in the first layer, pieces of strokes in the
        second. In the dense layer no position is left; look how few of its units are awake."""),
    "second_layer": Figure(_second_layer, "What the second layer looks for", """
        A unit of the second layer sees 14 x 14 pixels. Left, the pieces of real digits that
        excite it most, with the values of the first and the ninth; middle, the input that does so
        even more, climbed to from noise; right, its nine heaviest kernels, with the numbers of the
        first layer's maps that they read. Look for corners, arcs, crossings and ends
        of strokes, and compare left and middle: where they agree, you know what the filter is
        for."""),
    "classes": Figure(_classes, "What each answer looks for", """
        Climbed to from noise, as the second layer's maxima: for each class an input that raises its
        score as far as it can. Above each, how probable the network finds the class there: it is
        sure of most, and no one would have drawn most of them so. Look for the parts of a digit
        that count, and for what does not matter to it."""),
    "attribution": Figure(_attribution, "Why this answer, and not another", """
        Three answers to "which pixels count?". Saliency: how the class's score would change if
        a pixel became brighter, empty ones too. Integrated gradients: the score shared out
        among the inked pixels. Occlusion: how much is lost when a square is erased. Look where
        they agree, and at the bottom row for the pixels that decide between the two classes."""),
    "occlusion": Figure(_occlusion, "What hiding a part does", """
        A square slides over the digit and hides what is below. Red: the class loses score, so
        the hidden part speaks for it; blue: the class gains. Bottom left, how probable the
        answer stays; look for a dark place, where hiding one stroke turns the digit into
        another."""),
    "confusion": Figure(_confusion, "What is taken for what", """
        Rows are what the digits are, columns what the network says; mistakes are coloured,
        right answers are grey. Look for pairs, such as 4 and 9, and whether a pair is confused
        both ways."""),
    "accuracy": Figure(_accuracy, "Which digits are hard", """
        The bars are 95 % confidence intervals (Wilson's). With a thousand digits a class they
        are wide: two digits whose intervals overlap a good deal cannot be ranked."""),
    "mistakes": Figure(_mistakes, "Sure, and wrong", """
        The wrong answers that the network gave the highest probability. Ask yourself of each:
        would you have known? Some are labelled so that hardly anybody would agree. The numbers
        go with --index."""),
    "reliability": Figure(_reliability, "Does it know what it does not know?", """
        Of the answers given with 80 % confidence, four of five should be right: points on the
        line. Below it the network is too sure of itself, above it too modest. Mind the bars,
        and the counts below, on a logarithmic axis: nearly all digits are in the last bin."""),
    "embedding": Figure(_embedding, "What the network thinks alike", """
        The 256 features before the last layer, of every test digit, seen from the direction in
        which they differ most. Look which digits are neighbours, what lies between two groups,
        and which strays sit amid another class. The circle marks the digit above. Two directions
        are not all: groups that overlap here may lie apart in the others."""),
    "tsne": Figure(_tsne, "The same, with neighbours kept together", """
        t-SNE gives up straight directions, and lays digits so that those the network finds alike
        lie together. Look at the islands, and at the digits between them. How far two islands are
        from each other, and how large they are, means nothing."""),
    "evolution": Figure(_evolution, "How the kernels came to be", """
        Before training the kernels are noise. Look how early the strokes appear, and how they
        then only grow sharper; a kernel that stays noise has found nothing to do."""),
}

TUTORIAL = ("kernels", "signed_kernels", "digit", "feature_maps", "history")


def _readable(name):
    """A file's name as a title can hold it: what matplotlib's font has, and no formulas."""
    name = "".join(c if c.isprintable() and c != "$" and ord(c) < 0x500 else "?" for c in name)
    return name if len(name) <= 40 else name[:37] + "..."


def _capitalized(name):
    return name[:1].upper() + name[1:] if name.startswith("test image") else name


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


def _choose_figures(names, model):
    """The names to draw, in the page's order: those asked for, all that can be, or the tutorial's.

    Only what is asked for by name has to be there; a model may lie without its history.
    """
    needs = {"history": history_path(model), "evolution": snapshots_path(model)}
    there = [name for name in FIGURES if name not in needs or needs[name].exists()]
    if importlib.util.find_spec("sklearn") is None:
        there.remove("tsne")
    if names == "all":
        if "tsne" not in there:
            print("Left out tsne: it wants scikit-learn; run: pip install -e .[tsne]")
        if "evolution" not in there:
            print("Left out evolution: there is no {}; train with --snapshots to see it"
                  .format(needs["evolution"]))
        return there
    if names is None:
        return [name for name in there if name in TUTORIAL]
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise MnistCnnError("there is no figure {}; there are: {}".format(
            ", ".join(unknown), ", ".join(FIGURES)))
    return [name for name in FIGURES if name in names]


def main(model, index=None, digit=None, image=None, figures=None, versus=None, diverging=False,
         output="pictures", data_dir=None, show=False):
    """Draw figures of a trained model and save them, with a page that explains them.

    Parameters
    ----------
    model : path-like
        The npz file of the weights. What training saved beside it is drawn as well.
    index : int, optional
        The test image to show, from 0; by default a random one.
    digit : int, optional
        Take a random test image of this class.
    image : path-like, optional
        Show this picture file instead, preprocessed as MNIST was made.
    figures : list of str or 'all', optional
        Names out of `FIGURES`; by default those of `TUTORIAL`.
    versus : int, optional
        The class, beside the predicted one, that the attribution explains; by default the second
        likeliest.
    diverging : bool
        Whether to draw kernels and feature maps in colours centred on zero.
    output : path-like
        The folder for the pictures, PNG and GIF, and ``index.html``; made if missing.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`.
    show : bool
        Whether to open the pictures in windows too.

    Raises
    ------
    MnistCnnError
        When the model, the data or the picture cannot be used, a name or number is out of range,
        the pictures cannot be written, or there is no screen to show them on.
    """
    names = _choose_figures(figures, model)
    materials = Materials(model, index, digit, image, versus, diverging, data_dir)
    output = make_folder(output)

    entries, places = [], {}
    for name in names:
        file = io.BytesIO()
        figure = FIGURES[name].draw(materials)
        figure.savefig(file, format="png", dpi=DPI)
        if name in PLACES:
            places[name] = PLACES[name](materials, figure)
        if not show:
            plt.close(figure)
        pictures = [("image/png", file.getvalue())]
        if name == "evolution":
            pictures.append(("image/gif", _evolution_gif(materials)))
        entries.append((name, pictures))
        for kind, content in pictures:
            _write(output / "{}.{}".format(name, kind.split("/")[1]), content)

    lines = ["Drawn from {} by scripts/visualize.py.".format(Path(model).name)]
    if "_shown" in vars(materials):
        lines.append("The digit shown is {}.".format(materials.name))
    explorer = os.path.relpath("explore.html", str(output))
    _write(output / "index.html", build_page(
        "What is being learned?", lines,
        [(name, FIGURES[name], [_for_page(*picture) for picture in pictures])
         for name, pictures in entries], places,
        _sheet(materials.images[:PAGE_DIGITS]) if {"embedding", "tsne"} & set(places) else None,
        COLUMNS, explorer if os.path.exists("explore.html") else None).encode())

    if show:
        if plt.get_backend().lower() == "agg":
            raise MnistCnnError("--show needs a screen and a window toolkit (on Debian or Ubuntu: "
                                "sudo apt-get install python3-tk); the pictures are in {}"
                                .format(output))
        plt.show()


def _for_page(kind, content):
    """A picture for the page: WebP takes a third of a PNG's bytes."""
    if kind != "image/png":
        return kind, content
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(file, "WEBP", quality=82, method=4)
    return "image/webp", file.getvalue()


def _write(path, content):
    with atomic_open(path) as file:
        file.write(content)
    print("Wrote {}".format(path))
