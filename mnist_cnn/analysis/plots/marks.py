"""What several figures draw alike: probabilities, the outline of a digit, colours of classes."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from ...visualize import DARK, LIGHT

__all__ = ["CLASS_COLOURS", "outline", "percent", "plot_probabilities"]

#: Ten colours of ten hues or shades (after S. Trubetskoy's list of distinct colours, 2017).
CLASS_COLOURS = ("#e6194b", "#3a7d2c", "#4363d8", "#f58231", "#911eb4",
                 "#17a7b5", "#7a4a1e", "#e04fc4", "#222222", "#b8a000")


def percent(probability):
    """A probability for a label; never 0 or 100 %, which softmax gives by rounding alone.

    Examples
    --------
    >>> from mnist_cnn.analysis.plots.marks import percent
    >>> percent(.42), percent(1.)
    ('42.0 %', '> 99.9 %')
    """
    if probability >= .9995:
        return "> 99.9 %"
    if probability < .0005:
        return "< 0.1 %"
    return "{:.1f} %".format(100 * probability)


def plot_probabilities(ax, probabilities, highlighted):
    """Horizontal bars, one a class from the top, with the value where it is not nothing.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from mnist_cnn.analysis.plots.marks import plot_probabilities
    >>> ax = plt.figure().add_subplot()
    >>> plot_probabilities(ax, np.array([.1, .7, .2]), highlighted=[1])
    >>> len(ax.patches)
    3
    """
    classes = np.arange(len(probabilities))
    colours = [DARK if number in highlighted else LIGHT for number in classes]
    ax.barh(classes, probabilities, color=colours)
    for number, probability in enumerate(probabilities):
        if probability >= .0005 or number in highlighted:
            inside = probability > .6
            ax.text(probability + (-.03 if inside else .03), number, percent(probability),
                    fontsize=8, va="center", ha="right" if inside else "left",
                    color="white" if inside and number in highlighted else "black")
    ax.set_yticks(classes)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(probabilities) - .4, -.6)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, .5, 1])
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def outline(ax, image):
    """Draw where the digit is over a map of the same size.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from mnist_cnn.analysis.plots.marks import outline
    >>> ax = plt.figure().add_subplot()
    >>> outline(ax, np.pad(np.ones((4, 4)), 12))
    >>> len(ax.collections) > 0
    True
    """
    if image.max() > image.min():
        ax.contour(image, [(image.max() + image.min()) / 2], colors=DARK, linewidths=.7)
