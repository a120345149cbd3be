"""All the figures, and the page with them, as a user makes them."""

import base64
import io
import re

import lasagne
import matplotlib.image
import matplotlib.pyplot
import numpy as np
import pytest
from PIL import Image
from texts import assert_texts_fit

from conftest import run_script
from mnist_cnn import model, visualize
from mnist_cnn.analysis import architecture, embedding, gallery, metrics, plots
from mnist_cnn.storage import records as snapshots
from mnist_cnn.system.errors import MnistCnnError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def everything(training, small_mnist, tmp_path_factory):
    output = tmp_path_factory.mktemp("everything")
    process = run_script(
        "visualize.py", training[1], "--all", "--index", 5, "--output", output, "--data-dir", small_mnist
    )
    assert process.returncode == 0 and process.stderr == "", process.stderr
    return output


def test_every_figure_is_drawn(everything):
    names = {path.stem for path in everything.glob("*.png")}
    assert names >= {
        "kernels",
        "digit",
        "feature_maps",
        "history",
        "activations",
        "second_layer",
        "architecture",
        "signed_kernels",
        "classes",
        "tsne",
        "attribution",
        "occlusion",
        "confusion",
        "accuracy",
        "mistakes",
        "reliability",
        "embedding",
        "evolution",
    }
    for path in everything.glob("*.png"):
        picture = matplotlib.image.imread(path)
        assert min(picture.shape[:2]) > 300 and picture.std() > 0.01


def test_page_holds_the_figures_itself(everything):
    page = (everything / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)  # nothing is fetched
    pictures = re.findall(r'<img [^>]*src="data:image/(\w+);base64,([A-Za-z0-9+/=]+)"', page)
    assert len(pictures) >= 18 and [kind for kind, _ in pictures].count("gif") == 1
    names = re.findall(r'<section id="(\w+)">', page)
    for name in names:  # WebP loses a little
        content = re.search('<section id="{}">.*?base64,([A-Za-z0-9+/=]+)'.format(name), page, re.S)
        shown, file = (
            np.asarray(Image.open(picture).convert("RGB"), float)
            for picture in (io.BytesIO(base64.b64decode(content.group(1))), everything / (name + ".png"))
        )
        assert shown.shape == file.shape and np.abs(shown - file).mean() < 5
    assert len(page) < 3e6


def test_film_goes_from_noise_to_the_learned_kernels(training, everything):
    network = model.build_cnn()
    learned = model.load_weights(training[1], network)[0]
    epochs, kernels = snapshots.load_snapshots(training[1], learned.shape)
    assert epochs.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(kernels[-1], learned)
    bound = np.sqrt(6 / (25 + 32 * 25))  # Glorot and Bengio's, which training leaves
    assert abs(kernels[0]).max() <= bound < abs(learned).max()
    (film,) = everything.glob("*.gif")
    assert Image.open(io.BytesIO(film.read_bytes())).n_frames >= 3


def test_snapshots_of_another_training_are_not_shown(training, tmp_path, fixed_rng):
    other = tmp_path / "model.npz"
    model.save_weights(other, lasagne.layers.get_all_param_values(model.build_cnn()))
    snapshots.snapshots_path(other).write_bytes(snapshots.snapshots_path(training[1]).read_bytes())
    with pytest.raises(MnistCnnError, match="another training"):
        gallery.main(other, figures=["evolution"], output=tmp_path / "pictures")


def test_unknown_figure(training, tmp_path):
    process = run_script("visualize.py", training[1], "--figures", "kernles", "--output", tmp_path)
    assert process.returncode == 2 and "kernels" in process.stderr
    assert "Traceback" not in process.stderr


def test_own_picture(training, tmp_path, small_mnist, mnist):
    digit = np.uint8(255 - 255 * np.kron(mnist[4][0, 0], np.ones((9, 9))))
    Image.fromarray(digit).save(str(tmp_path / "seven.png"))
    process = run_script(
        "visualize.py",
        training[1],
        "--image",
        tmp_path / "seven.png",
        "--figures",
        "digit",
        "--output",
        tmp_path / "pictures",
        "--data-dir",
        small_mnist,
    )
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "pictures" / "digit.png").exists()


def test_diverging_scale_is_centred_on_zero():
    kernels = np.random.RandomState(0).randn(32, 1, 5, 5) + 0.5
    figure = visualize.plot_kernels(kernels, diverging=True)
    limits = {image.get_clim() for ax in figure.axes for image in ax.images}
    ((low, high),) = limits
    assert low == -high and high >= abs(kernels).max()


@pytest.fixture(scope="module")
def materials(training, small_mnist):
    return gallery.Materials(training[1], index=5, data_dir=small_mnist)


@pytest.mark.parametrize("name", list(gallery.FIGURES))
def test_texts_fit_and_do_not_overlap(materials, name, monkeypatch):
    figure = gallery.FIGURES[name](materials)
    assert_texts_fit(figure, monkeypatch)
    matplotlib.pyplot.close(figure)


def images(figure, cmap):
    return [image for ax in figure.axes for image in ax.images if image.get_cmap().name == cmap]


def test_maps_that_are_compared_share_their_limits(materials):
    drops = gallery.FIGURES["occlusion"](materials)
    maps = images(drops, "signed")
    assert len(maps) == 10 and len({image.get_clim() for image in maps}) == 1
    np.testing.assert_array_equal([image.get_array() for image in maps], materials.occlusion)

    maps = images(gallery.FIGURES["attribution"](materials), "signed")
    assert len(maps) == 9
    for column in range(3):
        one, other, difference = maps[3 * column : 3 * column + 3]
        assert one.get_clim() == other.get_clim() == difference.get_clim()
        low, high = one.get_clim()
        assert low == -high
        np.testing.assert_allclose(difference.get_array(), one.get_array() - other.get_array(), atol=1e-6)

    maps = images(gallery.FIGURES["activations"](materials), "amount")
    assert len(maps) == 5
    assert maps[0].get_clim() == maps[1].get_clim() and maps[2].get_clim() == maps[3].get_clim()
    matplotlib.pyplot.close("all")


def test_class_held_against_the_predicted_one(training, small_mnist):
    materials = gallery.Materials(training[1], index=5, versus=4, data_dir=small_mnist)
    figure = gallery.FIGURES["attribution"](materials)
    assert figure._suptitle.get_text().startswith("Why {}, and why not 4?".format(materials.probabilities.argmax()))
    matplotlib.pyplot.close(figure)


def test_numbers_in_the_figures_are_the_test_sets(materials):
    shares, labels = materials.test_probabilities, materials.labels
    wrong = np.flatnonzero(shares.argmax(axis=1) != labels)
    assert materials.confusion.sum() - np.trace(materials.confusion) == len(wrong) > 0
    surest = wrong[shares[wrong].max(axis=1).argmax()]
    figure = gallery.FIGURES["mistakes"](materials)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), materials.images[surest, 0])
    title = figure.axes[0].get_title()
    assert title.startswith("a {}, says {} (".format(labels[surest], shares[surest].argmax()))
    error = metrics.expected_calibration_error(shares.max(axis=1), shares.argmax(axis=1) == labels)
    figure = gallery.FIGURES["reliability"](materials)
    assert "{:.2f} %".format(100 * error) in figure._suptitle.get_text()
    matplotlib.pyplot.close("all")


def test_no_mistakes_and_a_missing_class():
    """What other data may bring: figures still come out."""
    matrix = np.diag([5, 0, 3])
    plots.plot_confusion(matrix)
    low, high = metrics.wilson_interval(matrix.diagonal(), np.maximum(matrix.sum(axis=1), 1))
    plots.plot_accuracy(matrix.diagonal(), matrix.sum(axis=1), low, high)
    plots.plot_mistakes(np.zeros((0, 28, 28)), [], np.zeros((0, 10)), [])
    matplotlib.pyplot.close("all")


def test_help_names_every_figure():
    text = " ".join(run_script("visualize.py", "--help").stdout.split())
    assert all(name in text for name in gallery.FIGURES)
    assert text.index("kernels, signed_kernels, digit, feature_maps, history, architecture")


@pytest.mark.parametrize(
    "arrays",
    [
        dict(epochs=np.array([0, 1])),
        dict(epochs=np.array([0, 1]), kernels=np.zeros((3, 32, 1, 5, 5))),
        dict(epochs=np.array([1, 0]), kernels=np.zeros((2, 32, 1, 5, 5))),
        dict(epochs=np.zeros(0, int), kernels=np.zeros((0, 32, 1, 5, 5))),
    ],
)
def test_damaged_snapshots(tmp_path, arrays):
    np.savez(str(snapshots.snapshots_path(tmp_path / "model.npz")), **arrays)
    with pytest.raises(MnistCnnError, match="not a file that train.py saved"):
        snapshots.load_snapshots(tmp_path / "model.npz", (32, 1, 5, 5))


def test_versus_the_answer_itself_is_said(materials, training, small_mnist, tmp_path):
    answer = int(materials.probabilities.argmax())
    with pytest.raises(MnistCnnError, match="versus is {}, which is the network's answer".format(answer)):
        gallery.main(
            training[1], index=5, versus=answer, figures=["attribution"], data_dir=small_mnist, output=tmp_path
        )


def test_figures_without_a_digit_choose_none(training, small_mnist, tmp_path, capsys):
    gallery.main(training[1], figures=["evolution", "kernels"], data_dir=small_mnist, output=tmp_path)
    assert "Showing" not in capsys.readouterr().out
    assert "The digit shown" not in (tmp_path / "index.html").read_text()


def test_tsne_is_left_out_without_scikit_learn(training, monkeypatch, capsys):
    monkeypatch.setattr(gallery.importlib.util, "find_spec", lambda name: None)
    assert "tsne" not in gallery._choose_figures("all", training[1])
    assert "Left out tsne" in capsys.readouterr().out


def test_architecture_counts_every_number():
    rows = architecture.layer_rows(model.build_cnn())
    # by hand: 32 (25 + 1), 32 (32 * 25 + 1), 256 (512 + 1), 10 (256 + 1)
    assert [row.parameters for row in rows if row.parameters] == [832, 25632, 131328, 2570]
    assert [row.shape for row in rows][:5] == [(1, 28, 28), (32, 24, 24), (32, 12, 12), (32, 8, 8), (32, 4, 4)]
    assert "160,362" in architecture.summary_table(model.build_cnn()).splitlines()[-1]


def test_tsne_keeps_neighbours_together():
    """Three clouds far apart in 20 dimensions: each point's neighbours are of its own cloud."""
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(3), 40)
    placed = embedding.tsne(rng.randn(120, 20) + 20 * np.eye(3, 20)[groups])
    distances = np.linalg.norm(placed[:, None] - placed, axis=2)
    nearest = np.argsort(distances, axis=1)[:, 1:6]
    assert (groups[nearest] == groups[:, None]).all()


@pytest.mark.browser
def test_the_page_can_be_looked_around_in(everything, tmp_path):
    """In a real Chromium: pictures enlarge, a digit shows under the pointer, a mistake says why."""
    from browsers import start_chromium
    from selenium.webdriver.common.action_chains import ActionChains

    driver = start_chromium(tmp_path)
    try:
        driver.get((everything / "index.html").as_uri())
        points = driver.execute_script(
            "return JSON.parse(document.getElementById('data').textContent).places.embedding"
        )
        picture = driver.find_element("css selector", "#embedding .picture")
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
        size = picture.size
        # a point in the middle of the picture, which is on the screen
        number = int(np.abs(np.array(points["points"]) - 0.5).sum(axis=1).argmin())
        x, y = points["points"][number]
        ActionChains(driver).move_to_element_with_offset(
            picture, round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"])
        ).perform()
        tip = driver.find_element("id", "tip")
        assert tip.is_displayed() and tip.text == points["texts"][number]
        button = driver.find_elements("css selector", "#mistakes button")[0]
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        dialog = driver.find_element("id", "dialog")
        assert dialog.is_displayed() and "orange pixels speak for the answer" in dialog.text
        dialog.click()
        assert not dialog.is_displayed()
        driver.execute_script("document.querySelector('#kernels img').click()")
        assert dialog.is_displayed()
        assert driver.get_log("browser") == []
    finally:
        driver.quit()
