"""The page's text, in the words of its data set."""

import html
from collections.abc import Sequence

from ..datasets.labels import noun

__all__ = ["page_words"]

NUMBERS = {10: "ten"}


def page_words(shape: tuple[int, ...], names: Sequence[str], is_handwriting: bool = True) -> dict[str, str]:
    """The words of the template's places.

    Parameters
    ----------
    shape : tuple of int
        Channels, rows and columns of an image; as many rows as columns.
    names : sequence of str
        The classes' names.
    is_handwriting : bool
        Whether the page centres a drawing like MNIST's digits.

    Returns
    -------
    dict of str to str
        From the places' names to HTML.

    Examples
    --------
    >>> from mnist_cnn.explorer.words import page_words
    >>> words = page_words((3, 32, 32), ["cat", "dog"])
    >>> words["title"], words["input"], words["features"]
    ('Watch the network think', '3 × 32 × 32', '800')
    """
    channels, side, _ = shape
    is_ink, thing = channels == 1, noun(names)
    is_digit = thing == "digit" and side == 28
    conv1 = side - 4
    pool1 = conv1 // 2
    conv2 = pool1 - 4
    pool2 = conv2 // 2
    box = round(side * 20 / 28)
    if is_ink:
        title = "Draw {}, watch the network think".format("a digit" if thing == "digit" else "a picture")
        prepared = (
            "prepared as MNIST's digits were: scaled to fit a box of {0} × {0} pixels, "
            "then moved until its centre of mass is in the middle of {1} × {1}."
            if is_handwriting
            else "made smaller to {1} × {1} pixels."
        ).format(box, side)
        about_input = (
            "What the network sees. A drawing is {} A pixel's byte, 0 for paper to 255 "
            "for ink, is divided by 256.".format(prepared)
        )
        pad = 'tabindex="0" role="application" aria-label="Drawing pad" aria-describedby="pad-help"'
    else:
        title = "Watch the network think"
        about_input = (
            "What the network sees: {} numbers a pixel{}. A picture of your own is cut to the "
            "square in its middle and made smaller. A byte, 0 for dark to 255 for bright, is "
            "divided by 256.".format(channels, ", red, green and blue" if channels == 3 else "")
        )
        pad = 'role="img" aria-label="The picture that the network is shown"'
    words = {
        "title": title,
        "draw": "Draw" if is_ink else "Picture",
        "draw_how": "with mouse, pen, finger or keys" if is_ink else "of the test set, or your own",
        "noun": thing,
        "a_noun": ("a " if thing == "digit" else "an ") + thing,
        "side": side,
        "input": ("{0} × {0}" if is_ink else "{1} × {0} × {0}").format(side, channels),
        "about_input": about_input,
        "conv1": conv1,
        "pool1": pool1,
        "conv2": conv2,
        "pool2": pool2,
        "taps": "5 × 5" if is_ink else "{} × 5 × 5".format(channels),
        "features": 32 * pool2 * pool2,
        "likes": "ink lies" if is_ink else "light and colour lie",
        "stroke": "a stroke" if is_digit else "an edge",
        "strokes": "strokes" if is_digit else "shapes",
        "classes": len(names),
        "count": NUMBERS.get(len(names), str(len(names))),
        "of_class": "digit" if thing == "digit" else "class",
        "scribble": "a scribble" if is_ink else "a picture of nothing",
    }
    return {**{name: html.escape(str(word), quote=False) for name, word in words.items()}, "pad": pad}
