"""Six arrays in the forms that Kaggle, Keras and OpenML give: a line before training, or the same bits."""

import numpy as np
import pytest

from mnist_cnn.datasets.card import Dataset
from mnist_cnn.datasets.checks import check_arrays
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import trainer
from mnist_cnn.training.config import configure


@pytest.fixture(scope="module")
def arrays(mnist):
    return [array[:200] for array in mnist]


def with_array(arrays, k, change):
    return [change(array) if i == k else array for i, array in enumerate(arrays)]


def with_nan(x):
    x = x.copy()
    x[3, 0, 5, 7] = np.nan
    return x


@pytest.mark.parametrize(
    "k, change, message",
    [
        (
            1,
            lambda y: np.eye(10)[y],
            "y_train has the shape (200, 10), one-hot; it must be (n,), the "
            "numbers of the classes: y_train.argmax(axis=1)",
        ),
        (3, lambda y: y[:, None], "y_val has the shape (200, 1); it must be (n,): y_val.ravel()"),
        (5, lambda y: y.astype(int) - 1, "y_test has the label -1; labels must be whole numbers, 0 to 255"),
        (1, lambda y: y + 0.5, "y_train has the label 5.5; labels must be whole numbers, 0 to 255"),
        (1, lambda y: np.where(y == 0, np.nan, y), "y_train has the label nan; labels must be whole numbers, 0 to 255"),
        (1, lambda y: y.astype(str), "y_train has the type <U3; labels must be whole numbers, from 0"),
        (
            0,
            lambda x: np.uint8(x * 256),
            "X_train has pixels from 0 to 255; they must be from 0 to 1: X_train / numpy.float32(256)",
        ),
        (
            4,
            lambda x: x * 256,
            "X_test has pixels from 0 to 255; they must be from 0 to 1: X_test / numpy.float32(256)",
        ),
        (
            0,
            lambda x: x * 1e30,
            "X_train has pixels from 0 to 9.96094e+29; they must be from 0 to 1: X_train / numpy.float32(256)",
        ),
        (2, with_nan, "X_val has nan at (3, 0, 5, 7); pixels must be numbers, from 0 to 1"),
        (
            0,
            lambda x: x.reshape(200, -1),
            "X_train has the shape (200, 784); it must be (n, channels, rows, columns): X_train.reshape(-1, 1, 28, 28)",
        ),
        (
            0,
            lambda x: x[:, 0],
            "X_train has the shape (200, 28, 28); it must be (n, channels, rows, "
            "columns): X_train.reshape(-1, 1, 28, 28)",
        ),
        (
            0,
            lambda x: x.transpose(0, 2, 3, 1),
            "X_train has the shape (200, 28, 28, 1), channels last; it "
            "must be (n, channels, rows, columns): X_train.transpose(0, 3, 1, 2)",
        ),
        (
            0,
            lambda x: x[:, :, :9],
            "X_train has the shape (200, 1, 9, 28); channels must be 1 to 16, rows and columns 16 to 256",
        ),
        (
            2,
            lambda x: x[:, :, 1:],
            "X_val has images of the shape (1, 27, 28) and X_train of (1, 28, 28); they must be equal",
        ),
        (4, lambda x: x[:150], "X_test has 150 images and y_test has 200 labels; there must be equally many"),
        (2, lambda x: x[:0], "X_val has no images; at least one is needed"),
        (0, np.ndarray.tolist, "X_train is a list; it must be an array: numpy.asarray(X_train)"),
    ],
)
def test_what_cannot_be_meant_is_said_before_training(arrays, k, change, message):
    with pytest.raises(MnistCnnError) as caught:
        trainer.train(with_array(arrays, k, change), configure(num_epochs=1))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "k, change",
    [
        (1, lambda y: np.eye(10)[y]),
        (3, lambda y: y[:, None]),
        (0, lambda x: x * 256),
        (0, lambda x: x.reshape(200, -1)),
        (0, lambda x: x[:, 0]),
        (0, lambda x: x.transpose(0, 2, 3, 1)),
        (0, np.ndarray.tolist),
    ],
)
def test_the_advice_helps(arrays, k, change):
    """What the line says after its colon is run, and the arrays are taken."""
    given = with_array(arrays, k, change)
    with pytest.raises(MnistCnnError) as caught:
        check_arrays(given)
    name, advice = str(caught.value).split()[0], str(caught.value).rsplit(": ", 1)[1]
    given[k] = eval(advice, {"numpy": np, name: given[k]})
    for found, wanted in zip(check_arrays(given), arrays):
        np.testing.assert_array_equal(found, wanted)


def test_other_numbers_of_arrays(arrays):
    with pytest.raises(MnistCnnError, match="the data are 4 arrays; they must be six: X_train, y_train"):
        check_arrays(arrays[:4])
    with pytest.raises(MnistCnnError, match="the data are no arrays; they must be six"):
        check_arrays(None)


def test_float64_trains_to_the_same_bits(arrays):
    wide = [array.astype("f8" if k % 2 == 0 else "i8") for k, array in enumerate(arrays)]
    config = configure(num_epochs=1, seed=1)
    for found, wanted in zip(trainer.train(wide, config), trainer.train(arrays, config)):
        np.testing.assert_array_equal(found, wanted)


def test_a_data_set_keeps_its_name(mnist, arrays):
    assert check_arrays(mnist) is mnist  # which knows its digest
    few, wide = (
        Dataset(given, "mnist", tuple("abcdefghij")) for given in (arrays, [array.astype("f8") for array in arrays])
    )
    assert check_arrays(wide).card == few.card
