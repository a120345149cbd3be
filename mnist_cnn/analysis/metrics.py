"""Measures of a classifier: confusion, confidence intervals, calibration."""

from typing import TypeVar

import numpy as np

__all__ = [
    "confusion_matrix",
    "wilson_interval",
    "calibration_bins",
    "expected_calibration_error",
    "confident_mistakes",
]


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int = 10) -> np.ndarray:
    """Count the predictions by true and predicted class.

    Parameters
    ----------
    labels, predictions : int arrays
        (n,), from 0 to num_classes - 1.
    num_classes : int

    Returns
    -------
    int array
        (num_classes, num_classes): counts by true class (row) and predicted class (column).

    Examples
    --------
    >>> from mnist_cnn.analysis.metrics import confusion_matrix
    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 2], num_classes=3)
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    pairs = np.asarray(labels, int) * num_classes + np.asarray(predictions, int)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


Number = TypeVar("Number", float, np.ndarray)


def wilson_interval(successes: Number, trials: Number, z: float = 1.959964) -> tuple[Number, Number]:
    """Confidence interval of a proportion, by Wilson's score [1]_.

    Near 100 % the usual p +- z sqrt(p (1 - p) / n) is too narrow and exceeds 1. Wilson's interval
    stays within [0, 1] and has the nominal coverage.

    Parameters
    ----------
    successes, trials : int or int arrays
        At least one trial each.
    z : float
        Quantile of the normal distribution; 1.96 for 95 %.

    Returns
    -------
    low, high : float or arrays
        In [0, 1].

    References
    ----------
    .. [1] E. B. Wilson: Probable inference, the law of succession, and statistical inference.
       Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> from mnist_cnn.analysis.metrics import wilson_interval
    >>> low, high = wilson_interval(9900, 10000)
    >>> print("{:.4f} to {:.4f}".format(low, high))
    0.9879 to 0.9918
    """
    # scipy.stats.binomtest has it for one proportion at a time, and takes 0.4 s to import
    count = np.asarray(trials, float)
    share = successes / count
    centre = share + z**2 / (2 * count)
    spread = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    # at 0 and 1 the exact bounds are 0 and 1; rounding must not cross them
    return np.maximum((centre - spread) / scale, 0), np.minimum((centre + spread) / scale, 1)


def calibration_bins(
    confidences: np.ndarray, correct: np.ndarray, num_bins: int = 15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort predictions into bins by confidence, and count the right ones.

    Parameters
    ----------
    confidences : array
        (n,), the probabilities of the answers, in [0, 1].
    correct : bool array
        (n,), whether each answer is right.
    num_bins : int
        Bins of equal width, each with its upper edge; the first has 0 too.

    Returns
    -------
    counts, num_correct : int arrays
        (num_bins,), predictions and right predictions in each bin.
    confidence : array
        (num_bins,), mean confidence of each bin; NaN for an empty one.
    """
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    num_correct = np.bincount(bins[np.asarray(correct, bool)], minlength=num_bins)
    sums = np.bincount(bins, np.asarray(confidences, float), minlength=num_bins)
    return counts, num_correct, np.divide(sums, counts, out=np.full(num_bins, np.nan), where=counts > 0)


def expected_calibration_error(confidences: np.ndarray, correct: np.ndarray, num_bins: int = 15) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy [1]_.

    Parameters
    ----------
    confidences, correct, num_bins
        As for `calibration_bins`.

    Returns
    -------
    float
        In [0, 1]: the bins' ``|accuracy - confidence|``, weighted by their counts.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger: On calibration of modern neural networks.
       ICML 2017. https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.metrics import expected_calibration_error
    >>> sure_and_half_right = np.full(10, .95), np.arange(10) % 2 == 0
    >>> print("{:.2f}".format(expected_calibration_error(*sure_and_half_right)))
    0.45
    """
    counts, num_correct, confidence = calibration_bins(confidences, correct, num_bins)
    return float(np.nansum(np.abs(num_correct - counts * confidence)) / counts.sum())


def confident_mistakes(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Find the wrong answers with the highest probability.

    Parameters
    ----------
    probabilities : array
        (n, classes).
    labels : int array
        (n,).
    count : int
        How many, at most.

    Returns
    -------
    int array
        Their indices, the highest probability first.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.metrics import confident_mistakes
    >>> probabilities = np.array([[.9, .1], [.2, .8], [.6, .4]])
    >>> confident_mistakes(probabilities, np.array([0, 0, 1]), 5)
    array([1, 2])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:count]
