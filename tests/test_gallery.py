"""All the figures, and the page with them, as a user makes them."""

import base64
import io
import re

import matplotlib.image
import numpy as np
import pytest
from conftest import run_script
from PIL import Image

import lasagne

from mnist_cnn import gallery, model, snapshots, visualize
from mnist_cnn.errors import MnistCnnError


@pytest.fixture(scope="module")
def everything(training, small_mnist, tmp_path_factory):
    output = tmp_path_factory.mktemp("everything")
    process = run_script("visualize.py", training[1], "--all", "--index", 5, "--output", output,
                         "--data-dir", small_mnist)
    assert process.returncode == 0 and process.stderr == "", process.stderr
    return output


def test_every_figure_is_drawn(everything):
    names = {path.stem for path in everything.glob("*.png")}
    assert names >= {"kernels", "digit", "feature_maps", "history", "journey", "second_layer",
                     "attribution", "occlusion", "confusion", "accuracy", "mistakes",
                     "reliability", "embedding", "evolution"}
    for path in everything.glob("*.png"):
        picture = matplotlib.image.imread(path)
        assert min(picture.shape[:2]) > 300 and picture.std() > .01


def test_page_holds_the_figures_itself(everything):
    page = (everything / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)  # nothing is fetched
    pictures = re.findall(r"data:image/(png|gif);base64,([A-Za-z0-9+/=]+)", page)
    files = {path.read_bytes() for kind in ("png", "gif") for path in everything.glob("*." + kind)}
    embedded = {base64.b64decode(content) for _, content in pictures}
    assert len(embedded) >= 14 and embedded <= files


def test_film_goes_from_noise_to_the_learned_kernels(training, everything):
    network = model.build_cnn()
    learned = model.load_weights(training[1], network)[0]
    epochs, kernels = snapshots.load_snapshots(training[1], learned.shape)
    assert epochs.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(kernels[-1], learned)
    bound = np.sqrt(6 / (25 + 32 * 25))  # Glorot and Bengio's, which training leaves
    assert abs(kernels[0]).max() <= bound < abs(learned).max()
    film, = everything.glob("*.gif")
    assert Image.open(io.BytesIO(film.read_bytes())).n_frames >= 3


def test_snapshots_of_another_training_are_not_shown(training, tmp_path, fixed_rng):
    other = tmp_path / "model.npz"
    model.save_weights(other, lasagne.layers.get_all_param_values(model.build_cnn()))
    snapshots.snapshots_path(other).write_bytes(
        snapshots.snapshots_path(training[1]).read_bytes())
    with pytest.raises(MnistCnnError, match="another training"):
        gallery.main(other, figures=["evolution"], output=tmp_path / "pictures")


def test_unknown_figure(training, tmp_path):
    process = run_script("visualize.py", training[1], "--figures", "kernles", "--output", tmp_path)
    assert process.returncode == 2 and "kernels" in process.stderr
    assert "Traceback" not in process.stderr


def test_own_picture(training, tmp_path, small_mnist, mnist):
    digit = np.uint8(255 - 255 * np.kron(mnist[4][0, 0], np.ones((9, 9))))
    Image.fromarray(digit).save(str(tmp_path / "seven.png"))
    process = run_script("visualize.py", training[1], "--image", tmp_path / "seven.png", "--figures",
                         "digit", "--output", tmp_path / "pictures", "--data-dir", small_mnist)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "pictures" / "digit.png").exists()


def test_diverging_scale_is_centred_on_zero():
    kernels = np.random.RandomState(0).randn(32, 1, 5, 5) + .5
    figure = visualize.plot_kernels(kernels, diverging=True)
    limits = {image.get_clim() for ax in figure.axes for image in ax.images}
    (low, high), = limits
    assert low == -high and high >= abs(kernels).max()
