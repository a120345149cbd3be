"""The family of data sets that lie in MNIST's four IDX files."""

import hashlib
import struct

from .catalogue import DATASETS

__all__ = ["idx_digest", "recognise"]


def idx_digest(array):
    """MD5 of the IDX file of an array of unsigned bytes, unpacked, as hexadecimal digits."""
    header = struct.pack(">4B{}I".format(array.ndim), 0, 0, 8, array.ndim, *array.shape)
    digest = hashlib.md5(header)
    digest.update(array)
    return digest.hexdigest()


def recognise(train_images, train_labels, test_images, test_labels):
    """Find the data set that arrays are.

    Parameters
    ----------
    train_images, train_labels, test_images, test_labels : uint8 arrays

    Returns
    -------
    Entry or None
        The one whose published digests are those of the arrays, if there is one.
    """
    labels = idx_digest(train_labels), idx_digest(test_labels)
    for entry in DATASETS.values():
        if entry.family == "idx" and tuple(entry.files.values())[1::2] == labels:
            images = idx_digest(train_images), idx_digest(test_images)
            return entry if tuple(entry.files.values())[::2] == images else None
    return None
