"""EMNIST's MATLAB files: a structure `dataset` with the parts `train` and `test`, and a mapping.

Rows and columns of an image are swapped, because MATLAB stores arrays by columns. Labels of the letters
begin at 1. The mapping has the characters of each label [1]_.

References
----------
.. [1] G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST: an extension of MNIST to handwritten
   letters. 2017. https://arxiv.org/abs/1702.05373
"""

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..storage.npz import MAX_REASON
from ..system.errors import MnistCnnError
from .parts import Found, Part, Source, as_images

__all__ = ["find"]


def find(paths: Iterable[Path]) -> list[Source]:
    """Find the data sets in MATLAB files, a list of `mnist_cnn.datasets.parts.Source`."""
    return [
        Source(str(path), functools.partial(_read, path), [path]) for path in paths if path.suffix.lower() == ".mat"
    ]


def _read(path):
    from scipy.io import loadmat  # here, because it is slow to import

    try:
        dataset = loadmat(path, variable_names=["dataset"], simplify_cells=True)["dataset"]
        parts = {
            part: (np.atleast_2d(dataset[part]["images"]), np.ravel(dataset[part]["labels"]))
            for part in ("train", "test")
        }
        mapping = np.atleast_2d(dataset["mapping"]).astype(int)
        classes = tuple(map(chr, mapping[mapping[:, 0].argsort(), 1]))
    except NotImplementedError as error:
        raise MnistCnnError(
            "{} is in MATLAB's format 7.3; save it by: save('{}', 'dataset', '-v7')".format(path, path.name)
        ) from error
    except Exception as error:  # SciPy's reader may raise anything on a damaged file
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:MAX_REASON]
        raise MnistCnnError(
            "{} does not have the form of EMNIST's MATLAB files: {}".format(path, reason or "it is damaged")
        ) from error
    return Found(
        {
            part: Part(as_images(images, path).swapaxes(2, 3), labels, path, path)
            for part, (images, labels) in parts.items()
        },
        classes,
    )
