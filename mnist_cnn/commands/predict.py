"""Classify picture files with a trained network, and mark unsure answers."""

import argparse
import csv
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.trust import compile_features, learn_trust, why_unsure
from ..data import load_dataset_of
from ..datasets import tables
from ..model import load_model
from ..pictures.photos import read_images
from ..pictures.reading import Reading
from ..pictures.seen import save_seen
from ..system.errors import MnistCnnError
from .options import add_data_options

__all__ = ["main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("model", metavar="MODEL", help="the weights that train.py saved, e.g. model.npz")
    add(
        "files",
        nargs="+",
        metavar="FILE",
        help="pictures: PNG, JPEG or the like, any size, of a digit or a number, dark on light or "
        "light on dark; several shapes are several digits, read from left to right. If the model's images "
        "are not handwriting, each file is one picture, cropped or padded to their proportions. "
        "Or a CSV file with an image in each row, such as Kaggle's test.csv",
    )
    add("--single", action="store_true", help="read each picture as one digit, even if its strokes are separate")
    add(
        "--show",
        metavar="DIR",
        help="folder for a picture of each file, with boxes around its digits and the network's inputs",
    )
    formats = parser.add_mutually_exclusive_group()
    for name, note in (("csv", "; for images in CSV a submission to Kaggle"), ("json", "")):
        formats.add_argument(
            "--" + name,
            dest="output_format",
            action="store_const",
            const=name,
            help="print {} instead of a table{}".format(name.upper(), note),
        )
    add_data_options(parser, of_model=True)


def main(
    model: Path | str,
    files: Sequence[Path | str],
    single: bool = False,
    output_format: str = "table",
    show: Path | str | None = None,
    data_dir: Path | str | None = None,
    dataset: str | None = None,
) -> list[dict[str, Any]]:
    """Classify picture files and print a line for each digit, or for each picture.

    A line has the predicted class, its probability, the word "unsure" where the answer is not
    trustworthy (see `mnist_cnn.analysis.trust`), and the probabilities of all classes. A file that cannot
    be used gets a line on stderr instead.

    Parameters
    ----------
    model : path-like
        The npz file of the weights.
    files : sequence of path-like
        As for `mnist_cnn.pictures.photos.read_images`, or CSV files such as Kaggle's test.csv, with one
        image in each row.
    single : bool
        Whether each file is one digit, even if its strokes are separate.
    output_format : str
        'table', 'csv' or 'json'. If all files are CSV, 'csv' prints a submission to Kaggle: the number
        of each image, from 1, and the name of its class.
    show : path-like, optional
        A folder for a picture of each file, as `mnist_cnn.pictures.seen.save_seen` draws it.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset_of`: the data set that the model was trained on, whose
        validation images are the reference for trust.

    Returns
    -------
    list of dict
        For each digit ``file``, ``digit`` (its place in the file, from 1), ``class`` (its number),
        ``name`` (the class's), ``probability``, ``unsure``, ``reason`` (of unsure, or "") and
        ``probabilities``.

    Raises
    ------
    MnistCnnError
        When the model, the data or the only file cannot be used; then nothing is printed. When some of
        several files cannot be used; then after all output, with exit code 1.
    """
    if output_format not in FORMATS:
        raise MnistCnnError("output_format is {!r}, not one of {}".format(output_format, ", ".join(FORMATS)))
    network, card = load_model(model)
    pictures, errors = _load_files(files, card, single)
    answers = []
    if pictures:
        *_, X_val, y_val, _, _ = load_dataset_of(model, card, data_dir, dataset)
        answers = _answer(network, pictures, X_val, y_val, card.classes)
        if show is not None:
            save_seen(show, pictures, answers)
    write = FORMATS[output_format]
    if output_format == "csv" and all(map(_is_table, files)):
        write = _print_submission
    write(answers, card.classes, sys.stdout)
    for name, reading in pictures:
        if reading.note:
            print("{}: {}".format(name, reading.note), file=sys.stderr)
    for error in errors:
        print("error: {}".format(error), file=sys.stderr)
    if errors:
        raise SomeFilesFailed("{} of {} files could not be used".format(len(errors), len(files)))
    return answers


class SomeFilesFailed(MnistCnnError):
    """Some files could not be used, but others were."""

    exit_code = 1


def _load_files(files, card, single):
    """Read files: pairs of name and `Reading`, and the errors of the others."""
    pictures, errors = [], []
    for file in files:
        name = os.fsencode(str(file)).decode(errors="replace")
        try:
            pictures.append((name, _read_table(file, card) if _is_table(file) else read_images(file, card, single)))
        except MnistCnnError as error:
            if len(files) == 1:
                raise
            errors.append(error)
    return pictures, errors


def _read_table(file, card):
    """Read images in CSV as a `Reading`."""
    return Reading(tables.read_images(file, card.shape), None, None, "")


def _is_table(file):
    """Whether a file is CSV, by its name."""
    return re.search(r"\.csv(\.gz)?$", str(file), re.IGNORECASE) is not None


def _answer(network, pictures, X_val, y_val, classes):
    """Classify each image of each picture; the result is that of `main`."""
    features_of = compile_features(network)
    trust = learn_trust(features_of, X_val, y_val)
    images = np.concatenate([reading.images for _, reading in pictures])
    probabilities, features = features_of(images)
    reasons = why_unsure(trust, images, probabilities, features, classes)
    places = [(name, i + 1, reading.doubt) for name, reading in pictures for i in range(len(reading.images))]
    return [
        {
            "file": name,
            "digit": place,
            "class": int(row.argmax()),
            "name": classes[row.argmax()],
            "probability": float(row.max()),
            "unsure": bool(doubt or reason),
            "reason": doubt or reason,
            "probabilities": row.tolist(),
        }
        for (name, place, doubt), row, reason in zip(places, probabilities, reasons)
    ]


def _print_table(answers, classes, file):
    width = max([len("file")] + [len(answer["file"]) for answer in answers])
    wide = max(5, *map(len, classes))
    row = "{:{}}  {:>5}  {:>{}}  {:>11}  {:6}  {}"
    few = len(classes) <= MAX_COLUMNS
    print(
        row.format(
            "file",
            width,
            "digit",
            "class",
            wide,
            "probability",
            "",
            " ".join("{:>6}".format(word) for word in classes) if few else "the likeliest",
        ),
        file=file,
    )
    for answer in answers:
        shares = answer["probabilities"]
        line = row.format(
            answer["file"],
            width,
            answer["digit"],
            answer["name"],
            wide,
            _share(answer["probability"]),
            "unsure" if answer["unsure"] else "",
            " ".join("{:>{}}".format(_share(p), max(6, len(word))) for word, p in zip(classes, shares))
            if few
            else ", ".join("{} {}".format(classes[i], _share(shares[i])) for i in np.argsort(shares)[:-4:-1]),
        )
        print(line + ("  ({})".format(answer["reason"]) if answer["reason"] else ""), file=file)


def _share(probability):
    """Format with four decimals, but never as 0 or 1, because no answer is certain or impossible."""
    return ">.9999" if probability > 0.99995 else "<.0001" if probability < 0.00005 else "{:.4f}".format(probability)


def _no_formula(text, mark="'"):
    """Prefix text that a spreadsheet would take for a formula; ./ keeps a file's name valid."""
    return mark + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _print_csv(answers, classes, file):
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["file", "digit", "class", "name", "probability", "unsure"]
        + ["p{}".format(number) for number in range(len(classes))]
    )
    for answer in answers:
        writer.writerow(
            [
                _no_formula(answer["file"], "./"),
                answer["digit"],
                answer["class"],
                _no_formula(answer["name"]),
                round(answer["probability"], 6),
                int(answer["unsure"]),
            ]
            + [round(p, 6) for p in answer["probabilities"]]
        )


def _print_submission(answers, classes, file):
    """Print a submission to Kaggle's competition Digit Recognizer."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["ImageId", "Label"])
    writer.writerows(enumerate((answer["name"] for answer in answers), 1))


def _print_json(answers, classes, file):
    print(json.dumps(answers, indent=1), file=file)


MAX_COLUMNS = 12  # of probabilities, in a table
FORMATS = {"table": _print_table, "csv": _print_csv, "json": _print_json}
