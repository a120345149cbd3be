"""The files in a user's folder, and which of them this package wrote."""

import os
import zipfile
from pathlib import Path

from ..storage.records import HISTORY_FIELDS
from ..system.errors import MnistCnnError

__all__ = ["visible_files", "is_own_output"]

MAX_LEVELS = 3  # below the folder: root/mnist_png/training/7
MAX_FILES = 10**6


def visible_files(folder: Path | str) -> list[Path]:
    """List the visible files of a folder and of its subfolders, three levels deep.

    Parameters
    ----------
    folder : path-like
        A folder or a single file.

    Returns
    -------
    list of pathlib.Path
        Level by level, each sorted by name.

    Raises
    ------
    MnistCnnError
        When there are more than a million files.
    """
    folder = Path(folder)
    if os.path.isfile(folder):
        return [folder]
    found, levels = [], [[folder]]
    while levels[-1] and len(levels) <= MAX_LEVELS + 1:
        files, below = [], []
        for place in levels[-1]:
            try:
                entries = sorted(os.scandir(place), key=lambda entry: entry.name)
            except OSError:  # a folder that cannot be read, such as another user's
                continue
            entries = [entry for entry in entries if not entry.name.startswith(".")]
            below += [Path(entry.path) for entry in entries if entry.is_dir()]
            files += [Path(entry.path) for entry in entries if entry.is_file()]
            if len(found) + len(files) > MAX_FILES:
                raise MnistCnnError(
                    "{} holds more than {} files; name the folder that holds only the data".format(folder, MAX_FILES)
                )
        found += files
        levels.append(below)
    return found


def is_own_output(path: Path) -> bool:
    """Whether this package wrote a file: a model, its history, figures or a page.

    Examples
    --------
    >>> from mnist_cnn.datasets.folder import is_own_output
    >>> from mnist_cnn.storage.records import save_history
    >>> save_history("model.npz", [(1, .8, .4, .86, .08, .977)])
    >>> is_own_output("model.csv"), is_own_output("train.csv"), is_own_output("a.checkpoint")
    (True, False, True)
    """
    path = Path(path)
    if path.suffix == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
            return False
        return "arr_0.npy" in names or {"epochs.npy", "kernels.npy"} <= names
    if path.suffix == ".csv":
        try:
            with open(path, "rb") as file:
                return file.read(6) == (HISTORY_FIELDS[0] + ",").encode()
        except OSError:
            return False
    if path.suffix in (".png", ".gif"):
        return path.with_name("index.html").is_file()  # the page of the figures
    return path.suffix in (".checkpoint", ".html", ".part")
