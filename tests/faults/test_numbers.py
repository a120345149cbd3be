"""Numbers that float32 does not hold, in files that are else what they should be."""

import lasagne
import numpy as np
import pytest

from conftest import run_script
from mnist_cnn import model, predict
from mnist_cnn.analysis import plots
from mnist_cnn.predict import run_in_batches
from mnist_cnn.storage import npz, records
from mnist_cnn.system.errors import MnistCnnError
from mnist_cnn.training import trainer
from mnist_cnn.weights import fitting


def weights_with(training, path, value):
    """The trained model in float64, with one number changed."""
    with np.load(str(training[1])) as file:
        arrays = [file["arr_%d" % i].astype(float) for i in range(8)]
    arrays[2].flat[7] = value
    model.save_weights(path, arrays)
    return path


@pytest.mark.parametrize("value", [1e300, -1e39, 1e38, -2e6])
def test_weights_that_overflow(value, training, tmp_path):
    network = model.build_cnn()
    before = lasagne.layers.get_all_param_values(network)
    path = weights_with(training, tmp_path / "model.npz", value)
    with pytest.raises(MnistCnnError, match="model.npz holds no usable weights: numbers of arr_2"):
        model.load_weights(path, network)
    for a, b in zip(before, lasagne.layers.get_all_param_values(network)):
        np.testing.assert_array_equal(a, b)
    process = run_script("evaluate.py", path)
    assert process.returncode == 2 and process.stdout == "" and process.stderr.count("\n") == 1


def test_a_network_that_overflows(mnist):
    """Weights at the limit are read, and the answers are numbers; other functions may give none."""
    network = model.build_cnn()
    params = lasagne.layers.get_all_params(network)
    for param in params:
        param.set_value(np.full_like(param.get_value(), fitting.MAX_WEIGHT))
    assert np.isfinite(predict.predict(network, mnist[4][:10])).all()
    for value in (np.nan, np.inf):
        with pytest.raises(MnistCnnError, match="the network computes NaN or infinity"):
            run_in_batches(lambda images: np.float32(images) * np.float32(value), np.arange(1, 5), 2)


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "-inf"])
def test_bad_numbers_in_a_history(value, tmp_path):
    """Matplotlib has no axis for them."""
    (tmp_path / "model.csv").write_text(",".join(records.HISTORY_FIELDS) + "\n1,.5,.4,.9,{},.9\n".format(value))
    with pytest.raises(MnistCnnError, match="not a history that train.py saved"):
        records.load_history(tmp_path / "model.npz")


def test_the_history_of_a_run_on_all_data(mnist, tmp_path):
    """It has no validation, and the figure draws none."""
    few = [part[:200] for part in mnist]
    from mnist_cnn.training.callbacks import SaveWeights
    from mnist_cnn.training.config import configure

    trainer.train(few, configure(num_epochs=1, all_data=True), [SaveWeights(tmp_path / "model.npz")])
    assert (tmp_path / "model.csv").read_text().startswith("epoch,seconds,training_loss,training_accuracy\n")
    history = records.load_history(tmp_path / "model.npz")
    assert history["epoch"] == 1
    for ax in plots.plot_history(history).axes:
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training (with dropout)"]


def test_more_than_an_arrays_bytes(tmp_path):
    """In the bytes after the array, or with its size understated."""
    import io
    import zipfile

    array = io.BytesIO()
    np.save(array, np.ones(3, np.float32))
    path = tmp_path / "a.npz"
    for rest in (b"x", bytes(10**6)):
        with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", array.getvalue() + rest)
        with pytest.raises(MnistCnnError, match="a holds more than the 12 bytes of its shape"):
            npz.read_npz(path, {"a": ("f", (3,))})
