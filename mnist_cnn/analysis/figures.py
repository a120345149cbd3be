"""Every figure of a model: how it is drawn from the materials, and what the page says of it."""

import collections
import io

import numpy as np
from PIL import Image

from .. import visualize
from ..drawing.colour import as_picture
from ..storage.records import load_history
from ..system.errors import MnistCnnError
from . import architecture, attribution, metrics, plots
from .embedding import pca, tsne
from .layers import as_laid_on
from .materials import HIDDEN
from .patches import top_patches
from .units import compile_units, maximize_activation

__all__ = ["FIGURES", "TUTORIAL", "draw_film"]

MISTAKES = 24
TSNE_DIGITS = 2500  # for which t-SNE takes some ten seconds


def _architecture(materials):
    print(architecture.summary_table(materials.network))
    return plots.plot_architecture(architecture.layer_rows(materials.network))


def _kernels(materials):
    return visualize.plot_kernels(materials.weights[0], materials.diverging)


def _signed_kernels(materials):
    return visualize.plot_kernels(as_laid_on(materials.weights[0]), diverging=True)


def _digit(materials):
    return visualize.plot_digit(as_picture(materials.image), _capitalized(materials.name))


def _feature_maps(materials):
    maps = visualize.feature_maps(materials.weights[0], materials.image[None])[0]
    return visualize.plot_feature_maps(maps, materials.name, materials.diverging)


def _history(materials):
    return plots.plot_history(load_history(materials.model))


def _activations(materials):
    activations = dict(materials.activations)
    return plots.plot_activations(as_picture(activations.pop("input")), activations, materials.name, materials.names)


def _second_layer(materials):
    layer = materials.layers["conv 2"]
    patches, values, _ = top_patches(layer, materials.test_activations["conv 2"], materials.images)
    unit_fn, shape = compile_units(layer)
    maxima, maximum_values = maximize_activation(
        unit_fn, np.arange(layer.num_filters), shape, **materials.start_of_climb
    )
    return plots.plot_second_layer(
        np.stack([as_picture(nine) for nine in patches]),
        values,
        as_picture(maxima),
        maximum_values,
        as_laid_on(layer.W.get_value()),
        materials.noun,
    )


def _classes(materials):
    unit_fn, shape = compile_units(materials.layers["output"])
    classes = np.arange(len(materials.names))
    maxima, _ = maximize_activation(unit_fn, classes, shape, **materials.start_of_climb)
    probabilities = materials.activations_fn(maxima, ("output",))["output"]
    return plots.plot_classes(as_picture(maxima), probabilities[classes, classes], materials.names)


def _attribution(materials):
    probabilities = materials.probabilities
    predicted, runner_up = np.argsort(-probabilities, kind="stable")[:2]
    if materials.versus == predicted:
        raise MnistCnnError(
            "versus is {}, which is the network's answer for {}; name another "
            "class, or none for the second likeliest".format(materials.names[predicted], materials.name)
        )
    other = runner_up if materials.versus is None else materials.versus
    one, other = classes = [int(predicted), int(other)]
    gradient_fn = materials.score_fns[1]
    is_colour = len(materials.image) > 1
    shared = attribution.integrated_gradients(gradient_fn, materials.image, classes, materials.nothing)
    drops = materials.occlusion[classes]
    maps = {
        (
            "saliency\n(largest gradient) [nats/brightness]"
            if is_colour
            else "saliency\n(gradient) [nats per brightness]"
        ): attribution.saliency(gradient_fn, materials.image, [one, other, (one, other)]),
        "integrated gradients\n[nats]": np.stack([*shared, shared[0] - shared[1]]),
        "occlusion\nby {0} x {0} pixels [nats]".format(HIDDEN): np.stack([*drops, drops[0] - drops[1]]),
    }
    return plots.plot_attributions(
        as_picture(materials.image), maps, classes, probabilities, materials.name, materials.names
    )


def _occlusion(materials):
    drops, probabilities = materials.occlusion, materials.probabilities
    scores = materials.score_fns[0](materials.image[None])[0][:, None, None] - drops
    odds = np.exp(scores - scores.max(axis=0))
    probability = (odds / odds.sum(axis=0))[probabilities.argmax()]
    return plots.plot_occlusion(
        as_picture(materials.image), drops, probability, probabilities, materials.name, HIDDEN, materials.names
    )


def _confusion(materials):
    return plots.plot_confusion(materials.confusion, materials.names)


def _accuracy(materials):
    num_correct, counts = materials.confusion.diagonal(), materials.confusion.sum(axis=1)
    low, high = metrics.wilson_interval(num_correct, np.maximum(counts, 1))
    return plots.plot_accuracy(num_correct, counts, low, high, materials.names)


def _mistakes(materials):
    probabilities = materials.test_probabilities
    indices = metrics.confident_mistakes(probabilities, materials.labels, MISTAKES)
    return plots.plot_mistakes(
        as_picture(materials.images[indices]),
        materials.labels[indices],
        probabilities[indices],
        indices,
        materials.names,
    )


def _reliability(materials):
    probabilities = materials.test_probabilities
    judged = probabilities.max(axis=1), probabilities.argmax(axis=1) == materials.labels
    counts, num_correct, confidence = metrics.calibration_bins(*judged)
    low, high = metrics.wilson_interval(num_correct, np.maximum(counts, 1))
    return plots.plot_reliability(
        counts, num_correct, confidence, low, high, metrics.expected_calibration_error(*judged), materials.noun
    )


def _embedding(materials):
    units = materials.test_activations["dense"]
    projected, components, explained = pca(units)
    marked = components @ (materials.activations["dense"] - units.mean(axis=0))
    return plots.plot_embedding(
        projected,
        materials.labels,
        as_picture(materials.images),
        "What the network thinks alike: {:,} test {}s by the first two principal components\n"
        "of the features before the last layer (circle: {})".format(len(units), materials.noun, materials.name),
        (
            "first component ({:.0f} % of the variance)".format(100 * explained[0]),
            "second component ({:.0f} %)".format(100 * explained[1]),
        ),
        marked,
        materials.names,
    )


def _tsne(materials):
    units = materials.test_activations["dense"][:TSNE_DIGITS]
    placed = tsne(np.vstack([units, materials.activations["dense"]]))
    return plots.plot_embedding(
        placed[:-1],
        materials.labels[: len(units)],
        as_picture(materials.images[: len(units)]),
        "The same features of {:,} test {}s, laid out by t-SNE so that neighbours stay neighbours\n(circle: {})".format(
            len(units), materials.noun, materials.name
        ),
        ("", ""),
        placed[-1],
        materials.names,
    )


def _evolution(materials):
    epochs, snapshots = materials.snapshots
    return plots.plot_evolution(as_laid_on(snapshots), epochs)


def draw_film(materials):
    """The same as an animated GIF: half a second an epoch, two for the last."""
    epochs, snapshots = materials.snapshots
    # spread evenly: the commonest colours would leave the few dark ones out
    frames = [
        Image.fromarray(frame).quantize(method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        for frame in plots.draw_evolution(as_laid_on(snapshots), epochs)
    ]
    file = io.BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], loop=0, duration=[500] * (len(frames) - 1) + [2000]
    )
    return file.getvalue()


def _capitalized(name):
    return name[:1].upper() + name[1:] if name.startswith("test image") else name


Figure = collections.namedtuple("Figure", "draw heading text")

#: Every figure: how it is drawn, and what the page says of it.
FIGURES = {
    "architecture": Figure(
        _architecture,
        "The network",
        """
        Two convolutions find patterns, each followed by a pooling that keeps the strongest answer
        of four neighbours; two dense layers weigh what was found. Look where the numbers are that
        it learns: most of them belong to the first dense layer.""",
    ),
    "kernels": Figure(
        _kernels,
        "The kernels of the first layer",
        """
        Each square is what one unit of the first layer multiplies its 5 x 5 pixels with. Look
        for edges and strokes, bright on one side and dark on the other, in many directions.
        This is the tutorial's figure: the arrays as they are stored. Theano turns them by 180
        degrees before it lays them on the image; all other figures show them turned.""",
    ),
    "signed_kernels": Figure(
        _signed_kernels,
        "The same kernels, orange and blue",
        """
        Grey hides where a kernel's weights change sign. Here orange is positive, blue negative
        and nearly white zero: a kernel finds a stroke where it is orange on one side and blue on the
        other. They are turned as they are laid on the image: each looks like what it finds.""",
    ),
    "digit": Figure(
        _digit,
        "The digit",
        """
        What the network sees: 28 x 28 pixels, the digit in a box of 20 x 20 and its centre of
        mass in the middle.""",
    ),
    "feature_maps": Figure(
        _feature_maps,
        "Its feature maps",
        """
        The digit convolved with each kernel, numbered alike. Look for maps that keep only the
        strokes of one direction, or one edge of them.""",
    ),
    "history": Figure(
        _history,
        "How training went",
        """
        Training goes through dropout, with half of the features missing, so its curve is the
        worse one. Look whether validation still improves, and whether its loss rises again:
        from there on the network learns by heart.""",
    ),
    "activations": Figure(
        _activations,
        "A digit's way through the network",
        """
        From pixels on the left to the answer on the right. The maps lose detail (24, 12, 8, 4
        pixels a side) and gain meaning: edges in the first layer, pieces of strokes in the
        second. In the dense layer no position is left; look how few of its units are awake.""",
    ),
    "second_layer": Figure(
        _second_layer,
        "What the second layer looks for",
        """
        A unit of the second layer sees 14 x 14 pixels. Left, the pieces of real digits that
        excite it most, with the values of the first and the ninth; middle, the input that does so
        even more, climbed to from noise; right, its nine heaviest kernels, turned as they are laid on,
        with the numbers of the first layer's maps that they read. Look for corners, arcs, crossings and ends
        of strokes, and compare left and middle: where they agree, you know what the filter is
        for.""",
    ),
    "classes": Figure(
        _classes,
        "What each answer looks for",
        """
        Climbed to from noise, as the second layer's maxima: for each class an input that raises its
        score as far as it can. Above each, how probable the network finds the class there: it is
        sure of most, and no one would have drawn most of them so. Look for the parts of a digit
        that count, and for what does not matter to it.""",
    ),
    "attribution": Figure(
        _attribution,
        "Why this answer, and not another",
        """
        Three answers to "which pixels count?". Saliency: how the class's score would change if
        a pixel became brighter, empty ones too. Integrated gradients: the score shared out
        among the inked pixels. Occlusion: how much is lost when a square is erased. Look where
        they agree, and at the bottom row for the pixels that decide between the two classes.""",
    ),
    "occlusion": Figure(
        _occlusion,
        "What hiding a part does",
        """
        A square slides over the digit and hides what is below. Orange: the class loses score,
        so the hidden part speaks for it; blue: the class gains. Bottom left, how probable the
        answer stays; look for a dark place, where hiding one stroke turns the digit into
        another.""",
    ),
    "confusion": Figure(
        _confusion,
        "What is taken for what",
        """
        Rows are what the digits are, columns what the network says; mistakes are coloured,
        right answers are grey. Look for pairs, such as 4 and 9, and whether a pair is confused
        both ways.""",
    ),
    "accuracy": Figure(
        _accuracy,
        "Which digits are hard",
        """
        The bars are 95 % confidence intervals (Wilson's). With a thousand digits a class they
        are wide: two digits whose intervals overlap a good deal cannot be ranked.""",
    ),
    "mistakes": Figure(
        _mistakes,
        "Sure, and wrong",
        """
        The wrong answers that the network gave the highest probability. Ask yourself of each:
        would you have known? Some are labelled so that hardly anybody would agree. The numbers
        go with --index.""",
    ),
    "reliability": Figure(
        _reliability,
        "Does it know what it does not know?",
        """
        Of the answers given with 80 % confidence, four of five should be right: points on the
        line. Below it the network is too sure of itself, above it too modest. Mind the bars,
        and the counts below, on a logarithmic axis: nearly all digits are in the last bin.""",
    ),
    "embedding": Figure(
        _embedding,
        "What the network thinks alike",
        """
        The 256 features before the last layer, of every test digit, seen from the direction in
        which they differ most. Look which digits are neighbours, what lies between two groups,
        and which strays sit amid another class. The circle marks the digit above. Two directions
        are not all: groups that overlap here may lie apart in the others.""",
    ),
    "tsne": Figure(
        _tsne,
        "The same, with neighbours kept together",
        """
        t-SNE gives up straight directions, and lays digits so that those the network finds alike
        lie together. Look at the islands, and at the digits between them. How far two islands are
        from each other, and how large they are, means nothing.""",
    ),
    "evolution": Figure(
        _evolution,
        "How the kernels came to be",
        """
        Before training the kernels, turned as they are laid on the image, are noise. Look how
        early the strokes appear, and how they then only grow sharper; a kernel that stays noise
        has found nothing to do.""",
    ),
}

TUTORIAL = ("kernels", "signed_kernels", "digit", "feature_maps", "history")
