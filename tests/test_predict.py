"""predict.py: what picture files show, for people and for programs."""

import csv
import glob
import io
import json
import os
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from conftest import run_script
from mnist_cnn import model, predict
from mnist_cnn.commands import predict as commands_predict
from mnist_cnn.system.errors import MnistCnnError


def write_picture(path, digits):
    """Test digits side by side, dark on light."""
    ink = np.concatenate([np.pad(digit, ((0, 0), (2, 2))) for digit in digits], axis=1)
    Image.fromarray(np.uint8(255 - 230 * np.pad(np.kron(ink, np.ones((8, 8))), 60))).save(str(path))


@pytest.fixture(scope="module")
def files(tmp_path_factory, mnist):
    """Four digits, a number of two digits, a scribble, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    images = mnist[4][:, 0]
    for i in range(4):
        write_picture(folder / "digit{}.png".format(i), images[i : i + 1])
    write_picture(folder / "number.png", images[:2])
    scribble = Image.new("L", (280, 280), 255)
    points = np.random.RandomState(1).randint(30, 250, (60, 2))
    ImageDraw.Draw(scribble).line([tuple(p) for p in points.tolist()], fill=0, width=6)
    scribble.save(str(folder / "scribble.png"))
    (folder / "bad.png").write_text("hello")
    return folder


def test_table(files, training, mnist, small_mnist):
    """Enlarged test digits are read as the classes that they are."""
    process = run_script(
        "predict.py", training[1], *[files / "digit{}.png".format(i) for i in range(4)], "--data-dir", small_mnist
    )
    assert process.returncode == 0 and process.stderr == ""
    lines = process.stdout.splitlines()
    assert lines[0].split() == ["file", "digit", "class", "probability", *map(str, range(10))]
    for i, line in enumerate(lines[1:]):
        assert "1.0000" not in line and "0.0000" not in line  # nothing is certain, nor impossible
        row = re.sub("[<>] ?", "", line).replace("unsure", "").split()[:14]
        probabilities = [float(text) for text in row[4:]]
        assert row[1:3] == ["1", str(mnist[5][i])]
        assert abs(sum(probabilities) - 1) < 1e-3
        assert int(row[2]) == np.argmax(probabilities)
        assert abs(float(row[3]) - max(probabilities)) < 2e-4


@pytest.mark.slow
def test_a_number_is_read_digit_by_digit(files, training, mnist, small_mnist, capsys):
    answers = commands_predict.main(training[1], [files / "number.png"], data_dir=small_mnist)
    assert [answer["class"] for answer in answers] == mnist[5][:2].tolist()
    assert [answer["digit"] for answer in answers] == [1, 2]
    assert len(capsys.readouterr().out.splitlines()) == 3
    single = commands_predict.main(training[1], [files / "number.png"], single=True, data_dir=small_mnist)
    assert len(single) == 1
    capsys.readouterr()


def test_a_scribble_is_unsure(files, training, small_mnist, capsys):
    answers = commands_predict.main(training[1], [files / "scribble.png", files / "digit0.png"], data_dir=small_mnist)
    assert [answer["unsure"] for answer in answers] == [True, False]
    marks = ["unsure" in line for line in capsys.readouterr().out.splitlines()]
    assert marks == [False, True, False]


@pytest.mark.slow
def test_csv_and_json(files, training, small_mnist):
    paths = [files / "digit1.png", files / "number.png", "--data-dir", small_mnist]
    as_csv = run_script("predict.py", training[1], *paths, "--csv").stdout
    as_json = json.loads(run_script("predict.py", training[1], *paths, "--json").stdout)
    rows = list(csv.DictReader(io.StringIO(as_csv)))
    assert len(rows) == len(as_json) == 3
    for row, answer in zip(rows, as_json):
        assert set(answer) == {"file", "digit", "class", "name", "probability", "unsure", "reason", "probabilities"}
        assert answer["unsure"] is bool(answer["reason"])
        assert row["name"] == answer["name"] == row["class"]
        assert row["file"] == answer["file"]
        for name in ("digit", "class"):
            assert int(row[name]) == answer[name]
        assert bool(int(row["unsure"])) is answer["unsure"]
        assert abs(float(row["probability"]) - answer["probability"]) < 1e-5
        for i, probability in enumerate(answer["probabilities"]):
            assert abs(float(row["p{}".format(i)]) - probability) < 1e-5


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM", "\t=1", "plain"])
def test_csv_is_no_program(name):
    """A spreadsheet computes a cell that begins so; ./ before it is the same file."""
    answer = {
        "file": name,
        "digit": 1,
        "class": 0,
        "name": name,
        "probability": 1.0,
        "unsure": False,
        "probabilities": [1.0, 0.0],
    }
    file = io.StringIO()
    commands_predict.FORMATS["csv"]([answer], ["a", "b"], file)
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert os.path.normpath(row["file"]) == name and row["name"].lstrip("'") == name
    assert row["file"][0] not in "=+-@\t" and row["name"][0] not in "=+-@\t"


@pytest.mark.slow
def test_one_bad_file_leaves_the_others_their_answers(files, training, mnist, small_mnist):
    process = run_script(
        "predict.py",
        training[1],
        files / "digit0.png",
        files / "bad.png",
        files / "digit1.png",
        "--data-dir",
        small_mnist,
    )
    assert process.returncode == 1
    assert [line.split()[2] for line in process.stdout.splitlines()[1:]] == [str(label) for label in mnist[5][:2]]
    lines = process.stderr.splitlines()
    assert len(lines) == 2
    assert re.fullmatch("error: cannot read .*bad.png: .*", lines[0])
    assert lines[1] == "error: 1 of 3 files could not be used"


def test_a_bad_file_alone(files, training):
    process = run_script("predict.py", training[1], files / "bad.png")
    assert process.returncode == 2 and process.stdout == ""
    assert re.fullmatch("error: cannot .*bad.png.*\n", process.stderr)


def csv_of(images, header=True, first=()):
    rows = [",".join([*first, *("pixel%d" % i for i in range(images[0].size))])] if header else []
    rows += [",".join(map(str, [*(0 for _ in first), *np.uint8(image.ravel() * 256)])) for image in images]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("options", [{}, {"header": False}, {"first": ["label"]}])
def test_kaggles_test_csv(tmp_path, training, mnist, small_mnist, capsys, options):
    """A submission of its form, the answers those for the arrays themselves."""
    images, labels = mnist[4][:200], mnist[5][:200]
    (tmp_path / "test.csv").write_text(csv_of(images, **options))
    answers = commands_predict.main(training[1], [tmp_path / "test.csv"], output_format="csv", data_dir=small_mnist)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ImageId,Label" and len(lines) == 201
    network, _ = model.load_model(training[1])
    wanted = predict.predict(network, images)
    assert lines[1:] == ["{},{}".format(i, row.argmax()) for i, row in enumerate(wanted, 1)]
    assert np.mean(wanted.argmax(axis=1) == labels) > 0.9
    np.testing.assert_allclose([answer["probabilities"] for answer in answers], wanted, atol=1e-5)


def test_images_in_csv_that_do_not_fit(tmp_path, training, mnist):
    (tmp_path / "test.csv").write_text(csv_of(mnist[4][:2, :, :20]))
    process = run_script("predict.py", training[1], tmp_path / "test.csv")
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr == (
        "error: {} has 560 columns; an image of the model has 784 pixels (1 x 28 x 28)\n".format(tmp_path / "test.csv")
    )


def test_a_folder_of_pictures(files, training, small_mnist):
    """The line says how to name the pictures; a shell makes paths of that."""
    folder = files / "some"
    folder.mkdir()
    write_picture(folder / "a.png", np.zeros((1, 28, 28)) + np.eye(28))
    process = run_script("predict.py", training[1], folder, "--data-dir", small_mnist)
    assert process.returncode == 2
    assert process.stderr == "error: {0} is a folder; name the pictures in it: {0}/*\n".format(folder)
    advice = process.stderr.strip().rsplit(": ", 1)[1]
    process = run_script("predict.py", training[1], *glob.glob(advice), "--data-dir", small_mnist)
    assert process.returncode == 0 and len(process.stdout.splitlines()) == 2


def test_unknown_format(files, training):
    with pytest.raises(MnistCnnError, match="output_format is 'xml'"):
        commands_predict.main(training[1], [files / "digit0.png"], output_format="xml")


def test_the_data_of_a_model_that_knows_only_a_folder(files, training):
    process = run_script("predict.py", training[1], files / "digit0.png")
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr == (
        "error: {} was trained on an unnamed data set; name the folder of its files (--data-dir)\n".format(training[1])
    )


def answers_of(classes, count=2):
    rng = np.random.RandomState(0)
    for i in range(count):
        shares = rng.dirichlet(np.ones(len(classes)))
        yield {
            "file": "a.png",
            "digit": i + 1,
            "class": int(shares.argmax()),
            "name": classes[shares.argmax()],
            "probability": float(shares.max()),
            "unsure": False,
            "reason": None,
            "probabilities": shares.tolist(),
        }


@pytest.mark.parametrize("classes", [("T-shirt/top", "bag", "boot"), tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
def test_class_names(classes):
    answers = list(answers_of(classes))
    out = {name: io.StringIO() for name in commands_predict.FORMATS}
    for name, write in commands_predict.FORMATS.items():
        write(answers, classes, out[name])
    lines = out["table"].getvalue().splitlines()
    assert len({len(line) for line in lines}) == 1 or len(classes) > 12
    for line, answer in zip(lines[1:], answers):
        words = line.replace(",", "").split()
        assert words[2] == answer["name"]
        shares = sorted(answer["probabilities"], reverse=True)
        if len(classes) > 12:  # the three likeliest, the answer first
            assert words[4] == answer["name"]
            assert [float(word) for word in words[5::2]] == pytest.approx(shares[:3], abs=1e-4)
        else:
            assert [float(word) for word in words[4:]] == pytest.approx(answer["probabilities"], abs=1e-4)
    rows = list(csv.DictReader(io.StringIO(out["csv"].getvalue())))
    assert [row["name"] for row in rows] == [answer["name"] for answer in answers]
    assert json.loads(out["json"].getvalue()) == answers
