"""Feature vectors in the plane: principal components and t-SNE."""

import numpy as np

from ..system.errors import MnistCnnError

__all__ = ["pca", "tsne"]


def pca(features: np.ndarray, num_components: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components by singular value decomposition.

    Parameters
    ----------
    features : array
        (n, dimensions).
    num_components : int
        How many, at most min(n, dimensions).

    Returns
    -------
    projected : array
        (n, num_components), the centred features along the components.
    components : array
        (num_components, dimensions), orthonormal, with the greatest variance first. The entry of
        largest magnitude is positive in each.
    explained : array
        (num_components,), their shares of the total variance, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.analysis.embedding import pca
    >>> projected, components, explained = pca(np.float64([[0, 0], [3, 4], [6, 8]]), 1)
    >>> components.round(3), explained.round(3)
    (array([[0.6, 0.8]]), array([1.]))
    >>> np.abs(projected).ravel().round(3)
    array([5., 0., 5.])
    """
    centred = features - features.mean(axis=0)
    _, sizes, components = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(len(components)), largest])[:, None]
    components = components[:num_components]
    explained = sizes[:num_components] ** 2 / max((sizes**2).sum(), np.finfo(float).tiny)
    return centred @ components.T, components, explained


def tsne(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """Place points in the plane so that neighbours stay neighbours: t-SNE [1]_.

    Distances between groups and the sizes of groups mean nothing.

    Parameters
    ----------
    features : array
        (n, dimensions), n more than 30; some thousand take seconds.
    seed : int

    Returns
    -------
    float32 array
        (n, 2).

    Raises
    ------
    MnistCnnError
        When scikit-learn is not installed.

    References
    ----------
    .. [1] L. van der Maaten, G. Hinton: Visualizing data using t-SNE. Journal of Machine Learning
       Research 9, 2008.
    """
    try:
        from sklearn.manifold import TSNE  # here: it takes a second to import
    except ImportError as error:
        raise MnistCnnError("t-SNE needs scikit-learn; run: pip install -e .[tsne]") from error
    projected, _, _ = pca(features, min(50, *features.shape))
    return TSNE(init="pca", learning_rate="auto", random_state=seed).fit_transform(projected)
