"""How good the network is, and where it is wrong."""

import numpy as np
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from ...visualize import DARK, LIGHT, new_figure
from .marks import percent

__all__ = ["plot_confusion", "plot_accuracy", "plot_mistakes", "plot_reliability"]


def plot_confusion(matrix):
    """Draw what was taken for what.

    Parameters
    ----------
    matrix : int array
        (classes, classes): how many of true class [row] were predicted as [column].

    Returns
    -------
    matplotlib Figure
        All counts; colour for the mistakes alone, which the right answers would outshine.
    """
    total, right = matrix.sum(), np.trace(matrix)
    figure = new_figure(figsize=(7.6, 7), layout="constrained")
    ax = figure.add_subplot()
    ax.set_title("{:,} of {:,} test digits are taken for another".format(total - right, total),
                 fontsize=13, pad=10)
    mistakes = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    top = max(np.nanmax(mistakes), 1)
    ax.set_facecolor("#eceef1")  # shows where the mistakes are left blank
    drawn = ax.imshow(mistakes, cmap="Blues", vmin=0, vmax=top)
    for (row, column), count in np.ndenumerate(matrix):
        if row == column:
            ax.text(column, row, str(count), ha="center", va="center", color=DARK)
        elif count:
            ax.text(column, row, str(count), ha="center", va="center",
                    color="white" if count > .55 * top else "black")
    ax.set_xticks(range(len(matrix)))
    ax.set_yticks(range(len(matrix)))
    ax.tick_params(length=0)
    ax.set_xlabel("predicted", fontsize=12)
    ax.set_ylabel("true", fontsize=12)
    figure.colorbar(drawn, ax=ax, shrink=.6, label="mistakes",
                    ticks=MaxNLocator(6, integer=True))
    return figure


def plot_accuracy(num_correct, counts, low, high):
    """Draw the accuracy by digit with its confidence interval.

    Parameters
    ----------
    num_correct, counts : int arrays
        (classes,), right answers and digits of each class.
    low, high : arrays
        (classes,), the bounds, in [0, 1].

    Returns
    -------
    matplotlib Figure
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracies = num_correct / counts  # NaN for a class of which there is none
    overall = num_correct.sum() / counts.sum()
    figure = new_figure(figsize=(8, 4.6), layout="constrained")
    ax = figure.add_subplot()
    classes = np.arange(len(counts))
    ax.axhline(100 * overall, color=LIGHT, zorder=0)
    ax.errorbar(classes, 100 * accuracies, 100 * np.abs([accuracies - low, high - accuracies]),
                fmt="o", color=DARK, capsize=4)
    for number in classes[counts > 0]:
        ax.annotate("{} of {}\nwrong".format(counts[number] - num_correct[number], counts[number]),
                    (number, 100 * low[number]), (0, -6), textcoords="offset points", ha="center",
                    va="top", fontsize=8)
    bottom, top = 100 * np.nanmin(low), 100
    ax.set_ylim(bottom - .22 * (top - bottom), top + .04 * (top - bottom))
    ax.set_xlim(-.6, len(counts) - .4)
    ax.set_xticks(classes)
    ax.set_xlabel("digit")
    ax.set_ylabel("accuracy [%]")
    ax.set_title("Accuracy by digit, with 95 % confidence intervals\n(line: all digits, {:.2f} %)"
                 .format(100 * overall))
    ax.grid(axis="y", alpha=.3)
    return figure


def plot_mistakes(images, labels, probabilities, indices):
    """Draw wrong answers, the surest first.

    Parameters
    ----------
    images : array
        (n, rows, columns), in [0, 1].
    labels : int array
        (n,).
    probabilities : array
        (n, classes).
    indices : int array
        (n,), the images' numbers in the test set.

    Returns
    -------
    matplotlib Figure
        Rows of six, with what each is, what the network says and how sure it is, and its second
        choice.
    """
    rows = max(1, -(-len(images) // 6))
    figure = new_figure(figsize=(10, 2.05 * rows + .8), layout="constrained")
    figure.suptitle("The mistakes that the network is surest of" if len(images)
                    else "The network made no mistake", fontsize=14)
    axes = figure.subplots(rows, 6, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, label, answer, index in zip(axes.flat, images, labels, probabilities, indices):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        first, second = np.argsort(-answer, kind="stable")[:2]
        ax.set_title("a {}, says {} ({})\nthen {} ({})".format(
            label, first, percent(answer[first]), second, percent(answer[second])), fontsize=9)
        ax.text(.03, .03, "#{}".format(index), transform=ax.transAxes, color="white", fontsize=7)
    return figure


def plot_reliability(counts, num_correct, confidence, low, high, error):
    """Draw how often the network is right when it is so sure.

    Parameters
    ----------
    counts, num_correct, confidence : arrays
        (bins,), as `mnist_cnn.analysis.metrics.calibration_bins` returns them.
    low, high : arrays
        (bins,), bounds of the bins' accuracies, in [0, 1]; anything for an empty bin.
    error : float
        The expected calibration error, in [0, 1].

    Returns
    -------
    matplotlib Figure
        Accuracy over confidence with the bins' intervals, and the bins' counts below.
    """
    figure = new_figure(figsize=(6.4, 7), layout="constrained")
    figure.suptitle("Is the network as often right as it is sure?\nExpected calibration error: "
                    "{:.2f} %".format(100 * error))
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw=dict(height_ratios=(3, 1)))
    filled = counts > 0
    accuracies = num_correct[filled] / counts[filled]
    upper.plot([0, 1], [0, 1], color=LIGHT, zorder=0, label="as sure as right")
    upper.errorbar(confidence[filled], accuracies,
                   np.abs([accuracies - low[filled], high[filled] - accuracies]), fmt="o",
                   color=DARK, capsize=3, label="accuracy in a bin (95 % interval)")
    upper.set_ylabel("accuracy")
    upper.set_ylim(-.03, 1.03)
    upper.legend(loc="upper left")
    upper.grid(alpha=.3)
    edges = np.linspace(0, 1, len(counts) + 1)
    lower.bar(edges[:-1], counts, np.diff(edges), align="edge", color=DARK, edgecolor="white")
    lower.set_yscale("log")
    lower.set_ylim(.7, counts.max() * 3)
    lower.set_xlim(0, 1)
    lower.set_ylabel("digits")
    lower.set_xlabel("confidence: probability of the answer")
    for ax in (upper, lower):
        ax.yaxis.set_label_coords(-.11, .5)
    for axis in (upper.xaxis, upper.yaxis):
        axis.set_major_locator(MultipleLocator(.1))
    upper.xaxis.set_major_formatter(PercentFormatter(1))
    upper.yaxis.set_major_formatter(PercentFormatter(1))
    return figure
