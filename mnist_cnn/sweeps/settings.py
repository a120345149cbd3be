"""The settings of a sweep, with their names and options, and its seeds."""

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..storage.atomic import open_regular
from ..system.errors import MnistCnnError
from ..training.config import RECIPES, Config, configure

MAX_SEEDS = 10**4

__all__ = ["expand", "parse_grid", "parse_seeds", "read_spec"]


def parse_seeds(text: str | Sequence[int]) -> list[int]:
    """Read a list of seeds such as '1-10' or '1-3,7'.

    Parameters
    ----------
    text : str or sequence of int

    Returns
    -------
    list of int
        Sorted, without duplicates.

    Raises
    ------
    MnistCnnError
        When the text is invalid.

    Examples
    --------
    >>> from mnist_cnn.sweeps.settings import parse_seeds
    >>> parse_seeds("1-3,7")
    [1, 2, 3, 7]
    """
    if not isinstance(text, str):
        return sorted(set(text))
    seeds = set()
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            some = range(int(first), int(last if dash else first) + 1)
            if some and not (0 <= some[0] and some[-1] < 2**32 and some[-1] - some[0] < MAX_SEEDS):
                raise ValueError
            seeds.update(some)
    except ValueError as error:
        raise MnistCnnError(
            "seeds is {!r}; it must be like '1-10' or '1-3,7': at most {} numbers, 0 to 2**32 - 1".format(
                text, MAX_SEEDS
            )
        ) from error
    if not seeds:
        raise MnistCnnError("seeds is {!r}, an empty list".format(text))
    return sorted(seeds)


def parse_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Read a grid such as ``['dropout=.2,.5', 'learning_rate=.03,.05']``.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    dict
        From an option of `Config` to the list of its values.

    Raises
    ------
    MnistCnnError
        When a text is invalid.

    Examples
    --------
    >>> from mnist_cnn.sweeps.settings import parse_grid
    >>> parse_grid(["dropout=.2,.5", "learning-rate=.03"])
    {'dropout': [0.2, 0.5], 'learning_rate': [0.03]}
    """
    grid = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise MnistCnnError("grid has {!r}; it must be like dropout=.2,.5".format(text))
        grid[name.replace("-", "_")] = [_value(value) for value in values.split(",")]
    return grid


def _value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def read_spec(path: Path | str) -> dict[str, Any]:
    """Read a sweep from a TOML file.

    Parameters
    ----------
    path : path-like
        It may have ``recipes``, a list of names; ``seeds``, a text for `parse_seeds`; the tables
        ``[options]``, for all settings, and ``[grid]``, lists of values; and tables
        ``[settings.NAME]`` for settings outside the grid, with ``recipe`` and options of `Config`.

    Returns
    -------
    dict

    Raises
    ------
    MnistCnnError
        When the file cannot be read or has other entries.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.sweeps.settings import read_spec
    >>> _ = Path("sweep.toml").write_text('recipes = ["plain", "best"]')
    >>> read_spec("sweep.toml")
    {'recipes': ['plain', 'best']}
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open_regular(path) as file:
            spec = tomllib.load(file)
    except OSError as error:
        raise MnistCnnError("cannot read {}: {}".format(path, error.strerror)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MnistCnnError("{} is not a TOML file: {}".format(path, error)) from error
    kinds = dict(recipes=list, seeds=str, options=dict, grid=dict, settings=dict)
    for name, value in spec.items():
        if not isinstance(value, kinds.get(name, ())):
            raise MnistCnnError(
                '{} has {!r}; it can have recipes (a list), seeds (like "1-10"), '
                "[options], [grid] and [settings.NAME]".format(path, name)
            )
    return spec


def expand(
    recipes: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Config]:
    """Make the settings of a sweep: every recipe at every point of the grid, and named settings.

    Parameters
    ----------
    recipes : sequence of str
        Names in `mnist_cnn.training.config.RECIPES`; by default 'plain', if there are no `settings`.
    options : dict
        Options of `Config` for all settings.
    grid : dict
        From an option to the list of its values.
    settings : dict
        From a name to a dict with options, and 'recipe' if it is not 'plain'.

    Returns
    -------
    dict
        From each setting's name to its `Config`, without a seed.

    Raises
    ------
    MnistCnnError
        When a recipe, an option or a value is invalid.

    Examples
    --------
    >>> from mnist_cnn.sweeps.settings import expand
    >>> configs = expand(["plain", "best"], grid={"dropout": [.2, .5]})
    >>> for name, config in configs.items():
    ...     print(name, config.dropout, config.batch_size)
    plain, dropout 0.2 0.2 50
    plain, dropout 0.5 0.5 50
    best, dropout 0.2 0.2 100
    best, dropout 0.5 0.5 100
    """
    options, grid, settings = options or {}, grid or {}, settings or {}
    for values in grid.values():
        if not isinstance(values, list) or not values:
            raise MnistCnnError("grid has {!r}; it must have lists of values".format(values))
    configs = {}
    if recipes or not settings:
        for recipe in recipes or ("plain",):
            for point in itertools.product(*grid.values()):
                chosen = dict(zip(grid, point))
                name = ", ".join([recipe] + ["{} {}".format(*item) for item in chosen.items()])
                configs[name] = configure(recipe, **{**options, **chosen})
    for name, own in settings.items():
        chosen = {**options, **own}
        configs[name] = configure(chosen.pop("recipe", "plain"), **chosen)
    if any(config.seed is not None for config in configs.values()):
        raise MnistCnnError("a setting cannot have a seed; give --seeds")
    return configs


def is_recipe(text: str) -> bool:
    """Whether a word on the command line names a recipe, and not a file."""
    return text in RECIPES and not Path(text).suffix
