"""The interactive places in the pictures of the page: test images and mistakes."""

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

PAGE_IMAGES = 2500  # images of an embedding that the page can show
COLUMNS = 50


def _image_places(materials, figure):
    """The positions of the first images of an embedding in its picture, and their texts."""
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
    """The boxes of the mistakes in their picture, and their attributions."""
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


#: The figures with interactive pictures, and the functions that find their places.
PLACES = {"embedding": _image_places, "tsne": _image_places, "mistakes": _mistake_places}


def _bytes(images):
    """Images of the network as a picture's bytes."""
    return np.uint8((256 * as_picture(images)).clip(0, 255))


def image_sheet(images: np.ndarray) -> tuple[str, bytes]:
    """Lay images side by side in rows.

    Parameters
    ----------
    images : array
        (n, channels, rows, columns), in [0, 1].

    Returns
    -------
    str, bytes
        MIME type and content of the picture.
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


def for_page(kind: str, content: bytes) -> tuple[str, bytes]:
    """Convert a PNG to WebP, which takes a third of the bytes; other pictures stay."""
    if kind != "image/png":
        return kind, content
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(file, "WEBP", quality=82, method=4)
    return "image/webp", file.getvalue()
