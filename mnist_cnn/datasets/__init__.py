"""Data sets that are known by name, and what is in a folder of files.

`DATASETS` is the catalogue; `mnist_cnn.data.load_dataset` comes here for other data than MNIST's.
"""

from pathlib import Path

from ..data import BASE_URLS, download, read_part, split_dataset
from ..support.errors import MnistCnnError
from .catalogue import DATASETS, Entry, find_entry
from .idx import recognise

__all__ = ["DATASETS", "Entry", "find_entry", "load"]


def load(dataset=None, data_dir=None, base_urls=None):
    """Load a data set by its name, from a folder, or both.

    Parameters
    ----------
    dataset, data_dir, base_urls
        As for `mnist_cnn.data.load_dataset`.

    Returns
    -------
    mnist_cnn.support.about.Dataset

    Raises
    ------
    MnistCnnError
        When there is no such data set, or files are missing and cannot be had, or are not what
        they should be.
    """
    entry = None if dataset is None else find_entry(dataset)
    if data_dir is None:
        raise MnistCnnError("name the folder of {} (--data-dir)".format(entry.title))
    folder = Path(data_dir)
    if entry is None or entry.name == "mnist":
        download(folder, base_urls or BASE_URLS)
    training, test = read_part(folder, "train"), read_part(folder, "t10k")
    found = recognise(*training, *test)
    if entry is not None and found is not entry:
        raise MnistCnnError("{} does not hold {}".format(folder, entry.title))
    return split_dataset(folder, training, test, *((found.name, found.classes) if found else ()))
