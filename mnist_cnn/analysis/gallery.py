"""Figures of a trained model in a folder, with a page that explains them."""

import importlib.util
import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from ..datasets import dataset_files
from ..drawing.backend import matplotlib
from ..storage.atomic import atomic_open, check_writable, keep_apart, make_folder
from ..storage.records import files_beside, history_path, snapshots_path
from ..system.errors import MnistCnnError
from .captions import caption
from .figures import FIGURES, TUTORIAL, draw_film
from .materials import Materials
from .page import build_page
from .page.places import COLUMNS, PAGE_IMAGES, PLACES, for_page, image_sheet

__all__ = ["FIGURES", "TUTORIAL", "Materials", "main"]

DPI = 120


def _choose_figures(names, model):
    """The names of the figures to draw, in the page's order.

    Without explicit names, figures whose files or packages are missing are left out.
    """
    needs = {"history": history_path(model), "evolution": snapshots_path(model)}
    there = [name for name in FIGURES if name not in needs or os.path.exists(needs[name])]
    if importlib.util.find_spec("sklearn") is None:
        there.remove("tsne")
    if names == "all":
        if "tsne" not in there:
            print("Left out tsne: it needs scikit-learn; run: pip install -e .[tsne]")
        if "evolution" not in there:
            print("Left out evolution: there is no {}; train with --snapshots to see it".format(needs["evolution"]))
        return there
    if names is None:
        return [name for name in there if name in TUTORIAL]
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise MnistCnnError("there is no figure {}; the figures are: {}".format(", ".join(unknown), ", ".join(FIGURES)))
    return [name for name in FIGURES if name in names]


def main(
    model: Path | str,
    index: int | None = None,
    digit: int | None = None,
    image: Path | str | None = None,
    figures: Sequence[str] | str | None = None,
    versus: int | None = None,
    diverging: bool = False,
    output: Path | str = "pictures",
    data_dir: Path | str | None = None,
    show: bool = False,
    class_name: str | None = None,
    dataset: str | None = None,
) -> None:
    """Draw figures of a trained model and save them, with a page that explains them.

    Parameters
    ----------
    model : path-like
        The npz file of the weights. The history and the snapshots beside it are drawn too.
    index : int, optional
        The test image to show, from 0; by default a random one.
    digit : int, optional
        Show a random test image of the class of this number.
    image : path-like, optional
        Show this picture file instead, preprocessed as in `mnist_cnn.predict`.
    figures : list of str or 'all', optional
        Names in `mnist_cnn.analysis.figures.FIGURES`; by default the tutorial's.
    versus : int, optional
        The second class of the attribution; by default the second likeliest.
    diverging : bool
        Whether to draw kernels and feature maps in colours centred on zero.
    output : path-like
        The folder for the pictures, PNG and GIF, and ``index.html``; created if missing.
    data_dir, dataset
        As for `mnist_cnn.data.load_dataset_of`: the data set that the model was trained on.
    show : bool
        Whether to open the pictures in windows too.
    class_name : str, optional
        Show a random test image of the class of this name.

    Raises
    ------
    MnistCnnError
        When the model, the data or the picture cannot be used, a name or number is out of range,
        the pictures cannot be written, or there is no screen to show them on.
    """
    names = _choose_figures(figures, model)
    paths = {
        name: [
            Path(output) / "{}.{}".format(name, kind) for kind in (("png", "gif") if name == "evolution" else ("png",))
        ]
        for name in names
    }
    page = Path(output) / "index.html"
    keep_apart(
        [*files_beside(model), image, *dataset_files(data_dir, dataset)], [*itertools.chain(*paths.values()), page]
    )
    materials = Materials(model, index, digit, image, versus, diverging, data_dir, dataset, class_name)
    output = make_folder(output)
    check_writable(page)

    entries, places = [], {}
    for name in names:
        file = io.BytesIO()
        figure = FIGURES[name](materials)
        figure.savefig(file, format="png", dpi=DPI)
        if name in PLACES:
            places[name] = PLACES[name](materials, figure)
        if not show:
            matplotlib.pyplot.close(figure)
        pictures = [("image/png", file.getvalue())]
        if name == "evolution":
            pictures.append(("image/gif", draw_film(materials)))
        entries.append((name, pictures))
        for path, (_, content) in zip(paths[name], pictures):
            _write(path, content)

    lines = ["Drawn from {} by scripts/visualize.py.".format(Path(model).name)]
    if materials.is_image_shown:
        lines.append("The {} shown is {}.".format(materials.noun, materials.name))
    explorer = os.path.relpath("explore.html", str(output))
    _write(
        page,
        build_page(
            "What is being learned?",
            lines,
            [
                (name, caption(name, materials), [for_page(*picture) for picture in pictures])
                for name, pictures in entries
            ],
            places,
            image_sheet(materials.images[:PAGE_IMAGES]) if {"embedding", "tsne"} & set(places) else None,
            COLUMNS,
            explorer if os.path.exists("explore.html") else None,
            materials.images.shape[2:],
            materials.noun,
        ).encode(),
    )

    if show:
        if matplotlib.get_backend().lower() == "agg":
            raise MnistCnnError(
                "--show needs a screen and a window toolkit (on Debian or Ubuntu: "
                "sudo apt-get install python3-tk); the pictures are in {}".format(output)
            )
        matplotlib.pyplot.show()


def _write(path, content):
    with atomic_open(path) as file:
        file.write(content)
    print("Wrote {}".format(path))
