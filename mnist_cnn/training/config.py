"""The settings of a training: their defaults, ranges and meanings, for the shell and for Python.

All defaults are in `Config`. The command line is made from its fields, and
`mnist_cnn.training.trainer.main` passes its options on to `configure`.
"""

import argparse
import math
import numbers
from dataclasses import dataclass, field, fields
from typing import Any

from ..datasets.labels import shorten
from ..system.errors import MnistCnnError

__all__ = ["Config", "RECIPES", "configure", "add_options"]


def _setting(default, accepts, wanted, help, kind=float, **argument):
    """A field of `Config`: its default, and the values that it accepts, in code and in words."""
    return field(
        default=default, metadata=dict(accepts=accepts, wanted=wanted, help=help, kind=kind, argument=argument)
    )


def _choice(default, choices, help):
    return _setting(default, choices.__contains__, " or ".join(map(repr, choices)), help, str, choices=choices)


@dataclass(frozen=True)
class Config:
    """All that a training's result depends on, besides the data. The defaults are the tutorial's.

    Parameters
    ----------
    num_epochs : int
        Passes over the training data.
    batch_size : int
        Examples in a step. An epoch drops a last, smaller batch; validation and test use it.
    learning_rate : float
        The step size of gradient descent; with a schedule its maximum.
    schedule : str
        'constant', or 'cosine': from `learning_rate` down to 0 along half a cosine [1]_.
    warm_up : float
        Epochs in which the learning rate rises linearly from 0, fewer than `num_epochs`.
    momentum : float
        Nesterov's, in [0, 1).
    dropout : float
        Probability that training drops a feature before each dense layer, in [0, 1).
    distorted : float
        Share of each batch that `mnist_cnn.training.distortions` distorts, in [0, 1].
    skip_easy : float
        Share of the easy examples that a pass leaves out (`mnist_cnn.training.focus`), in [0, 1).
    ema : float
        The time constant, in epochs, of an exponential moving average of the weights [2]_. The average
        is measured and saved in place of the last weights. 0 for none.
    all_data : bool
        Whether to train on the validation digits too. Nothing is validated then.
    seed : int, optional
        0 to 2**32 - 1. A run on the CPU with the same seed repeats to the last bit: weights, order of
        examples, dropout.
    engine : str
        'fused' for the fast layers of `mnist_cnn.fused`, 'plain' for Lasagne's own, 'auto' for the
        fast ones where they run.
    device : str, optional
        'cpu', 'cuda', 'cuda0', 'opencl0:0' and the like; by default the device of Theano's
        configuration.

    Raises
    ------
    MnistCnnError
        When a value is out of its range.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter: SGDR: Stochastic gradient descent with warm restarts.
       ICLR 2017. https://arxiv.org/abs/1608.03983
    .. [2] B. T. Polyak, A. B. Juditsky: Acceleration of stochastic approximation by averaging.
       SIAM Journal on Control and Optimization 30, 1992.

    Examples
    --------
    >>> from mnist_cnn.training.config import Config
    >>> Config(batch_size=100).learning_rate
    0.01
    >>> Config(dropout=2)
    Traceback (most recent call last):
        ...
    mnist_cnn.system.errors.MnistCnnError: dropout is 2; it must be a number in [0, 1)
    """

    num_epochs: int = _setting(
        5,
        lambda n: 1 <= n <= 10**9,
        "a whole number, 1 to 10**9",
        "passes over the training data",
        int,
        flag="--epochs",
        metavar="N",
    )
    batch_size: int = _setting(
        50, lambda n: n >= 1, "a whole number, at least 1", "examples in a training step", int, metavar="N"
    )
    learning_rate: float = _setting(
        0.01,
        lambda x: 0 < x < 3e38,
        "a positive number, below 3e38",
        "step size of gradient descent; with a schedule its maximum",
        metavar="X",
    )
    schedule: str = _choice("constant", ("constant", "cosine"), "how the learning rate changes after the warm-up")
    warm_up: float = _setting(
        0.0,
        lambda x: 0 <= x < math.inf,
        "a number of epochs, at least 0",
        "epochs in which the learning rate rises from 0",
        metavar="EPOCHS",
    )
    momentum: float = _setting(0.9, lambda x: 0 <= x < 1, "a number in [0, 1)", "Nesterov momentum", metavar="X")
    dropout: float = _setting(
        0.5,
        lambda x: 0 <= x < 1,
        "a number in [0, 1)",
        "probability that training drops a feature before each dense layer",
        metavar="P",
    )
    distorted: float = _setting(
        0.0, lambda x: 0 <= x <= 1, "a number in [0, 1]", "share of each batch that is distorted", metavar="SHARE"
    )
    skip_easy: float = _setting(
        0.0,
        lambda x: 0 <= x < 1,
        "a number in [0, 1)",
        "share of the examples with a small loss that each pass over the data leaves out, so that "
        "the others come more often",
        metavar="SHARE",
    )
    ema: float = _setting(
        0.0,
        lambda x: 0 <= x <= 10**9,
        "a number of epochs, 0 to 10**9",
        "time constant of an exponential moving average of the weights, which is then measured and saved; 0 for none",
        metavar="EPOCHS",
    )
    all_data: bool = _setting(
        False,
        lambda x: x in (False, True),
        "True or False",
        "train on the 10,000 validation digits too, for a last run with all settings chosen; nothing is validated then",
        bool,
    )
    seed: int = _setting(
        None,
        lambda n: 0 <= n < 2**32,
        "a whole number, 0 to 2**32 - 1",
        "makes a run on the CPU repeat to the last bit, 0 to 2**32 - 1",
        int,
        metavar="N",
    )
    engine: str = _choice(
        "auto",
        ("auto", "fused", "plain"),
        "fused: the fast C++ layers for the CPU; plain: Lasagne's own; auto: fused where they run",
    )
    device: str = _setting(
        None,
        lambda text: bool(text),
        "cpu, cuda, cuda0, opencl0:0 or the like",
        "cpu, cuda, cuda0, opencl0:0",
        str,
        metavar="NAME",
    )

    def __post_init__(self):
        for setting in fields(self):
            value = getattr(self, setting.name)
            if value is None and setting.default is None:
                continue
            value = _converted(setting, value)
            object.__setattr__(self, setting.name, value)  # the dataclass is frozen
        if self.warm_up >= self.num_epochs:
            raise MnistCnnError(
                "warm_up is {:g}; it must be less than num_epochs, {}".format(self.warm_up, self.num_epochs)
            )

    def learning_rate_at(self, epoch: float) -> float:
        r"""The learning rate after a number of epochs.

        .. math:: \eta(e) = \frac{\eta}{2} \left(1 + \cos \pi \frac{e - w}{n - w}\right)
           \text{ for a cosine; } \eta \, e / w \text{ in the warm-up}

        Parameters
        ----------
        epoch : float
            :math:`e`, the epochs done so far; :math:`w` is `warm_up`, :math:`n` `num_epochs`.

        Returns
        -------
        float

        Examples
        --------
        >>> from mnist_cnn.training.config import Config
        >>> config = Config(num_epochs=4, learning_rate=.1, schedule="cosine", warm_up=1)
        >>> [round(config.learning_rate_at(epoch), 4) for epoch in (0, .5, 1, 2.5, 4)]
        [0.0, 0.05, 0.1, 0.05, 0.0]
        """
        if epoch < self.warm_up:
            return self.learning_rate * epoch / self.warm_up
        if self.schedule == "constant":
            return self.learning_rate
        done = min(1.0, (epoch - self.warm_up) / (self.num_epochs - self.warm_up))
        return self.learning_rate / 2 * (1 + math.cos(math.pi * done))


def _converted(setting, value):
    """A setting's value in its own type; MnistCnnError where it is invalid."""
    kind, wanted = setting.metadata["kind"], setting.metadata["wanted"]
    types = {int: numbers.Integral, float: numbers.Real, bool: object, str: str}
    if not isinstance(value, types[kind]) or not setting.metadata["accepts"](value):
        raise MnistCnnError("{} is {}; it must be {}".format(setting.name, shorten(repr(value), 80), wanted))
    return kind(value)


def _plain(num_epochs=5):
    """The tutorial's settings."""
    return dict(num_epochs=num_epochs)


def _best(num_epochs=5):
    """Higher accuracy from the same network; it rises with the number of epochs."""
    return dict(
        num_epochs=num_epochs,
        batch_size=100,
        learning_rate=0.05,
        schedule="cosine",
        warm_up=min(1, num_epochs / 10),
        dropout=0.2,
        distorted=0.5,
        ema=num_epochs / 50,
    )


def _focused(num_epochs=14):
    """As `_best`, with hard digits more often; more accurate in 14 epochs than the tutorial's in 50."""
    return dict(_best(num_epochs), skip_easy=0.6)


def _fast(num_epochs=2):
    """The accuracy of the tutorial's five epochs in the least time."""
    return dict(
        num_epochs=num_epochs,
        batch_size=100,
        learning_rate=0.1,
        schedule="cosine",
        warm_up=num_epochs / 10,
        dropout=0.1,
    )


#: The recipes by name: functions from the number of epochs to a recipe's options. Their values were
#: chosen on the validation digits (docs/accuracy.md).
RECIPES = {"plain": _plain, "best": _best, "focused": _focused, "fast": _fast}


def configure(recipe: str = "plain", **options: Any) -> Config:
    """Make the `Config` of a recipe.

    Parameters
    ----------
    recipe : str
        'plain', the tutorial's; 'best': a schedule, lighter dropout, distorted digits and averaged
        weights; 'focused': the same with hard digits more often, for 14 epochs; or 'fast': a
        schedule with larger steps, for two (docs/accuracy.md).
    **options
        Fields of `Config`. They override the recipe's.

    Returns
    -------
    Config

    Raises
    ------
    MnistCnnError
        When a recipe or option is unknown, or a value is out of its range.

    Examples
    --------
    >>> from mnist_cnn.training.config import configure
    >>> configure("best").dropout
    0.2
    >>> configure("best", dropout=.7).dropout
    0.7
    """
    if recipe not in RECIPES:
        raise MnistCnnError("recipe is {!r}; it must be {}".format(recipe, " or ".join(map(repr, RECIPES))))
    known = [setting.name for setting in fields(Config)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise MnistCnnError("there is no option {}; the options are: {}".format(", ".join(unknown), ", ".join(known)))
    given = {name: options[name] for name in options if name == "num_epochs"}
    Config(**given)  # the recipe computes with num_epochs, so it must be valid
    return Config(**dict(RECIPES[recipe](**given), **options))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of `Config` to a command line.

    The result has only the options that are given; the recipe decides on the others.

    Parameters
    ----------
    parser : argparse.ArgumentParser

    Examples
    --------
    >>> import argparse
    >>> from mnist_cnn.training.config import add_options
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> parser.parse_args(["--epochs", "2"])
    Namespace(num_epochs=2)
    """
    others = {name: recipe() for name, recipe in RECIPES.items()}
    for setting in fields(Config):
        argument = dict(setting.metadata["argument"], default=argparse.SUPPRESS)
        flag = argument.pop("flag", "--" + setting.name.replace("_", "-"))
        kind, text = setting.metadata["kind"], setting.metadata["help"]
        if kind is bool:
            argument["action"] = "store_true"
        else:
            argument["type"] = kind
            defaults = [str("none" if setting.default is None else setting.default)]
            form = "with --recipe {} {}" if kind is str else "with --recipe {} {:g}"
            defaults += [
                form.format(name, values[setting.name])
                for name, values in others.items()
                if values.get(setting.name, setting.default) != setting.default
            ]
            text = "{} (default: {})".format(text, "; ".join(defaults))
        parser.add_argument(flag, dest=setting.name, help=text.replace("%", "%%"), **argument)
