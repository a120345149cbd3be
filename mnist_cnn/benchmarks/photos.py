"""Synthetic photographs of handwritten digits, and how well `mnist_cnn.pictures.reading` reads them.

``python -m mnist_cnn.benchmarks.photos model.npz`` prints the table of docs/explorer.md. Half of
the photographs guided the reader's development; the other half, ``--kept``, are held out.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter, namedtuple
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from ..analysis.trust import compile_features, learn_trust, why_unsure
from ..data import load_dataset
from ..model import load_model
from ..pictures.reading import read_digits
from ..system.errors import MnistCnnError
from ..system.process import main_guard

__all__ = ["KINDS", "Photo", "draw_photo", "clear_digits", "judge", "measure"]

ROWS, COLUMNS = 720, 960
INKS = {
    "black": (0.12, 0.12, 0.14),
    "blue": (0.12, 0.2, 0.6),
    "red": (0.75, 0.15, 0.15),
    "green": (0.1, 0.5, 0.2),
    "pencil": (0.45, 0.45, 0.47),
    "chalk": (0.9, 0.9, 0.88),
}

#: ``pixels``, uint8 (rows, columns, 3); ``digits``, list of int in reading order; ``quality`` of the
#: JPEG file.
Photo = namedtuple("Photo", "pixels digits quality")


class _Scene:
    """A scene before the camera: its reflectance by colour, in [0, 1], and the light on it."""

    def __init__(self, rng, images, labels, rows=ROWS, columns=COLUMNS):
        self.rng, self.images, self.labels = rng, images, labels
        self.shape = rows, columns
        self.unit = rows / ROWS
        self.y, self.x = np.mgrid[:rows, :columns].astype(np.float32) / np.float32(self.unit)
        white = rng.uniform(0.78, 0.95) * np.array([1, rng.uniform(0.97, 1), rng.uniform(0.9, 1)])
        self.paper = np.ones((rows, columns, 1), np.float32) * np.float32(white)
        self.light = np.ones((rows, columns), np.float32)
        self.digits = []

    def half_plane(self, angle, offset, softness=1.5):
        """A mask: 1 beyond a straight line, `offset` pixels from the middle, with an edge of `softness` pixels."""
        distance = (self.x - COLUMNS / 2) * np.cos(angle) + (self.y - ROWS / 2) * np.sin(angle) - offset
        return (distance / softness + 0.5).clip(0, 1)

    def cover(self, mask, colour):
        """Paint a colour where the mask is 1."""
        self.paper += mask[..., None] * (np.float32(colour) - self.paper)

    def line(self, angle, offset, width, colour, strength):
        band = self.half_plane(angle, offset - width / 2) - self.half_plane(angle, offset + width / 2)
        self.cover(strength * band.clip(0, 1), colour)

    def write(self, centre=None, side=None, ink="black", thin=None, turn=None, strength=1.0):
        """Write a test digit with sharp edges, and with thinner strokes where `thin`."""
        rng = self.rng
        index = rng.randint(len(self.images))
        side = rng.uniform(150, 330) if side is None else side
        centre = (rng.uniform(0.36, 0.64) * ROWS, rng.uniform(0.36, 0.64) * COLUMNS) if centre is None else centre
        turn = rng.uniform(-8, 8) if turn is None else turn
        thin = rng.rand() < 0.5 if thin is None else thin
        digit = ndimage.zoom(self.images[index, 0].astype(np.float32), 12, order=1)
        if thin:  # keep the middle of the strokes
            depth = ndimage.distance_transform_edt(digit > 0.45)
            middle = depth > rng.uniform(0.35, 0.6) * ndimage.maximum_filter(depth, 25)
            digit = ndimage.gaussian_filter(np.float32(middle & (depth > 0)), 1.5)
        digit = ndimage.rotate(digit, turn, reshape=False, order=1)
        size = max(8, int(round(1.4 * side * self.unit)))
        mark = (
            np.asarray(
                Image.fromarray(np.uint8(255 * digit.clip(0, 1))).resize((size, size), Image.BILINEAR), np.float32
            )
            / 255
        )
        mark = ((mark - 0.3) / 0.4).clip(0, 1)
        field = np.zeros(self.shape, np.float32)
        top, left = (int(at * self.unit - size / 2) for at in centre)
        rows = slice(max(0, top), min(self.shape[0], top + size))
        columns = slice(max(0, left), min(self.shape[1], left + size))
        field[rows, columns] = mark[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        if ink == "pencil":
            grain = ndimage.gaussian_filter(rng.normal(0, 1, self.shape), 0.8 * self.unit)
            field *= (0.85 + 0.5 * grain).clip(0.3, 1)
        self.cover(strength * field, INKS[ink])
        self.digits.append(int(self.labels[index]))

    def lamp(self, least):
        """Light that falls off from one side."""
        angle = self.rng.uniform(0, 2 * np.pi)
        along = (self.x / COLUMNS - 0.5) * np.cos(angle) + (self.y / ROWS - 0.5) * np.sin(angle)
        self.light *= np.float32(1 - (1 - least) * (along + 0.6).clip(0, 1.2) / 1.2)

    def photograph(self, blur=None):
        rng = self.rng
        self.lamp(rng.uniform(0.75, 1))
        grain = rng.normal(0, rng.uniform(0.004, 0.02), self.shape + (1,)).astype(np.float32)
        pixels = self.paper * self.light[..., None] * np.float32(rng.uniform(0.75, 1.05))
        blur = rng.uniform(0.4, 1.4) if blur is None else blur
        pixels = ndimage.gaussian_filter(pixels, (blur * self.unit, blur * self.unit, 0))
        return np.uint8(255 * (pixels + grain).clip(0, 1))


def _plain(scene):
    scene.write()


def _table(scene):
    rng = scene.rng
    scene.write()
    wood = np.float32([0.45, 0.3, 0.18]) * rng.uniform(0.4, 1.4)
    grain = ndimage.gaussian_filter(rng.normal(0, 1, scene.shape), (2, 30)) * 9
    colour = wood * (1 + 0.12 * np.float32(grain)[..., None])
    for _ in range(rng.randint(1, 3)):
        edge = scene.half_plane(
            rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.uniform(-0.2, 0.2), rng.uniform(0.72, 0.92) * 480
        )
        edge[scene.paper.mean(axis=2) < 0.3] *= 0 if edge.mean() > 0.5 else 1
        scene.paper += edge[..., None] * (colour - scene.paper)


def _corner_shadow(scene):
    rng = scene.rng
    scene.write()
    scene.light *= 1 - rng.uniform(0.3, 0.65) * scene.half_plane(
        (rng.randint(4) + 0.5) * np.pi / 2 + rng.uniform(-0.3, 0.3), rng.uniform(220, 380), rng.uniform(3, 60)
    )


def _shadow_across(scene):
    rng = scene.rng
    scene.write()
    scene.light *= 1 - rng.uniform(0.25, 0.55) * scene.half_plane(
        rng.uniform(0, 2 * np.pi), rng.uniform(-100, 100), rng.uniform(6, 80)
    )


def _finger(scene):
    rng = scene.rng
    scene.write()
    skin = np.float32([0.8, 0.58, 0.45]) * rng.uniform(0.5, 1.05)
    angle, width, reach = rng.uniform(0, 2 * np.pi), rng.uniform(40, 90), rng.uniform(220, 330)
    x, y = scene.x - COLUMNS / 2, scene.y - ROWS / 2
    along = x * np.cos(angle) + y * np.sin(angle) - reach
    across = -x * np.sin(angle) + y * np.cos(angle) - rng.uniform(-80, 80)
    distance = np.where(along > width, np.abs(across), np.hypot(along - width, across))
    scene.light *= 1 - 0.3 * ((width + 14 - distance) / 20).clip(0, 1)
    scene.cover(((width - distance) / 2).clip(0, 1), skin)


def _margin_line(scene):
    rng = scene.rng
    scene.line(
        rng.uniform(-0.05, 0.05), rng.uniform(-460, -260), rng.uniform(2, 5), (0.85, 0.3, 0.3), rng.uniform(0.6, 1)
    )
    scene.write(centre=(rng.uniform(0.36, 0.64) * ROWS, rng.uniform(0.55, 0.7) * COLUMNS))


def _holes(scene):
    rng = scene.rng
    scene.write(centre=(rng.uniform(0.36, 0.64) * ROWS, rng.uniform(0.55, 0.7) * COLUMNS))
    for row in (0.28, 0.72):
        radius, column = rng.uniform(14, 24), rng.uniform(50, 90)
        hole = (radius - np.hypot(scene.x - column, scene.y - row * ROWS) + 0.5).clip(0, 1)
        scene.cover(hole, np.float32([0.3, 0.22, 0.16]) * rng.uniform(0.4, 1.5))


def _rule(scene, angle, strength=None):
    rng = scene.rng
    pitch, width = rng.uniform(45, 110), rng.uniform(1.5, 3)
    strength = rng.uniform(0.25, 0.8) if strength is None else strength
    for offset in np.arange(-700, 700, pitch):
        scene.line(angle, offset, width, (0.45, 0.6, 0.85), strength)
    return strength


def _ruled(scene):
    _rule(scene, np.pi / 2 + scene.rng.uniform(-0.06, 0.06))
    scene.write()


def _ruled_pencil(scene):
    _rule(scene, np.pi / 2 + scene.rng.uniform(-0.06, 0.06))
    scene.write(ink="pencil")


def _squared(scene):
    turn = scene.rng.uniform(-0.06, 0.06)
    strength = _rule(scene, np.pi / 2 + turn)
    _rule(scene, turn, strength)
    scene.write()


def _uneven_light(scene):
    scene.write()
    scene.lamp(scene.rng.uniform(0.2, 0.45))


def _pencil(scene):
    scene.write(ink="pencil")


def _coloured_ink(scene):
    scene.write(ink=scene.rng.choice(["blue", "red", "green"]))


def _turned(scene):
    scene.write(turn=scene.rng.choice([-1, 1]) * scene.rng.uniform(8, 18))


def _perspective(scene):
    _rule(scene, np.pi / 2, 0.3)
    scene.write()


def _thin_pen(scene):
    scene.write(thin=True)


def _marker(scene):
    scene.write(thin=False, side=scene.rng.uniform(300, 430))


def _board(scene):
    board = np.float32([0.1, 0.2, 0.15]) * scene.rng.uniform(0.6, 1.8)
    scene.cover(np.ones(scene.shape, np.float32), board)
    scene.write(ink="chalk")


def _crease(scene):
    rng = scene.rng
    scene.write()
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-250, 250)
    scene.light *= 1 - rng.uniform(0.06, 0.16) * scene.half_plane(angle, offset, 2)
    scene.line(angle, offset, 3, (1, 1, 1), 0.4)


def _number(scene):
    count, thin = scene.rng.randint(2, 5), scene.rng.rand() < 0.5
    side = scene.rng.uniform(110, 170)
    for i in range(count):
        scene.write(
            centre=(0.5 * ROWS + scene.rng.uniform(-15, 15), 0.5 * COLUMNS + (i - (count - 1) / 2) * 1.25 * side),
            side=side,
            thin=thin,
        )


def _lines(scene):
    side, thin = scene.rng.uniform(110, 160), scene.rng.rand() < 0.5
    for row in (-0.5, 0.5):
        for column in (-0.5, 0.5):
            scene.write(
                centre=(0.5 * ROWS + row * 1.7 * side, 0.5 * COLUMNS + column * 1.4 * side), side=side, thin=thin
            )


def _blurred(scene):
    scene.write()


def _several_at_once(scene):
    rng = scene.rng
    ground = [_ruled, _squared, _ruled_pencil, _plain, _pencil][rng.randint(5)]
    ground(scene)
    digits = scene.digits
    scene.images = np.zeros_like(scene.images)  # the functions below write no visible digit
    others = [_table, _corner_shadow, _shadow_across, _finger, _uneven_light, _crease]
    for i in rng.choice(len(others), 2, replace=False):
        others[i](scene)
    scene.digits = digits[:1]


def _cut_off(scene):
    scene.write(centre=(scene.rng.uniform(0.02, 0.06) * ROWS, 0.5 * COLUMNS), side=scene.rng.uniform(200, 330))


#: What is drawn for each kind of photograph.
KINDS = {
    "plain paper": _plain,
    "the table's edge": _table,
    "a shadow in a corner": _corner_shadow,
    "a shadow across": _shadow_across,
    "a finger": _finger,
    "a margin line": _margin_line,
    "punched holes": _holes,
    "ruled paper": _ruled,
    "pencil on ruled paper": _ruled_pencil,
    "squared paper": _squared,
    "uneven light": _uneven_light,
    "pencil": _pencil,
    "coloured ink": _coloured_ink,
    "turned by 8 to 18 degrees": _turned,
    "perspective": _perspective,
    "a thin pen": _thin_pen,
    "a thick marker": _marker,
    "chalk on a board": _board,
    "a crease": _crease,
    "out of focus": _blurred,
    "JPEG blocks": _plain,
    "4000 x 3000 pixels": _plain,
    "a number": _number,
    "two lines of digits": _lines,
    "several of these at once": _several_at_once,
    "cut off by the picture's edge": _cut_off,
}


def draw_photo(kind: str, number: int, images: np.ndarray, labels: np.ndarray) -> Photo:
    """Draw a photograph of handwritten digits.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    number : int
        The seed: the same number gives the same photograph.
    images, labels : arrays
        Digits to write with, (n, 1, 28, 28) in [0, 1], and their classes, (n,).

    Returns
    -------
    Photo
    """
    rng = np.random.RandomState([list(KINDS).index(kind), number])
    size = (3000, 4000) if kind == "4000 x 3000 pixels" else (ROWS, COLUMNS)
    scene = _Scene(rng, images, labels, *size)
    KINDS[kind](scene)
    pixels = scene.photograph(blur=rng.uniform(3, 6) if kind == "out of focus" else None)
    if kind == "perspective":
        pixels = _tilted(pixels, rng)
    return Photo(pixels, scene.digits, 8 if kind == "JPEG blocks" else int(rng.randint(60, 95)))


def _tilted(pixels, rng):
    """The photograph in perspective, from a tilted camera."""
    rows, columns, _ = pixels.shape
    tilt, side = rng.uniform(0.15, 0.4), rng.uniform(-0.15, 0.15)
    y, x = np.mgrid[:rows, :columns]
    depth = 1 + tilt * (y / rows - 0.5) + side * (x / columns - 0.5)
    places = [(y - rows / 2) / depth + rows / 2, (x - columns / 2) / depth + columns / 2]
    return np.stack(
        [ndimage.map_coordinates(pixels[..., colour], places, order=1, mode="nearest") for colour in range(3)], axis=-1
    )


def clear_digits() -> tuple[np.ndarray, np.ndarray]:
    """Unambiguous test digits, so that errors come from the photograph alone.

    Returns
    -------
    images, labels : arrays
        Those of the first 1,000 test digits whose five nearest neighbours among the first 20,000
        training digits are all of their class.
    """
    known, known_labels, *_, images, labels = load_dataset()
    images, labels = images[:1000], labels[:1000]
    near, far = images.reshape(len(images), -1), known[:20000].reshape(-1, images[0].size)
    distances = (far**2).sum(axis=1) - 2 * near @ far.T  # up to a constant in each row
    nearest = np.argpartition(distances, 5, axis=1)[:, :5]
    clear = (known_labels[nearest] == labels[:, None]).all(axis=1)
    return images[clear], labels[clear]


def judge(answers: Sequence[tuple[int, bool]], digits: Sequence[int]) -> str:
    """Tell how a photograph was read.

    Parameters
    ----------
    answers : list of tuple
        The class and whether it is marked unsure, in reading order; empty where the reader refused
        the photograph.
    digits : list of int
        The digits on it.

    Returns
    -------
    str
        'right', 'right, unsure', 'wrong, unsure', 'refused' or 'wrong'. A reading with one digit
        too many, or with a single one wrong, is wrong; 'wrong, unsure' if all digits are marked.

    Examples
    --------
    >>> from mnist_cnn.benchmarks.photos import judge
    >>> judge([(4, False), (2, False)], [4, 2]), judge([(4, False), (1, True)], [4])
    ('right', 'wrong')
    """
    if not answers:
        return "refused"
    unsure = [doubt for _, doubt in answers]
    if [answer for answer, _ in answers] == digits:
        return "right, unsure" if any(unsure) else "right"
    return "wrong, unsure" if all(unsure) else "wrong"


def measure(model: Path | str, count: int = 10, kept: bool = False, show: Path | str | None = None) -> None:
    """Print how the photographs of each kind are read.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    count : int
        Photographs of each kind.
    kept : bool
        Whether to take the held-out half.
    show : path-like, optional
        A folder for copies of those that were not read right.
    """
    network, _ = load_model(model)
    *_, X_val, y_val, _, _ = load_dataset()
    images, labels = clear_digits()
    features_of = compile_features(network)
    trust = learn_trust(features_of, X_val, y_val)

    def ask(path):
        try:
            reading = read_digits(path)
        except MnistCnnError:
            return []
        probabilities, features = features_of(reading.images)
        reasons = why_unsure(trust, reading.images, probabilities, features, range(10))
        return [
            (answer, bool(reading.doubt or reason)) for answer, reason in zip(probabilities.argmax(axis=1), reasons)
        ]

    verdicts = ("right", "right, unsure", "wrong, unsure", "refused", "wrong")
    total = Counter()
    print("{:30}".format("") + "".join("{:>15}".format(word) for word in verdicts))
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            counts = Counter()
            for i in range(count):
                number = 2 * i + kept
                photo = draw_photo(kind, number, images, labels)
                path = Path(folder) / "{} {}.jpg".format(kind.replace("'", ""), number)
                Image.fromarray(photo.pixels).save(str(path), quality=photo.quality)
                verdict = judge(ask(path), photo.digits)
                counts[verdict] += 1
                if show is not None and verdict != "right":
                    shutil.copy(str(path), str(Path(show) / "{} {}".format(verdict, path.name)))
            total += counts
            print("{:30}".format(kind) + "".join("{:15}".format(counts[word]) for word in verdicts), flush=True)
    print(
        "{:30}".format("all, in percent")
        + "".join("{:15.1f}".format(100 * total[word] / sum(total.values())) for word in verdicts)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL", help="the weights that train.py saved")
    parser.add_argument("--count", type=int, default=10, help="of each kind (default: %(default)s)")
    parser.add_argument("--kept", action="store_true", help="the held-out half")
    parser.add_argument("--show", metavar="DIR", help="folder for copies of those that were not read right")
    arguments = parser.parse_args()
    sys.exit(main_guard(lambda: measure(arguments.model, arguments.count, arguments.kept, arguments.show)))
