"""What the network saw of a picture file: the file with its digits in boxes, and each as 28 x 28."""

import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..drawing.palette import on_light
from ..storage.atomic import atomic_open
from ..system.errors import MnistCnnError

__all__ = ["draw_seen", "save_seen"]

TILE = 140  # pixels a side of what the network saw
GAP = 12
LINE = 22  # for a line of text
BOXED, DOUBTED = on_light("negative-text", "doubt")


def draw_seen(reading, texts, doubts):
    """Draw a picture with its digits in boxes, and beside it what the network saw of each.

    Parameters
    ----------
    reading : mnist_cnn.pictures.reading.Reading
    texts : list of str
        What stands under each digit.
    doubts : list of bool
        Which digits are unsure; they have another colour.

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
    sheet.paste(Image.fromarray(np.uint8(255 * grey)), (GAP, GAP))
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


def save_seen(folder, pictures, answers):
    """Save `draw_seen` of each picture file in a folder, as NAME.seen.png.

    Of several files with one name, such as a/1.png and b/1.png, the second goes to 1-2.seen.png, and
    so on.

    Parameters
    ----------
    folder : path-like
        Made where it is missing.
    pictures : list of tuple
        The files' names and their `Reading`.
    answers : list of dict
        As `mnist_cnn.commands.predict.main` returns them, for all images of all pictures.

    Raises
    ------
    MnistCnnError
        When a file cannot be written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MnistCnnError("cannot make the folder {}: {}".format(folder, error.strerror)) from error
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
        with atomic_open(Path(folder) / (target + ".seen.png")) as file:
            sheet.save(file, "PNG")


def _apart(stems):
    """A name for each stem that no other has, even where a disk takes A and a for one."""
    taken = set()
    for stem in stems:
        tries = itertools.chain([stem], ("{}-{}".format(stem, n) for n in itertools.count(2)))
        name = next(name for name in tries if name.casefold() not in taken)
        taken.add(name.casefold())
        yield name
