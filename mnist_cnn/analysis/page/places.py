"""What the page of figures adds to their pictures: digits and mistakes that can be pointed at."""

import io

import numpy as np
from matplotlib import colormaps
from PIL import Image

from . import data_url
from .. import attribution, metrics
from ..figures import MISTAKES

__all__ = ["PLACES", "PAGE_DIGITS", "COLUMNS", "digit_sheet", "for_page"]

PAGE_DIGITS = 2500  # that the page shows on an embedding; it holds a picture of each
COLUMNS = 50


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


def digit_sheet(images):
    """Digits side by side in rows, as a PNG file's bytes.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from PIL import Image
    >>> from mnist_cnn.analysis.page.places import digit_sheet
    >>> sheet = digit_sheet(np.zeros((60, 1, 28, 28)))
    >>> Image.open(io.BytesIO(sheet)).size  # 50 digits a row
    (1400, 56)
    """
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, 28, 28), np.uint8)
    sheet[:len(images)] = 256 * images[:, 0]
    return _png(sheet.reshape(rows, COLUMNS, 28, 28).swapaxes(1, 2).reshape(rows * 28, -1))


def for_page(kind, content):
    """A picture for the page: WebP takes a third of a PNG's bytes.

    Examples
    --------
    >>> from mnist_cnn.analysis.page.places import for_page
    >>> for_page("image/gif", b"GIF89a")  # only a PNG becomes another
    ('image/gif', b'GIF89a')
    """
    if kind != "image/png":
        return kind, content
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(file, "WEBP", quality=82, method=4)
    return "image/webp", file.getvalue()
