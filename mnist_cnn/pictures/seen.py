"""Pictures of the network's input: a file with boxes around its digits, and each digit as 28 x 28."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..drawing.palette import on_light
from ..storage.atomic import atomic_open, make_folder
from .reading import Reading

__all__ = ["draw_seen", "save_seen"]

TILE = 140  # pixels a side of an enlarged input
GAP = 12
LINE = 22  # for a line of text
BOXED, DOUBTED = on_light("negative-text", "doubt")


def draw_seen(reading: Reading, texts: Sequence[str], doubts: Sequence[bool]) -> Image.Image:
    """Draw a picture with boxes around its digits, and the network's inputs beside it.

    Parameters
    ----------
    reading : mnist_cnn.pictures.reading.Reading
    texts : list of str
        The text under each digit.
    doubts : list of bool
        Whether a digit is unsure, and has another colour.

    Returns
    -------
    PIL.Image.Image
        In RGB.
    """
    tiles = [_as_picture(image) for image in reading.images]
    grey = np.ones((2 * TILE, GAP)) if reading.grey is None else reading.grey
    rows = max(1, (grey.shape[0] + GAP) // (TILE + LINE + GAP))
    columns = -(-len(tiles) // rows)
    rows = min(rows, len(tiles))
    size = (
        2 * GAP + grey.shape[1] + columns * (TILE + GAP),
        2 * GAP + max(grey.shape[0], rows * (TILE + LINE + GAP) - GAP),
    )
    sheet = Image.new("RGB", size, "white")
    sheet.paste(Image.fromarray((255 * grey).astype(np.uint8)), (GAP, GAP))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for i, (tile, text, doubt) in enumerate(zip(tiles, texts, doubts)):
        colour = DOUBTED if doubt else BOXED
        x = 2 * GAP + grey.shape[1] + i // rows * (TILE + GAP)
        y = GAP + i % rows * (TILE + LINE + GAP)
        sheet.paste(tile, (x, y))
        pen.text((x, y + TILE + 4), text, fill=colour, font=font)
        if reading.boxes is not None:
            top, left, bottom, right = (GAP + int(side) for side in reading.boxes[i])
            pen.rectangle([left - 3, top - 3, right + 2, bottom + 2], outline=colour, width=2)
            pen.text((left - 2, max(0, top - 15)), str(i + 1), fill=colour, font=font)
    return sheet


def _as_picture(image):
    pixels = np.uint8(256 * image.transpose(1, 2, 0))
    return (
        Image.fromarray(pixels if len(image) == 3 else pixels[..., 0])
        .resize((TILE, TILE), Image.NEAREST)
        .convert("RGB")
    )


def save_seen(
    folder: Path | str, pictures: Sequence[tuple[str, Reading]], answers: Iterable[Mapping[str, Any]]
) -> None:
    """Save `draw_seen` of each picture file in a folder, as NAME.seen.png.

    Where files have the same name, such as a/1.png and b/1.png, the second is saved as 1-2.seen.png.

    Parameters
    ----------
    folder : path-like
        Created if it is missing.
    pictures : list of tuple
        Name and `Reading` of each file.
    answers : list of dict
        As `mnist_cnn.commands.predict.main` returns them, for all images of all pictures.

    Raises
    ------
    MnistCnnError
        When a file cannot be written.
    """
    folder = make_folder(folder)
    answers = iter(answers)
    targets = _apart(Path(name).stem for name, _ in pictures)
    for (_, reading), target in zip(pictures, targets):
        own = [next(answers) for _ in reading.images]
        sheet = draw_seen(
            reading,
            [
                "{}: {} at {:.1f} %{}".format(
                    answer["digit"],
                    answer["name"],
                    min(99.9, 100 * answer["probability"]),
                    ", unsure" if answer["unsure"] else "",
                )
                for answer in own
            ],
            [answer["unsure"] for answer in own],
        )
        with atomic_open(folder / (target + ".seen.png")) as file:
            sheet.save(file, "PNG")


def _apart(stems):
    """Make the stems unique, also on a disk that ignores letter case."""
    taken = set()
    for stem in stems:
        tries = itertools.chain([stem], ("{}-{}".format(stem, n) for n in itertools.count(2)))
        name = next(name for name in tries if name.casefold() not in taken)
        taken.add(name.casefold())
        yield name
