"""What the page of figures adds to their pictures: images and mistakes that can be pointed at."""

import io

import numpy as np
from PIL import Image

from ...datasets.labels import named
from ...drawing.colour import as_picture, colour_map
from ...drawing.palette import SIGNED
from .. import attribution, metrics
from ..figures import MISTAKES
from . import data_url

__all__ = ["PLACES", "PAGE_IMAGES", "COLUMNS", "image_sheet", "for_page"]

PAGE_IMAGES = 2500  # that the page shows on an embedding; it holds a picture of each
COLUMNS = 50


def _image_places(materials, figure):
    """Where the first images of an embedding are in its picture, for the page to show them."""
    ax = figure.axes[0]
    points = ax.transData.transform(ax.collections[0].get_offsets()[:PAGE_IMAGES])
    points /= figure.bbox.size
    answers = materials.test_probabilities.argmax(axis=1)
    names = materials.names
    texts = [
        "{}: {}".format(i, named(names, label))
        if answer == label
        else "{}: {}, taken for {}".format(i, named(names, label), names[answer])
        for i, (label, answer) in enumerate(zip(materials.labels, answers[: len(points)]))
    ]
    return {"points": [[round(x, 4), round(1 - y, 4)] for x, y in points.tolist()], "texts": texts}


def _mistake_places(materials, figure):
    """Where the mistakes are in their picture, and for each its attribution."""
    probabilities, names = materials.test_probabilities, materials.names
    indices = metrics.confident_mistakes(probabilities, materials.labels, MISTAKES)
    places = []
    for ax, index in zip(figure.axes, indices):
        answer, label = int(probabilities[index].argmax()), int(materials.labels[index])
        parts = attribution.integrated_gradients(
            materials.score_fns[1], materials.images[index], [answer, label], materials.nothing, steps=32
        )
        box = ax.get_position()
        places.append(
            {
                "box": [round(part, 4) for part in (box.x0, 1 - box.y1, box.width, box.height)],
                "text": "Test image {}, {}: orange pixels speak for the answer {}, blue ones for {}.".format(
                    index, named(names, label), names[answer], names[label]
                ),
                "sources": [
                    data_url("image/png", _png(picture))
                    for picture in (_bytes(materials.images[index]), _coloured(parts[0] - parts[1]))
                ],
            }
        )
    return places


def _coloured(values):
    """A map's pixels in orange and blue, (rows, columns, 3)."""
    limit = np.abs(values).max() or 1
    return colour_map("signed", *SIGNED)(values / limit / 2 + 0.5, bytes=True)[..., :3]


def _png(pixels):
    """Pixels, uint8 (rows, columns) or (rows, columns, 3), as a PNG file's bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


#: The figures whose pictures can be pointed at on the page.
PLACES = {"embedding": _image_places, "tsne": _image_places, "mistakes": _mistake_places}


def _bytes(images):
    """Images of the network as a picture's bytes."""
    return np.uint8((256 * as_picture(images)).clip(0, 255))


def image_sheet(images):
    """Lay images side by side in rows.

    Parameters
    ----------
    images : array
        (n, channels, rows, columns), in [0, 1].

    Returns
    -------
    str, bytes
        The type and content of a picture file.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.page.places import image_sheet
    >>> kind, content = image_sheet(np.zeros((60, 1, 28, 28)))
    >>> kind, content[:4]
    ('image/png', b'\\x89PNG')
    """
    pixels = _bytes(images)
    num_images, height, width = pixels.shape[:3]
    rows = -(-num_images // COLUMNS)
    sheet = np.zeros((rows * COLUMNS,) + pixels.shape[1:], np.uint8)
    sheet[:num_images] = pixels
    sheet = sheet.reshape((rows, COLUMNS) + pixels.shape[1:]).swapaxes(1, 2)
    content = _png(sheet.reshape((rows * height, COLUMNS * width) + pixels.shape[3:]))
    # photographs take ten times as many bytes as digits
    return for_page("image/png", content) if images.shape[1] > 1 else ("image/png", content)


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
