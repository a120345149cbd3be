"""Where data sets lie: the user's cache, and folders that systems put them into."""

import os
from pathlib import Path

__all__ = ["VARIABLE", "cache_folder", "SYSTEM_FOLDERS"]

#: The environment variable that names another folder for all data sets.
VARIABLE = "MNIST_CNN_DATA"

#: Folders that packages of operating systems put data sets into.
SYSTEM_FOLDERS = {"fashion-mnist": ("/usr/share/datasets/fashion-mnist",)}  # Debian


def cache_folder(name):
    """The folder of a data set in the user's cache.

    Parameters
    ----------
    name : str
        The data set's; EMNIST's splits share one folder, since they are published as one file.

    Returns
    -------
    pathlib.Path
        In the place that the platform has for caches, such as ~/.cache/mnist_cnn, or in the folder
        that the environment variable MNIST_CNN_DATA names. It may not exist.
    """
    root = os.environ.get(VARIABLE)
    if not root:
        import pooch  # here, for it takes a while to import

        root = pooch.os_cache("mnist_cnn")
    return Path(root) / ("emnist" if name.startswith("emnist-") else name)
