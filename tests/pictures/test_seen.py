"""What predict.py --show saves: a picture of each file, whatever the files' names."""

import numpy as np
from PIL import Image

from mnist_cnn.pictures.reading import Reading
from mnist_cnn.pictures.seen import save_seen


def test_files_of_one_name_get_a_picture_each(tmp_path):
    names = ["a/1.png", "b/1.png", "c/1-2.png", "B/1.JPG", "x/N.png", "y/n.png"]
    pictures = [
        (name, Reading(np.full((1, 1, 28, 28), (number + 1) / 8), None, None, "")) for number, name in enumerate(names)
    ]
    answer = {"digit": 1, "name": "1", "probability": 0.98, "unsure": False}
    save_seen(tmp_path, pictures, [answer] * len(names))
    wanted = ["1", "1-2", "1-2-2", "1-3", "N", "n-2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(name + ".seen.png" for name in wanted)
    for number, name in enumerate(wanted):
        with Image.open(tmp_path / (name + ".seen.png")) as sheet:  # in the middle of the tile
            assert sheet.getpixel((sheet.width - 80, 80)) == (32 * (number + 1),) * 3
