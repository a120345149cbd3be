"""The training curves."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...drawing.layout import new_figure

__all__ = ["plot_history"]


def plot_history(history: np.ndarray) -> Figure:
    """Draw the training curves.

    Parameters
    ----------
    history : structured array
        As `mnist_cnn.storage.records.load_history` returns it.

    Returns
    -------
    matplotlib Figure
        Loss and accuracy by epoch, for training (with dropout) and validation (without), if any.
    """
    figure = new_figure(figsize=(9, 3.6), layout="constrained")
    parts = [part for part in ("training", "validation") if part + "_loss" in (history.dtype.names or ())]
    figure.suptitle("{} by epoch".format(" and ".join(parts).capitalize()))
    for ax, quantity, label, scale in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("cross-entropy [nats]", "accuracy [%]"), (1, 100)
    ):
        for part, marker in zip(parts, "os"):  # a run on all data has no validation
            text = "training (with dropout)" if part == "training" else part
            ax.plot(
                history["epoch"],
                scale * history["{}_{}".format(part, quantity)],
                marker=marker,
                markersize=4,
                label=text,
            )
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(history) == 1:  # center the single point
            ax.set_xlim(history["epoch"][0] - 0.9, history["epoch"][0] + 0.9)
            ax.margins(y=0.4)
        ax.grid(alpha=0.3)
        ax.legend()
    return figure
