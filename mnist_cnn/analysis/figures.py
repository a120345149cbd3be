"""Every figure of a model, drawn from its `mnist_cnn.analysis.materials.Materials`."""

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
from .materials import HIDDEN, Materials
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
            "versus is {}, which is the network's answer for {}; choose another "
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
        "{:,} test {}s by the first two principal components\n"
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
        "The same features of {:,} test {}s, placed by t-SNE so that neighbours stay neighbours\n(circle: {})".format(
            len(units), materials.noun, materials.name
        ),
        ("", ""),
        placed[-1],
        materials.names,
    )


def _evolution(materials):
    epochs, snapshots = materials.snapshots
    return plots.plot_evolution(as_laid_on(snapshots), epochs)


def draw_film(materials: Materials) -> bytes:
    """The evolution of the kernels as an animated GIF: half a second an epoch, two for the last."""
    epochs, snapshots = materials.snapshots
    # MAXCOVERAGE spreads the palette evenly; the others would drop the few dark colours
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


#: From each figure's name to the function that draws it from the materials.
FIGURES = {
    "architecture": _architecture,
    "kernels": _kernels,
    "signed_kernels": _signed_kernels,
    "digit": _digit,
    "feature_maps": _feature_maps,
    "history": _history,
    "activations": _activations,
    "second_layer": _second_layer,
    "classes": _classes,
    "attribution": _attribution,
    "occlusion": _occlusion,
    "confusion": _confusion,
    "accuracy": _accuracy,
    "mistakes": _mistakes,
    "reliability": _reliability,
    "embedding": _embedding,
    "tsne": _tsne,
    "evolution": _evolution,
}

#: Those of the tutorial.
TUTORIAL = ("kernels", "signed_kernels", "digit", "feature_maps", "history")
