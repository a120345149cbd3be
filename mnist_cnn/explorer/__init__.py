"""The explorer page, on which one draws digits and watches the network at work; `main` writes it.

The page's sources are beside this module: ``template.html``, the style sheets and the scripts (ES
modules). `bundle` joins them, `content` computes the page's data, and `embed` packs it. The page is
one HTML file without other files.
"""

import html
import json
import re
from pathlib import Path

import numpy as np

from ..datasets import dataset_files
from ..datasets.labels import noun
from ..drawing.palette import css_colours
from ..storage.atomic import atomic_open, check_writable, keep_apart
from ..storage.records import files_beside
from .bundle import bundle_scripts, bundle_styles
from .content import Content, collect
from .embed import pack, pack_images, pack_pixels
from .words import page_words

__all__ = ["build_page", "main"]

SOURCE = Path(__file__).parent
STYLES = (
    "root.css",
    "page.css",
    "stages.css",
    "draw.css",
    "bench.css",
    "inspector.css",
    "tabs.css",
    "narrow.css",
    "sizes.css",
    "tablet.css",
    "print.css",
)


def build_page(content: Content) -> str:
    """Build the page.

    Parameters
    ----------
    content : mnist_cnn.explorer.content.Content

    Returns
    -------
    str
        HTML.
    """
    channels, side, _ = shape = content.images.shape[1:]
    known, known_labels = content.known
    # the training images behind the test images
    images = np.concatenate([content.images, known])
    if channels == 1:
        packed = dict(zip(("places", "levels"), pack_images(images)))
    else:
        packed = {"pixels": pack_pixels(images)}
    packed.update(
        labels=pack(np.concatenate([content.labels, known_labels]).astype(np.uint16)),
        favourites=pack(content.favourites.astype(np.uint16)),
        centres=pack(content.trust.centres),
        plane=pack(_flat(content.plane)),
    )
    for i, (_, weights) in enumerate(content.models):
        packed["weights{}".format(i)] = pack(_flat(weights))
    for i, frame in enumerate(content.film):
        packed["film{}".format(i)] = pack(frame.codes)
    facts = {
        "names": list(content.names),
        "noun": noun(content.names),
        "shape": [channels, side],
        "handwriting": content.handwriting,
        "nothing": content.nothing.tolist(),
        "models": [name for name, _ in content.models],
        "gallery": content.gallery,
        "count": len(content.images),
        "known": len(known),
        "trust": {
            "maxDistance": content.trust.max_distance,
            "maxInk": content.trust.max_ink,
            "centres": content.trust.centres.shape[1],
        },
        "film": [
            {"epoch": int(frame.epoch), "scales": frame.scales.tolist(), "accuracy": frame.accuracy}
            for frame in content.film
        ],
        "sizes": [array.size for array in content.models[0][1]],
    }
    parts = {
        **page_words(shape, content.names, content.handwriting),
        "style": css_colours() + bundle_styles(SOURCE / "styles", STYLES),
        "script": bundle_scripts(SOURCE / "scripts", "main.js"),
        "summary": html.escape(content.summary),
        "facts": json.dumps(facts).replace("<", "\\u003c"),
        "packed": "\n".join(
            '<script type="text/plain" id="packed-{}">{}</script>'.format(*item) for item in packed.items()
        ),
    }
    template = (SOURCE / "template.html").read_text(encoding="utf-8")
    return re.sub(r"{{(\w+)}}", lambda match: parts[match.group(1)], template)


def _flat(arrays):
    return np.concatenate([array.ravel() for array in arrays]).astype(np.float32)


def main(
    model: Path | str,
    output: Path | str = "explore.html",
    compare: Path | str | None = None,
    data_dir: Path | str | None = None,
    dataset: str | None = None,
) -> None:
    """Write the page for a trained model.

    Parameters
    ----------
    model : path-like
        The npz file of the weights. Snapshots of the training beside it (``train.py --snapshots``)
        become a film.
    output : path-like
        The HTML file to write.
    compare : path-like, optional
        The npz file of a second model, shown side by side with the first.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset_of`: the data set that the model was trained on. The page
        shows its test images.

    Raises
    ------
    MnistCnnError
        When a model or the data cannot be used, or the page cannot be written or would overwrite one
        of them.
    """
    keep_apart(
        [*files_beside(model), *(files_beside(compare) if compare else ()), *dataset_files(data_dir, dataset)], [output]
    )
    check_writable(output)
    page = build_page(collect(model, compare, data_dir, dataset)).encode("utf-8")
    with atomic_open(output) as file:
        file.write(page)
    print("Wrote {} ({:.2f} MB); open it in a browser".format(output, len(page) / 1e6))
