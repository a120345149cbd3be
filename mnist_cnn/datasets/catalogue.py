"""The catalogue: data sets by name, with their classes, digests and addresses."""

import string
from collections.abc import Mapping
from dataclasses import dataclass

from ..system.errors import MnistCnnError
from .card import number_names
from .mnist import BASE_URLS, DIGESTS

__all__ = ["Entry", "DATASETS", "find_entry"]


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Parameters
    ----------
    name : str
        The value of ``--dataset``.
    title : str
        The name in a sentence.
    classes : tuple of str
        The names of the classes.
    shape : tuple of int
        Channels, rows and columns of an image.
    counts : pair of int, optional
        Training and test examples; None where sources disagree.
    family : str
        The format of its files: 'idx' or 'cifar10'.
    files : dict
        From the name of each unpacked file to the MD5 of its content, or None where only the MD5 of
        the packed file is published.
    packed : dict
        From the name of each downloadable file to its published MD5.
    urls : tuple of str
        Addresses, each ending in a slash, in the order in which they are tried.
    balanced : bool
        Whether all classes have the same number of examples.
    first_label : int
        The label of the first class in the files.
    transposed : bool
        Whether rows and columns of an image are swapped in the files.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: tuple[int, int] | None
    family: str
    files: Mapping[str, str | None]
    packed: Mapping[str, str]
    urls: tuple[str, ...]
    balanced: bool = False
    first_label: int = 0
    transposed: bool = False


def _idx_entry(name, title, classes, packed, unpacked, urls, balanced=True):
    """Make the entry of a data set in four files, as MNIST."""
    return Entry(
        name,
        title,
        tuple(classes),
        (1, 28, 28),
        (60000, 10000),
        "idx",
        dict(zip(DIGESTS, unpacked)),
        {file + ".gz": digest for file, digest in zip(DIGESTS, packed)},
        urls,
        balanced,
    )


def _emnist_entry(split, title, classes, counts, balanced=False, first_label=0):
    """Make the entry of one of EMNIST's splits, which are published in one zip archive.

    Labels and counts: Cohen et al., Table II [1]_, except for the letters, of which the published file has
    more. The archive's MD5: torchvision/datasets/mnist.py. The MD5 of the files in it is not published.

    .. [1] G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST: an extension of MNIST to
       handwritten letters. 2017. https://arxiv.org/abs/1702.05373
    """
    names = [
        "emnist-{}-{}-{}-ubyte".format(split, half, part)
        for half in ("train", "test")
        for part in ("images-idx3", "labels-idx1")
    ]
    return Entry(
        "emnist-" + split,
        title,
        tuple(classes),
        (1, 28, 28),
        counts,
        "idx",
        dict.fromkeys(names),
        {"gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"},
        ("https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"),
        balanced,
        first_label,
        transposed=True,
    )


# EMNIST merges letters whose capital and small forms look alike
_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"

_ENTRIES = [
    _idx_entry(
        "mnist",
        "MNIST",
        number_names(10),
        [packed for packed, _ in DIGESTS.values()],
        [unpacked for _, unpacked in DIGESTS.values()],
        BASE_URLS,
        balanced=False,
    ),
    # Addresses, packed digests and classes: README.md of github.com/zalandoresearch/fashion-mnist;
    # second address: keras/src/datasets/fashion_mnist.py; unpacked digests: Debian's package
    # dataset-fashion-mnist (0.0~git20200523), whose gzip files differ.
    _idx_entry(
        "fashion-mnist",
        "Fashion-MNIST",
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
        [
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ],
        [
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ],
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
    # Address: README.md of github.com/rois-codh/kmnist; packed digests and classes:
    # torchvision/datasets/mnist.py. The unpacked digests are not published.
    _idx_entry(
        "kmnist",
        "Kuzushiji-MNIST",
        ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        [
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ],
        [None] * 4,
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    ),
    _emnist_entry("balanced", "EMNIST balanced", _MERGED, (112800, 18800), balanced=True),
    _emnist_entry("letters", "EMNIST letters", string.ascii_uppercase, None, first_label=1),
    _emnist_entry("digits", "EMNIST digits", string.digits, (240000, 40000), balanced=True),
    _emnist_entry("mnist", "EMNIST MNIST", string.digits, (60000, 10000), balanced=True),
    _emnist_entry("bymerge", "EMNIST by merge", _MERGED, (697932, 116323)),
    _emnist_entry(
        "byclass", "EMNIST by class", string.digits + string.ascii_uppercase + string.ascii_lowercase, (697932, 116323)
    ),
    # Addresses and the archive's digest: www.cs.toronto.edu/~kriz/cifar.html; digests of the files:
    # torchvision/datasets/cifar.py.
    Entry(
        "cifar10",
        "CIFAR-10",
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        (3, 32, 32),
        (50000, 10000),
        "cifar10",
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
        ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
        balanced=True,
    ),
]

DATASETS = {entry.name: entry for entry in _ENTRIES}


def find_entry(name: str) -> Entry:
    """Find the `Entry` of a name; MnistCnnError lists all names where it is unknown."""
    if name not in DATASETS:
        raise MnistCnnError("there is no data set {!r}; there are: {}".format(name, ", ".join(DATASETS)))
    return DATASETS[name]
