"""What a data set's classes are called, in sentences and on figures."""

from ..system.errors import MnistCnnError

__all__ = ["are_digits", "noun", "named", "shorten", "find_class"]


def are_digits(names):
    """Whether classes are digits, whose name is their number.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    bool
    """
    return all(len(name) == 1 and name.isdigit() for name in names)


def noun(names):
    """What an image of such classes is called.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str
        'digit' or 'image'.
    """
    return "digit" if are_digits(names) else "image"


def named(names, number):
    """A class in a sentence: 'a 7', or its name as it is.

    Parameters
    ----------
    names : sequence of str
    number : int

    Returns
    -------
    str

    Examples
    --------
    >>> from mnist_cnn.datasets.labels import named
    >>> named("0123456789", 7), named(["Sandal", "Sneaker"], 1)
    ('a 7', 'Sneaker')
    """
    return "a {}".format(names[number]) if are_digits(names) else names[number]


def shorten(name, length):
    """Cut a name to a length; what is cut off leaves an ellipsis.

    Parameters
    ----------
    name : str
    length : int
        The most characters.

    Returns
    -------
    str
    """
    return name if len(name) <= length else name[: length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def find_class(names, wanted):
    """Find a class by its name.

    Parameters
    ----------
    names : sequence of str
        The classes'.
    wanted : str
        A name, where case does not matter unless two names differ by it alone.

    Returns
    -------
    int

    Raises
    ------
    MnistCnnError
        When there is no such class; the text lists those that there are.
    """
    if wanted in names:
        return list(names).index(wanted)
    alike = [i for i, name in enumerate(names) if name.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise MnistCnnError("there is no class {!r}; there are: {}".format(wanted, ", ".join(names)))
