"""Figures of a network's computations and of its accuracy: a file for each family.

Each ``plot_`` function takes arrays and returns a Matplotlib figure at its final size. Maps that are to
be compared share their limits. `mnist_cnn.analysis.figures` computes the arrays.
"""

from .activations import plot_activations
from .architecture import plot_architecture
from .attributions import plot_attributions, plot_occlusion
from .embedding import plot_embedding
from .evolution import draw_evolution, plot_evolution
from .filters import plot_classes, plot_second_layer
from .history import plot_history
from .quality import plot_accuracy, plot_confusion, plot_mistakes, plot_reliability

__all__ = [
    "plot_architecture",
    "plot_activations",
    "plot_second_layer",
    "plot_classes",
    "plot_attributions",
    "plot_occlusion",
    "plot_confusion",
    "plot_accuracy",
    "plot_mistakes",
    "plot_reliability",
    "plot_embedding",
    "plot_evolution",
    "draw_evolution",
    "plot_history",
]
