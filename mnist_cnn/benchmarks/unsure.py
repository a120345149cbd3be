"""How often the rule for unsure answers is right: its false alarms and hits.

``python -m mnist_cnn.benchmarks.unsure model.npz [--fashion DIR]`` prints the table of
docs/explorer.md for a trained model.
"""

import argparse
import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ..analysis.trust import compile_features, is_unsure, learn_trust
from ..data import load_dataset
from ..datasets.idx import read_idx
from ..model import load_model
from ..pictures.digits import fit_to_field
from ..system.process import main_guard

__all__ = ["draw_letters", "draw_scribbles", "draw_shapes", "draw_dots", "pair_digits", "measure"]

SIDE = 280
#: Without I, O, S, Z, i, l, o, s, z, which some people write like digits.
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefghjkmnpqrtuvwxy"


def _image(paint):
    """A drawing on a field of 280 x 280 pixels, scaled and centred like MNIST's digits: (1, 28, 28)."""
    picture = Image.new("L", (SIDE, SIDE))
    paint(ImageDraw.Draw(picture))
    return fit_to_field(np.asarray(picture) / 255)[None]


def draw_letters() -> np.ndarray:
    """Letters in the DejaVu fonts that Matplotlib has, (n, 1, 28, 28)."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    images = []
    for path in sorted(folder.glob("DejaVuS*.ttf")):
        if "Display" in path.name:
            continue
        font = ImageFont.truetype(str(path), 160)
        for letter in LETTERS:
            images.append(_image(lambda pen: pen.text((50, 30), letter, font=font, fill=255)))
    return np.stack(images)


def draw_scribbles(count: int = 1000, seed: int = 0) -> np.ndarray:
    """Smoothed random walks, (count, 1, 28, 28)."""
    rng = np.random.RandomState(seed)
    images = []
    for _ in range(count):
        knots = rng.randint(6, 25)
        walk = rng.normal(0, 1, (knots, 2)).cumsum(axis=0)
        walk = 30 + 220 * (walk - walk.min(axis=0)) / np.ptp(walk, axis=0).max()
        walk = ndimage.zoom(walk, (8, 1), order=3).clip(5, 275)
        width = int(rng.randint(12, 30))
        images.append(
            _image(
                lambda pen: pen.line([tuple(point) for point in walk.tolist()], fill=255, width=width, joint="curve")
            )
        )
    return np.stack(images)


def draw_shapes(count: int = 300, seed: int = 0) -> np.ndarray:
    """Rectangles, crosses, dashes and triangles, (count, 1, 28, 28)."""
    rng = np.random.RandomState(seed)
    images = []
    for i in range(count):
        right, bottom = 40 + rng.randint(100, 200, 2)
        width = int(rng.randint(10, 26))
        paints = [
            lambda pen: pen.rectangle([40, 40, right, bottom], outline=255, width=width),
            lambda pen: pen.rectangle([40, 40, right, bottom], fill=255),
            lambda pen: (
                pen.line([40, 40, right, bottom], fill=255, width=width),
                pen.line([40, bottom, right, 40], fill=255, width=width),
            ),
            lambda pen: pen.line([40, 140, right, 140], fill=255, width=width),
            lambda pen: pen.polygon([40, bottom, (40 + right) // 2, 40, right, bottom], outline=255, width=width),
        ]
        images.append(_image(paints[i % len(paints)]))
    return np.stack(images)


def draw_dots() -> np.ndarray:
    """Round dots of ten sizes, (10, 1, 28, 28)."""
    return np.stack(
        [_image(lambda pen: pen.ellipse([140 - r, 140 - r, 140 + r, 140 + r], fill=255)) for r in range(5, 105, 10)]
    )


def pair_digits(images: np.ndarray, count: int = 1000, seed: int = 0) -> np.ndarray:
    """Two digits side by side, scaled as one, (count, 1, 28, 28)."""
    rng = np.random.RandomState(seed)
    pairs = []
    for _ in range(count):
        left, right = rng.randint(len(images), size=2)
        field = np.zeros((28, 60))
        field[:, :28] = images[left, 0]
        start = rng.randint(18, 26)
        field[:, start : start + 28] = np.maximum(field[:, start : start + 28], images[right, 0])
        pairs.append(fit_to_field(field)[None])
    return np.stack(pairs)


def measure(model: Path | str, fashion: Path | str | None = None, data_dir: Path | str | None = None) -> None:
    """Print the share of unsure answers for digits, and for other pictures.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    fashion : path-like, optional
        A folder with Fashion-MNIST's t10k-images-idx3-ubyte.gz.
    data_dir : path-like, optional
        As for `mnist_cnn.data.load_dataset`.
    """
    network, _ = load_model(model)
    *_, X_val, y_val, X_test, y_test = load_dataset(data_dir)
    features_of = compile_features(network)
    trust = learn_trust(features_of, X_val, y_val)

    def ask(images):
        probabilities, features = features_of(images)
        return probabilities.argmax(axis=1), is_unsure(trust, images, probabilities, features)

    answers, unsure = ask(X_test)
    right = answers == y_test
    rows = [("test digits, all", unsure), ("  those read right", unsure[right]), ("  those read wrong", unsure[~right])]
    strangers = {
        "letters": draw_letters(),
        "scribbles": draw_scribbles(),
        "two digits as one": pair_digits(X_test),
        "shapes": draw_shapes(),
        "round dots": draw_dots(),
    }
    if fashion is not None:
        images = read_idx(Path(fashion) / "t10k-images-idx3-ubyte.gz")
        strangers["Fashion-MNIST"] = images[:, None].astype(np.float32) / np.float32(256)
    rows += [(name, ask(images)[1]) for name, images in strangers.items()]
    print("{:20} {:>7}  {:>7}".format("", "images", "unsure"))
    for name, marks in rows:
        print("{:20} {:7,}  {:6.2f} %".format(name, len(marks), 100 * marks.mean()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL", help="the weights that train.py saved")
    parser.add_argument("--fashion", metavar="DIR", help="folder of Fashion-MNIST's test images")
    arguments = parser.parse_args()
    sys.exit(main_guard(lambda: measure(arguments.model, arguments.fashion)))
