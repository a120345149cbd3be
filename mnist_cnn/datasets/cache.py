"""Folders of data sets: the user's cache, and the operating system's."""

import os
from pathlib import Path

__all__ = ["VARIABLE", "cache_folder", "SYSTEM_FOLDERS"]

#: The environment variable for another cache folder.
VARIABLE = "MNIST_CNN_DATA"

#: Folders of data sets that an operating system's packages install.
SYSTEM_FOLDERS = {"fashion-mnist": ("/usr/share/datasets/fashion-mnist",)}  # Debian


def cache_folder(name: str) -> Path:
    """The folder of a data set in the user's cache.

    Parameters
    ----------
    name : str
        The data set's name; EMNIST's splits share one folder, because they are published as one file.

    Returns
    -------
    pathlib.Path
        In the platform's cache, such as ~/.cache/mnist_cnn, or in the folder that the environment
        variable MNIST_CNN_DATA names. It need not exist.
    """
    root = os.environ.get(VARIABLE)
    if not root:
        import pooch  # here, because it is slow to import

        root = pooch.os_cache("mnist_cnn")
    return Path(root) / ("emnist" if name.startswith("emnist-") else name)
