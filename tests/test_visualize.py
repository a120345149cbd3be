import re

import matplotlib.image
import numpy as np
import pytest
from scipy.signal import convolve2d

from conftest import run_script
from mnist_cnn import visualize
from mnist_cnn.analysis import materials, plots
from mnist_cnn.storage import records
from mnist_cnn.system.errors import MnistCnnError


def test_feature_maps_against_scipy(training, mnist):
    """A true convolution: SciPy's flips the kernel, as Theano's does."""
    with np.load(training[1]) as f:
        kernels = f["arr_0"]
    images = mnist[4][:2]
    maps = visualize.feature_maps(kernels, images)
    assert maps.shape == (2, 32, 24, 24)
    for n in range(2):
        for k in range(32):
            np.testing.assert_allclose(maps[n, k], convolve2d(images[n, 0], kernels[k, 0], mode="valid"), atol=1e-5)


def drawn(figure):
    """The images in a figure, with their colour limits."""
    return [(np.asarray(im.get_array()), im.get_clim()) for ax in figure.axes for im in ax.images]


def test_grids_show_each_map_at_one_scale():
    maps = np.random.RandomState(0).randn(32, 24, 24)
    for figure in (
        visualize.plot_feature_maps(maps, "test image 0, a 7"),
        visualize.plot_kernels(maps[:, None, :5, :5]),
    ):
        panels = drawn(figure)
        shown = [array for array, _ in panels]
        source = maps if shown[0].shape == (24, 24) else maps[:, :5, :5]
        np.testing.assert_array_equal(shown, source)
        assert {limits for _, limits in panels} == {(source.min(), source.max())}


def test_history_curves(training):
    history = records.load_history(training[1])
    figure = plots.plot_history(history)
    loss, accuracy = figure.axes
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history["validation_loss"])
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), 100 * history["training_accuracy"])


@pytest.mark.slow
def test_script_writes_the_pictures(training, small_mnist, tmp_path, mnist):
    output = tmp_path / "pictures"
    process = run_script("visualize.py", training[1], "--digit", 4, "--data-dir", small_mnist, "--output", output)
    assert process.returncode == 0 and process.stderr == ""
    index = int(re.match(r"Showing test image (\d+), a 4 \(--index \1\)\n", process.stdout).group(1))
    assert mnist[5][index] == 4
    names = {"kernels.png", "signed_kernels.png", "digit.png", "feature_maps.png", "history.png"}
    assert {path.name for path in output.iterdir()} == names | {"index.html"}
    first = {name: matplotlib.image.imread(output / name) for name in names}
    assert all(min(picture.shape[:2]) > 300 for picture in first.values())

    again = tmp_path / "again"
    run_script("visualize.py", training[1], "--index", index, "--data-dir", small_mnist, "--output", again)
    for name in names:  # the number that was printed brings the same pictures back
        np.testing.assert_array_equal(matplotlib.image.imread(again / name), first[name])


@pytest.mark.parametrize("index, digit", [(-1, None), (10000, None), (None, 11)])
def test_numbers_out_of_range(mnist, index, digit):
    with pytest.raises(MnistCnnError):
        materials._choose(mnist[5], index, digit)


def test_no_model(tmp_path):
    (tmp_path / "model.npz").write_text("hello")
    process = run_script("visualize.py", tmp_path / "model.npz")
    assert process.returncode == 2
    assert re.fullmatch("error: .*model.npz is not a known file of weights .*\n", process.stderr)
