"""The settings: defaults in one place, ranges checked, recipes that the user's options win over."""

import argparse
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import trainer
from mnist_cnn.training.config import Config, add_options, configure

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    "name, values",
    [
        ("num_epochs", [0, -1, 2.5, "5", NAN]),
        ("batch_size", [0, -50, 50.5, 50.0, "50"]),
        ("learning_rate", [-1, 0, NAN, INF, ".1", None]),
        ("momentum", [-0.1, 1, 5, NAN]),
        ("dropout", [-0.1, 1.0, 1.5, NAN]),
        ("distorted", [-0.1, 1.1, NAN]),
        ("ema", [-1, NAN, INF]),
        ("warm_up", [-1, NAN, 5]),
        ("seed", [-1, 2**32, 1.5]),
        ("schedule", ["cos", None, 1]),
        ("engine", ["Fused", "", None]),
        ("device", [""]),
        ("all_data", [2, "yes"]),
    ],
)
def test_values_out_of_range(name, values):
    for value in values:
        with pytest.raises(MnistCnnError, match="^{} is ".format(name)):
            Config(**{name: value})
        with pytest.raises(MnistCnnError, match="^{} is ".format(name)):
            trainer.main(**{name: value})


def test_values_keep_their_type():
    config = Config(batch_size=np.int64(20), learning_rate=1, dropout=np.float32(0.25), seed=0)
    assert (config.batch_size, config.learning_rate, config.dropout) == (20, 1.0, 0.25)
    assert type(config.batch_size) is int and type(config.learning_rate) is float
    with pytest.raises(FrozenInstanceError):
        config.batch_size = 10


def test_the_tutorials_numbers_are_the_default():
    config = Config()
    assert (config.learning_rate, config.momentum, config.dropout) == (0.01, 0.9, 0.5)
    assert (config.num_epochs, config.batch_size) == (5, 50)
    assert not (config.warm_up or config.distorted or config.ema or config.all_data)
    assert configure() == config


def test_the_users_options_win_over_the_recipes():
    best = configure("best", num_epochs=5)
    assert (best.batch_size, best.learning_rate, best.dropout) == (100, 0.05, 0.2)
    given = configure("best", num_epochs=5, dropout=0.7, batch_size=50, ema=0)
    assert (given.dropout, given.batch_size, given.ema) == (0.7, 50, 0)
    assert (given.schedule, given.distorted) == (best.schedule, best.distorted)


@pytest.mark.parametrize("name", ["Best", "", None])
def test_unknown_recipe(name):
    with pytest.raises(MnistCnnError, match="^recipe is .* must be 'plain' or 'best'"):
        trainer.main(recipe=name)


def test_unknown_option():
    with pytest.raises(MnistCnnError, match="no option epochs; the options are: num_epochs, "):
        trainer.main(epochs=5)


@pytest.mark.parametrize("recipe", ["plain", "best"])
def test_the_command_line_is_made_from_the_fields(recipe):
    """No option given, nothing said: the recipe decides. All given: all are taken."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert vars(parser.parse_args([])) == {}
    wanted = dict(
        num_epochs=7,
        batch_size=20,
        learning_rate=0.5,
        schedule="cosine",
        warm_up=0.5,
        momentum=0.1,
        dropout=0.25,
        distorted=0.75,
        skip_easy=0.5,
        ema=2.0,
        all_data=True,
        seed=9,
        engine="plain",
        device="cpu",
    )
    assert set(wanted) == {setting.name for setting in fields(Config)}
    args = ["--epochs", "7"]
    for name, value in wanted.items():
        if name != "num_epochs":
            args += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    assert configure(recipe, **vars(parser.parse_args(args))) == Config(**wanted)
