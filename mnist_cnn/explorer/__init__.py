"""One page to draw a digit on and watch the network at work: `main` writes it.

The page's source lies beside this module as ordinary files: ``template.html``, the style sheets
and the scripts, which are ES modules. Put together with a model's weights (see `bundle`) they are
one HTML file that needs nothing else.
"""

import base64
import html
import json
import re
from pathlib import Path

import numpy as np

from ..data import load_dataset
from ..support.files import atomic_open, check_writable
from ..analysis.metrics import confident_mistakes
from ..model import build_cnn, load_weights
from ..predict import predict
from .bundle import bundle_scripts, bundle_styles

__all__ = ["choose_digits", "build_page", "main"]

SOURCE = Path(__file__).parent
STYLES = ("colours.css", "page.css", "stages.css", "pad.css", "inspector.css", "narrow.css")


def choose_digits(probabilities, labels, num_mistakes=12):
    """Choose test digits to show: one of each class, and the worst mistakes.

    Parameters
    ----------
    probabilities : array
        The network's, (n, 10).
    labels : array
        The true classes, (n,).
    num_mistakes : int
        How many mistakes at most.

    Returns
    -------
    examples : list of int
        The first image of each class that the network recognizes.
    mistakes : list of int
        The images it gets wrong with the greatest confidence, the worst first.
    """
    right = probabilities.argmax(axis=1) == labels
    examples = [int(np.flatnonzero(right & (labels == digit))[0])
                for digit in np.unique(labels[right])]
    return examples, confident_mistakes(probabilities, labels, num_mistakes).tolist()


def _base64(array, dtype):
    """An array's bytes, little-endian, as text."""
    return base64.b64encode(np.ascontiguousarray(array, dtype).tobytes()).decode("ascii")


def build_page(weights, summary, digits):
    """Put the page together.

    Parameters
    ----------
    weights : list of arrays
        As `mnist_cnn.model.load_weights` returns them.
    summary : str
        A line of plain text for the head of the page.
    digits : list of dict
        Test digits to pick from: ``image`` (28, 28) in [0, 255/256], ``index``, ``label``,
        ``answer`` and ``confidence`` of the network, ``mistake`` (bool).

    Returns
    -------
    str
        HTML.
    """
    digits = [dict(digit, image=_base64(np.rint(digit["image"] * 256), np.uint8))
              for digit in digits]
    parts = {
        "style": bundle_styles(SOURCE / "styles", STYLES),
        "script": bundle_scripts(SOURCE / "scripts", "main.js"),
        "summary": html.escape(summary),
        "weights": _base64(np.concatenate([array.ravel() for array in weights]), "<f4"),
        "digits": json.dumps(digits).replace("<", "\\u003c"),
    }
    template = (SOURCE / "template.html").read_text(encoding="utf-8")
    return re.sub(r"{{(\w+)}}", lambda match: parts[match.group(1)], template)


def main(model, output="explore.html", data_dir=None):
    """Write the page for a trained model.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    output : path-like
        The HTML file to write.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`; the page's digits are from its test set.

    Raises
    ------
    MnistCnnError
        When the model or the data cannot be used, or the page cannot be written.
    """
    network = build_cnn()
    weights = load_weights(model, network)
    check_writable(output)
    *_, X_test, y_test = load_dataset(data_dir)
    print("Looking for the network's worst mistakes among {} test digits...".format(len(y_test)))
    probabilities = predict(network, X_test)
    answers = probabilities.argmax(axis=1)
    examples, mistakes = choose_digits(probabilities, y_test)
    digits = [
        {"image": X_test[i, 0], "index": i, "label": int(y_test[i]), "answer": int(answers[i]),
         "confidence": round(float(probabilities[i].max()), 4), "mistake": i in mistakes}
        for i in examples + mistakes]
    summary = ("Your own network, {}: {:,} learned numbers, and {:.2f} % of {:,} test digits "
               "right.".format(Path(model).name, sum(array.size for array in weights),
                               100 * np.mean(answers == y_test), len(y_test)))
    page = build_page(weights, summary, digits).encode("utf-8")
    with atomic_open(output) as file:
        file.write(page)
    print("Wrote {} ({:.2f} MB); open it in a browser".format(output, len(page) / 1e6))
