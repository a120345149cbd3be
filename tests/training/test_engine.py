"""What computes the network: asked for by name it is that or an error."""

import numpy as np
import pytest
import theano
import theano.tensor as T

from mnist_cnn import compat
from mnist_cnn.fused import why_nothing
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training.engine import Engine, choose_engine


def test_images_by_number():
    """On a device batches are numbers; what takes the images' place gives them back."""
    parts = [np.random.RandomState(0).rand(n, 1, 28, 28).astype("float32") for n in (5, 3, 2)]
    input_var, images, all_numbers = Engine("cuda0").place(*parts)
    get = theano.function([input_var], images)
    for part, numbers in zip(parts, all_numbers):
        np.testing.assert_array_equal(get(numbers[::-1]), part[::-1])
        assert len(numbers) == len(part)
    with pytest.raises(IndexError):
        get(np.array([10]))


@pytest.mark.parametrize("name, travel", [("plain", False), ("cuda0", True)])
def test_elsewhere_images_are_the_input(name, travel):
    """On the CPU; and on a device where batches are distorted before they go there."""
    input_var, images, parts = Engine(name).place(1, 2, 3, travel=travel)
    assert input_var is images and parts == (1, 2, 3)


def test_auto_is_fused_here():
    engine = choose_engine()
    assert (engine.name, engine.remark) == ("fused", None)
    engine.compiled(product(engine))
    assert (engine.name, engine.remark) == ("fused", None)


def test_plain_is_theanos_own():
    engine = choose_engine("plain")
    assert why_nothing(product(engine)) == "it was compiled without the optimizations of mnist_cnn"
    assert why_nothing(product(choose_engine())) is None  # the other's mode is not changed


def product(engine, dtype="float32"):
    """A part for the fast path, as an engine compiles it."""
    a, b = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    return theano.function([a, b], T.dot(a, b), mode=engine.mode)


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize(
    "dtype, why", [("float64", "it computes in float64"), (None, "it has no part that the fast path knows")]
)
def test_a_function_without_fast_parts(required, dtype, why):
    engine = Engine("fused", required=required)
    x = T.matrix()
    function = product(engine, dtype) if dtype else theano.function([x], x + 1, mode=engine.mode)
    if required:
        with pytest.raises(MnistCnnError, match="^the engine 'fused' cannot be used: " + why):
            engine.compiled(function)
    else:
        engine.compiled(function)
        assert (engine.name, engine.remark) == ("plain", "plain Theano operations: " + why)


def test_fused_on_a_device_is_an_error(monkeypatch):
    monkeypatch.setattr(compat, "on_device", lambda: True)
    with pytest.raises(MnistCnnError, match="'fused' is for the CPU, and the device is"):
        choose_engine("fused")
