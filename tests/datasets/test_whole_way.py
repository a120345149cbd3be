"""Colour images all the way by the scripts: trained, measured, asked, and refused."""

import csv
import io
import json

import numpy as np
import pytest
from formats import NAMES, binary_files, tar_gz, write
from PIL import Image

from conftest import as_options, run_script
from mnist_cnn.weights import fitting

pytestmark = pytest.mark.slow

SETTINGS = dict(batch_size=10, learning_rate=0.002, dropout=0.1)

COLOURS = np.array(
    [[r, g, b] for r in (20, 230) for g in (20, 230) for b in (20, 230)] + [[125, 125, 125], [230, 125, 20]]
)


def coloured(n, seed):
    """Images of a colour for each class, with grain; as many of each class."""
    rng = np.random.RandomState(seed)
    labels = rng.permutation(n) % 10
    images = COLOURS[labels][:, :, None, None] + rng.randint(-40, 40, (n, 3, 32, 32))
    return images.clip(0, 255).astype(np.uint8), labels.astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data in CIFAR-10's binary version: 600 + 10,000 training and 500 test images."""
    folder = tmp_path_factory.mktemp("colours")
    pairs = [coloured(2120, i) for i in range(5)] + [coloured(500, 9)]
    write(folder, binary_files(pairs))
    return folder


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "colours.npz"
    process = run_script("train.py", *as_options(data_dir=folder, epochs=3, **SETTINGS, seed=1, output=output))
    assert process.returncode == 0 and process.stderr == "", process.stderr
    return output, process.stdout


def test_it_learns_and_remembers(trained, folder):
    output, report = trained
    card = fitting.read_card(output)
    assert (card.dataset, card.shape, card.classes) == (None, (3, 32, 32), NAMES)
    assert np.load(str(output))["arr_0"].shape == (32, 3, 5, 5)
    assert float(report.split()[-2]) > 60


def test_accuracy_by_class_name(trained, folder):
    process = run_script("evaluate.py", trained[0], "--data-dir", folder)
    assert process.returncode == 0 and process.stderr == "", process.stderr
    first, header, *rows = process.stdout.splitlines()
    assert header.split() == ["class", "accuracy", "mistakes", "images"]
    assert [row.split()[0] for row in rows] == list(NAMES)
    mistakes = [int(row.split()[2]) for row in rows]
    assert first.endswith(" {} mistakes in 500".format(sum(mistakes)))
    assert all(row.split()[3] == "50" for row in rows)
    assert trained[1].split()[-2] + " %" in first


def test_pictures_are_called_by_name(trained, folder, tmp_path):
    paths = []
    for number in (0, 3):
        pixels = np.tile(np.uint8(COLOURS[number]), (100, 140, 1))
        paths.append(tmp_path / "{}.png".format(number))
        Image.fromarray(pixels).save(str(paths[-1]))
    options = [trained[0], *paths, "--data-dir", folder]
    answers = json.loads(run_script("predict.py", *options, "--json").stdout)
    assert [answer["name"] for answer in answers] == [NAMES[a["class"]] for a in answers]
    rows = list(csv.DictReader(io.StringIO(run_script("predict.py", *options, "--csv").stdout)))
    assert [row["name"] for row in rows] == [answer["name"] for answer in answers]
    table = run_script("predict.py", *options).stdout.splitlines()
    assert table[0].split()[4:] == list(NAMES)
    assert [line.split()[2] for line in table[1:]] == [answer["name"] for answer in answers]


@pytest.mark.parametrize(
    "script, args", [("evaluate.py", []), ("predict.py", ["picture.png"]), ("visualize.py", []), ("explore.py", [])]
)
@pytest.mark.parametrize(
    "data, message",
    [
        (
            ["--dataset", "mnist"],
            "was trained on a data set without a name (3 x 32 x 32, 10 classes), "
            "not on mnist (1 x 28 x 28, 10 classes)",
        ),
        ([], "was trained on an unnamed data set; name the folder of its files (--data-dir)"),
    ],
)
def test_other_data_are_refused(trained, tmp_path, script, args, data, message):
    Image.new("RGB", (50, 50)).save(str(tmp_path / "picture.png"))
    process = run_script(script, trained[0], *args, *data, cwd=str(tmp_path))
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr == "error: {} {}\n".format(trained[0], message)
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_no_resuming_on_other_data(trained, tmp_path):
    checkpoint = trained[0].with_suffix(".checkpoint")
    options = as_options(checkpoint=checkpoint, **SETTINGS, output=tmp_path / "model.npz")
    process = run_script("train.py", "--resume", *options)
    assert process.returncode == 2
    assert process.stderr == (
        "error: {} was made with another data set (one without a name, now "
        "mnist); use the same, or start anew without --resume\n"
    ).format(checkpoint)
    assert list(tmp_path.iterdir()) == []


def test_the_same_data_in_an_archive_are_the_same(trained, tmp_path):
    pairs = [coloured(2120, i) for i in range(5)] + [coloured(500, 9)]
    small = [(images, labels) for images, labels in pairs]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(tar_gz(binary_files(small)))
    process = run_script("evaluate.py", trained[0], "--data-dir", tmp_path)
    assert process.returncode == 0, process.stderr
    assert trained[1].split()[-2] + " %" in process.stdout


@pytest.mark.parametrize("recipe", ["best", "fast"])
def test_the_other_recipes(recipe, folder, tmp_path):
    process = run_script(
        "train.py",
        "--recipe",
        recipe,
        "--data-dir",
        folder,
        "--epochs",
        1,
        "--seed",
        1,
        "--output",
        tmp_path / "model.npz",
    )
    assert process.returncode == 0 and process.stderr == "", process.stderr
    assert "Final results:" in process.stdout
