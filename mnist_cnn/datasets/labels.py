"""Names of classes in sentences and on figures."""

from collections.abc import Sequence

from ..system.errors import MnistCnnError

__all__ = ["are_digits", "noun", "named", "shorten", "find_class"]


def are_digits(names: Sequence[str]) -> bool:
    """Whether all names of classes are single digits."""
    return all(len(name) == 1 and name.isdigit() for name in names)


def noun(names: Sequence[str]) -> str:
    """The noun for an image of such classes: 'digit' or 'image'."""
    return "digit" if are_digits(names) else "image"


def named(names: Sequence[str], number: int) -> str:
    """A class in a sentence: a digit gets the article "a".

    Examples
    --------
    >>> from mnist_cnn.datasets.labels import named
    >>> named("0123456789", 7), named(["Sandal", "Sneaker"], 1)
    ('a 7', 'Sneaker')
    """
    return "a {}".format(names[number]) if are_digits(names) else names[number]


def shorten(name: str, length: int) -> str:
    """Cut a name to at most `length` characters, the last of which is then an ellipsis."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def find_class(names: Sequence[str], wanted: str) -> int:
    """Find the number of a class by its name; MnistCnnError lists all names where there is none.

    Case matters only where two names differ by it alone.
    """
    if wanted in names:
        return list(names).index(wanted)
    alike = [i for i, name in enumerate(names) if name.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise MnistCnnError("there is no class {!r}; there are: {}".format(wanted, ", ".join(names)))
