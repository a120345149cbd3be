"""The network's accuracy, mistakes and calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from ...datasets.labels import are_digits, noun, shorten
from ...drawing.colour import colour_map
from ...drawing.layout import DARK, LIGHT, new_figure
from ...drawing.palette import on_light
from .marks import MOST_CLASSES, labels_of, percent

__all__ = ["plot_confusion", "plot_accuracy", "plot_mistakes", "plot_reliability"]


def plot_confusion(matrix: np.ndarray, names: Sequence[str] | None = None) -> Figure:
    """Draw a confusion matrix.

    Parameters
    ----------
    matrix : int array
        As `mnist_cnn.analysis.metrics.confusion_matrix` returns it.
    names : sequence of str, optional
        The classes' names; by default digits.

    Returns
    -------
    matplotlib Figure
        All counts; the colour scale has the mistakes alone, since the right answers are far more.
    """
    total, right = matrix.sum(), np.trace(matrix)
    labels = labels_of(names, len(matrix))
    wordy = max(map(len, labels)) > 2
    side = max(6.1, 0.38 * len(matrix)) + 0.7 * wordy
    figure = new_figure(figsize=(side + 1.5, side + 0.9), layout="constrained")
    ax = figure.add_subplot()
    ax.set_title(
        "{:,} of {:,} test {}s are taken for another".format(total - right, total, noun(labels)), fontsize=13, pad=10
    )
    mistakes = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    top = max(np.nanmax(mistakes), 1)
    ax.set_facecolor(on_light("line")[0])  # the colour of the diagonal
    drawn = ax.imshow(mistakes, cmap=colour_map("count", "zero", "negative-mid", "negative-full"), vmin=0, vmax=top)
    size: dict[str, Any] = dict(fontsize=7) if len(matrix) > MOST_CLASSES else {}
    for (row, column), count in np.ndenumerate(matrix):
        if row == column:
            ax.text(column, row, str(count), ha="center", va="center", color=DARK, **size)
        elif count:
            ax.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                color="white" if count > 0.7 * top else "black",
                **size,
            )
    ax.set_xticks(range(len(matrix)))
    ax.set_yticks(range(len(matrix)))
    ax.set_xticklabels(labels, rotation=90 if wordy else 0)
    ax.set_yticklabels(labels)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted", fontsize=12)
    ax.set_ylabel("true", fontsize=12)
    figure.colorbar(drawn, ax=ax, shrink=0.6, label="mistakes", ticks=MaxNLocator(6, integer=True))
    return figure


def plot_accuracy(
    num_correct: np.ndarray, counts: np.ndarray, low: np.ndarray, high: np.ndarray, names: Sequence[str] | None = None
) -> Figure:
    """Draw the accuracy by class with its confidence interval.

    Parameters
    ----------
    num_correct, counts : int arrays
        (classes,), right answers and images of each class.
    low, high : arrays
        (classes,), the bounds, in [0, 1].
    names : sequence of str, optional
        The classes' names; by default digits.

    Returns
    -------
    matplotlib Figure
        The classes from left to right; from the top where they are many or have long names.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracies = num_correct / counts  # NaN for a class without images
    labels = labels_of(names, len(counts))
    title = "Accuracy by {}, with 95 % confidence intervals\n(line: all {}s, {:.2f} %)".format(
        "digit" if are_digits(labels) else "class", noun(labels), 100 * num_correct.sum() / counts.sum()
    )
    upright = len(counts) <= MOST_CLASSES and max(map(len, labels)) <= 3
    figure = new_figure(figsize=(8, 4.6 if upright else 0.3 * len(counts) + 1.6), layout="constrained")
    ax = figure.add_subplot()
    classes = np.arange(len(counts))
    overall = 100 * num_correct.sum() / counts.sum()
    spans = 100 * np.abs([accuracies - low, high - accuracies])
    texts = [
        "{} of {}{}wrong".format(count - right, count, "\n" if upright else " ")
        for right, count in zip(num_correct, counts)
    ]
    bottom, top = 100 * np.min(low[counts > 0]), 100
    ax.set_title(title)
    if upright:
        ax.axhline(overall, color=LIGHT, zorder=0)
        ax.errorbar(classes, 100 * accuracies, spans, fmt="o", color=DARK, capsize=4)
        for number in classes[counts > 0]:
            ax.annotate(
                texts[number],
                (number, 100 * low[number]),
                (0, -6),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=8,
            )
        ax.set_ylim(bottom - 0.22 * (top - bottom), top + 0.04 * (top - bottom))
        ax.set_xlim(-0.6, len(counts) - 0.4)
        ax.set_xticks(classes)
        ax.set_xticklabels(labels)
        ax.set_xlabel("digit" if are_digits(labels) else "class")
        ax.set_ylabel("accuracy [%]")
        ax.grid(axis="y", alpha=0.3)
        return figure
    ax.axvline(overall, color=LIGHT, zorder=0)
    ax.errorbar(100 * accuracies, classes, xerr=spans, fmt="o", color=DARK, capsize=3)
    for number in classes[counts > 0]:
        ax.annotate(
            texts[number], (1.01, number), xycoords=("axes fraction", "data"), ha="left", va="center", fontsize=8
        )
    ax.set_xlim(bottom - 0.04 * (top - bottom), top + 0.04 * (top - bottom))
    ax.set_ylim(len(counts) - 0.4, -0.6)
    ax.set_yticks(classes)
    ax.set_yticklabels(labels)
    ax.set_xlabel("accuracy [%]")
    ax.grid(axis="x", alpha=0.3)
    return figure


def plot_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    indices: np.ndarray,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw wrong answers.

    Parameters
    ----------
    images : array
        (n, rows, columns) or, in colour, (n, rows, columns, 3), in [0, 1].
    labels : int array
        (n,).
    probabilities : array
        (n, classes).
    indices : int array
        (n,), the images' numbers in the test set.
    names : sequence of str, optional
        The classes' names; by default digits.

    Returns
    -------
    matplotlib Figure
        Rows of six images, each with its class and the network's two likeliest classes.
    """
    rows = max(1, -(-len(images) // 6))
    texts = [shorten(text, 11) for text in labels_of(names, probabilities.shape[1])]
    form = "{},\nsays {} ({}),\nthen {} ({})" if max(map(len, texts)) > 3 else "{}, says {} ({})\nthen {} ({})"
    form = "a " * are_digits(texts) + form
    height = 2.05 + 0.16 * (form.count("\n") - 1)
    figure = new_figure(figsize=(10, height * rows + 0.8), layout="constrained")
    figure.suptitle(
        "The mistakes that the network is surest of" if len(images) else "The network made no mistake", fontsize=14
    )
    axes = figure.subplots(rows, 6, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, label, answer, index in zip(axes.flat, images, labels, probabilities, indices):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        first, second = np.argsort(-answer, kind="stable")[:2]
        ax.set_title(
            form.format(texts[label], texts[first], percent(answer[first]), texts[second], percent(answer[second])),
            fontsize=9 if form.count("\n") == 1 else 8,
        )
        number = ax.text(0.03, 0.03, "#{}".format(index), transform=ax.transAxes, color="white", fontsize=7)
        if not are_digits(texts):  # digits leave that corner black
            number.set_path_effects([withStroke(linewidth=1.5, foreground="black")])
    return figure


def plot_reliability(
    counts: np.ndarray,
    num_correct: np.ndarray,
    confidence: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    error: float,
    noun: str = "digit",
) -> Figure:
    """Draw the reliability diagram: accuracy over confidence.

    Parameters
    ----------
    counts, num_correct, confidence : arrays
        (bins,), as `mnist_cnn.analysis.metrics.calibration_bins` returns them.
    low, high : arrays
        (bins,), bounds of the bins' accuracies, in [0, 1]; not used for empty bins.
    error : float
        The expected calibration error, in [0, 1].
    noun : str
        The word for an image.

    Returns
    -------
    matplotlib Figure
        Accuracy over confidence with the bins' intervals, and the bins' counts below.
    """
    figure = new_figure(figsize=(6.4, 7), layout="constrained")
    figure.suptitle(
        "Is the network as often right as it is sure?\nExpected calibration error: {:.2f} %".format(100 * error)
    )
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw=dict(height_ratios=(3, 1)))
    filled = counts > 0
    accuracies = num_correct[filled] / counts[filled]
    upper.plot([0, 1], [0, 1], color=LIGHT, zorder=0, label="as sure as right")
    upper.errorbar(
        confidence[filled],
        accuracies,
        np.abs([accuracies - low[filled], high[filled] - accuracies]),
        fmt="o",
        color=DARK,
        capsize=3,
        label="accuracy in a bin (95 % interval)",
    )
    upper.set_ylabel("accuracy")
    upper.set_ylim(-0.03, 1.03)
    upper.legend(loc="upper left")
    upper.grid(alpha=0.3)
    edges = np.linspace(0, 1, len(counts) + 1)
    lower.bar(edges[:-1], counts, np.diff(edges), align="edge", color=DARK, edgecolor="white")
    lower.set_yscale("log")
    lower.set_ylim(0.7, counts.max() * 3)
    lower.set_xlim(0, 1)
    lower.set_ylabel(noun + "s")
    lower.set_xlabel("confidence: probability of the answer")
    for ax in (upper, lower):
        ax.yaxis.set_label_coords(-0.11, 0.5)
    for axis in (upper.xaxis, upper.yaxis):
        axis.set_major_locator(MultipleLocator(0.1))
    upper.xaxis.set_major_formatter(PercentFormatter(1))
    upper.yaxis.set_major_formatter(PercentFormatter(1))
    return figure
