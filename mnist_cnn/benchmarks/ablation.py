"""What each ingredient of the better recipe is worth: a sweep with and without it."""

from ..support.errors import MnistCnnError
from ..sweeps import report, sweep
from ..sweeps.settings import expand, parse_seeds
from ..training.config import RECIPES

__all__ = ["variants", "main"]


def variants(num_epochs):
    """The settings to compare, from the plain recipe to the best.

    Parameters
    ----------
    num_epochs : int

    Returns
    -------
    dict
        From each name to the fields of `mnist_cnn.training.config.Config` that make it.

    Examples
    --------
    >>> from mnist_cnn.benchmarks.ablation import variants
    >>> list(variants(num_epochs=5))[:3]
    ['plain', 'schedule', 'schedule, average']
    """
    full = RECIPES["best"](num_epochs)

    def without(*names):
        return {name: value for name, value in full.items() if name not in names}

    return {"plain": {"num_epochs": num_epochs},
            "schedule": without("ema", "distorted", "dropout"),
            "schedule, average": without("distorted", "dropout"),
            "schedule, average, distortions": dict(without("dropout"), distorted=1),
            "schedule, average, distortions, less dropout": dict(full, distorted=1),
            "best: half of the digits undistorted": full,
            "best, without average": without("ema"),
            "best, on all 60,000 digits": dict(full, all_data=True)}


def main(num_epochs=50, seeds="1-3", only=None, output="ablation", data_dir=None, scheduler=None,
         workers=None, threads=None, dataset=None):
    """Train every variant with every seed and print how they compare.

    Parameters
    ----------
    num_epochs : int
        Of every training.
    seeds : str or sequence of int
        Like '1-3'.
    only : sequence of str, optional
        The variants to train; by default all of `variants`.
    output, data_dir, scheduler, workers, threads, dataset
        As for `mnist_cnn.sweeps.sweep`.

    Raises
    ------
    MnistCnnError
        As `mnist_cnn.sweeps.sweep` does.

    Examples
    --------
    >>> from mnist_cnn.benchmarks.ablation import main
    >>> main(only=["nothing"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    mnist_cnn.support.errors.MnistCnnError: ...
    """
    expand(options={"num_epochs": num_epochs})  # checked before the recipe reckons with it
    wanted = variants(num_epochs)
    for name in only or ():
        if name not in wanted:
            raise MnistCnnError("there is no variant {!r}; there are: {}".format(
                name, "; ".join(wanted)))
    configs = expand(settings={name: wanted[name] for name in only or wanted})
    records = sweep(configs, parse_seeds(seeds), output, data_dir, scheduler, workers, threads,
                    dataset, then=report)
