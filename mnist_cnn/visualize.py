"""Pictures of what the network learned, and of how well.

Each ``plot_`` function takes arrays and returns a matplotlib figure, made at the size and scale at
which it is to be seen; brighter, or redder against bluer, is more, and maps to be compared share
their limits. `mnist_cnn.analysis.gallery` computes the arrays and saves the figures.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator, PercentFormatter

__all__ = ["mosaic", "plot_digit", "plot_kernels", "plot_feature_maps", "plot_history",
           "plot_journey", "plot_second_layer", "plot_attributions", "plot_occlusion",
           "plot_confusion", "plot_accuracy", "plot_mistakes", "plot_reliability",
           "plot_embedding", "plot_evolution", "draw_evolution"]

#: Ten colours that the colour-blind can tell apart (M. A. Petroff, 2021, arXiv:2107.02270).
CLASS_COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
                 "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
DARK, LIGHT = "#30343b", "#b8bdc6"


def _scale(arrays, diverging=True):
    """Colour map and limits for arrays that are to be compared, as imshow takes them."""
    if not diverging:
        return dict(cmap="gray", vmin=np.min(arrays), vmax=np.max(arrays))
    limit = np.max(np.abs(arrays)) or 1  # zero is white
    return dict(cmap="RdBu_r", vmin=-limit, vmax=limit)


def _bare(ax):
    """Take ticks and labels away, and leave a thin frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(LIGHT)
        spine.set_linewidth(.8)


def _axes(figure, left, top, width, height):
    """Axes at a place counted in inches from the figure's top left corner."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes([left / full_width, 1 - (top + height) / full_height,
                            width / full_width, height / full_height])


def _title(figure, text, top=.2, size=15):
    """A title at a distance in inches from the top."""
    figure.suptitle(text, fontsize=size, y=1 - top / figure.get_figheight())


def mosaic(images, columns, gap=1):
    """Lay images of one size out in rows, from left to right.

    Parameters
    ----------
    images : array
        (n, rows, columns).
    columns : int
        Images a row.
    gap : int
        Pixels between two.

    Returns
    -------
    float array
        2D; NaN, which matplotlib leaves blank, between the images and where there is none.
    """
    num_images, height, width = images.shape
    num_rows = -(-num_images // columns)
    sheet = np.full((num_rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = image
    return sheet


def _plot_grid(images, title, label, diverging):
    """Draw up to 36 images of one size, at one scale, in the tutorial's 6x6 grid."""
    side, gap, top = .92, .22, .62 + .2 * title.count("\n")
    figure = plt.figure(figsize=(6 * (side + .1) + 1.15, top + 6 * (side + gap)))
    _title(figure, title, size=13)
    scale = _scale(images, diverging)
    for i, image in enumerate(images):
        ax = _axes(figure, .12 + i % 6 * (side + .1), top + i // 6 * (side + gap), side, side)
        drawn = ax.imshow(image, **scale)
        _bare(ax)  # a frame, since white is a value too
        ax.set_title(str(i), fontsize=9, pad=2)
    figure.colorbar(drawn, label=label, cax=_axes(
        figure, .12 + 6 * (side + .1) + .08, top + 1.5 * (side + gap), .2, 3 * (side + gap)))
    return figure


def plot_kernels(kernels, diverging=False):
    """Draw the kernels of the first layer.

    Parameters
    ----------
    kernels : array
        (maps, 1, rows, columns), at most 36 maps.
    diverging : bool
        Blue for negative, white for zero and red for positive, instead of the tutorial's greys.

    Returns
    -------
    matplotlib Figure
        All kernels at one scale, numbered from 0.
    """
    return _plot_grid(kernels[:, 0], "Kernels of the first layer ({} x {} pixels)".format(
        *kernels.shape[2:]), "weight", diverging)


def plot_feature_maps(maps, name, diverging=False):
    """Draw the feature maps of one image.

    Parameters
    ----------
    maps : array
        (maps, rows, columns), at most 36 maps.
    name : str
        What the image is, for the title.
    diverging : bool
        As for `plot_kernels`.

    Returns
    -------
    matplotlib Figure
        All maps at one scale, numbered as the kernels that made them.
    """
    return _plot_grid(maps, "Feature maps of {}:\nthe image convolved with each kernel"
                      .format(name), "activation before bias and rectifier", diverging)


def plot_digit(image, name):
    """Draw one image.

    Parameters
    ----------
    image : array
        (rows, columns), in [0, 1].
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure
    """
    figure = plt.figure(figsize=(4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.axis("off")
    return figure


def plot_history(history):
    """Draw the training curves.

    Parameters
    ----------
    history : structured array
        As `mnist_cnn.train.load_history` returns it.

    Returns
    -------
    matplotlib Figure
        Loss and accuracy by epoch, for training (with dropout) and validation (without).
    """
    figure = plt.figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle("Training and validation by epoch")
    for ax, quantity, label, scale in zip(
            figure.subplots(1, 2), ("loss", "accuracy"), ("cross-entropy [nats]", "accuracy [%]"),
            (1, 100)):
        for part, marker in (("training", "o"), ("validation", "s")):
            text = "training (with dropout)" if part == "training" else part
            ax.plot(history["epoch"], scale * history["{}_{}".format(part, quantity)],
                    marker=marker, markersize=4, label=text)
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=.3)
        ax.legend()
    return figure


def _percent(share):
    """A probability for a label, never rounded to a certainty that it is not."""
    if .9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < .0005:
        return "< 0.1 %"
    return "{:.1f} %".format(100 * share)


def _plot_probabilities(ax, probabilities, highlighted):
    """Horizontal bars, one a class from the top, with the value where it is not nothing."""
    classes = np.arange(len(probabilities))
    colours = [DARK if number in highlighted else LIGHT for number in classes]
    ax.barh(classes, probabilities, color=colours)
    for number, share in enumerate(probabilities):
        if share >= .0005 or number in highlighted:
            inside = share > .6
            ax.text(share + (-.03 if inside else .03), number, _percent(share), fontsize=8,
                    va="center", ha="right" if inside else "left",
                    color="white" if inside and number in highlighted else "black")
    ax.set_yticks(classes)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(probabilities) - .4, -.6)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, .5, 1])
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def plot_journey(image, activations, name):
    """Draw one digit's way through the network.

    Parameters
    ----------
    image : array
        (rows, columns), in [0, 1].
    activations : dict of str to array
        A layer's name to its output for the image, in order: maps (maps, rows, columns), units
        (units,); the last holds the probabilities of the classes.
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure
        From left to right. A layer and the pooling of it share their limits, since they have one
        maximum.
    """
    *names, last = activations
    probabilities = activations[last]
    height, gap, bar_width = 4.2, .36, 2
    widths = [height / 2] + [height / 2 if activations[key].ndim == 3 else height / 4
                             for key in names]
    lefts = np.cumsum([.2] + [width + gap for width in widths])
    lefts[-1] += .2  # for the classes' numbers
    figure = plt.figure(figsize=(lefts[-1] + bar_width + .25, height + 2))
    _title(figure, "The way through the network of {}: the answer is {} ({})".format(
        name, probabilities.argmax(), _percent(probabilities.max())))
    top = 1.2

    ax = _axes(figure, lefts[0], top + height / 4, widths[0], height / 2)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    _bare(ax)
    ax.set_title("input\n{} x {}".format(*image.shape))

    for key, left, width in zip(names, lefts[1:], widths[1:]):
        values = activations[key]
        ax = _axes(figure, left, top, width, height)
        if values.ndim == 3:
            sheet = mosaic(values, 4, gap=max(1, values.shape[1] // 10))
            size = "{} maps, {} x {}".format(*values.shape)
        else:
            sheet = values.reshape(-1, 8)
            size = "{} units".format(len(values))
        drawn = ax.imshow(sheet, cmap="viridis", vmin=0, vmax=values.max() or 1, aspect="auto",
                          interpolation="nearest")
        ax.axis("off")
        ax.set_title("{}\n{}".format(key, size))
        bar = _axes(figure, left, top + height + .13, width, .12)
        figure.colorbar(drawn, cax=bar, orientation="horizontal")
        bar.xaxis.set_major_locator(MaxNLocator(4 if values.ndim == 3 else 2))
        bar.tick_params(labelsize=9)

    ax = _axes(figure, lefts[-1], top, bar_width, height)
    _plot_probabilities(ax, probabilities, [probabilities.argmax()])
    ax.set_title("{}\n{} probabilities".format(last, len(probabilities)))

    for i, left in enumerate(lefts[1:]):  # between the panels' heads
        right = left - (.2 if i == len(widths) - 1 else 0)
        figure.text((right - gap / 2) / figure.get_figwidth(),
                    1 - (top - .12) / figure.get_figheight(), "\N{RIGHTWARDS ARROW}",
                    ha="center", va="bottom", fontsize=18, color=DARK)
    return figure


def plot_second_layer(patches, values, maxima, kernels):
    """Draw what each filter of the second convolution looks for, in three ways.

    Parameters
    ----------
    patches, values : arrays
        As `mnist_cnn.analysis.features.top_patches` returns them: (filters, 9, rows, columns), in [0, 1],
        and (filters, 9).
    maxima : array
        (filters, rows, columns), in [0, 1]: the input that maximises the filter.
    kernels : array
        (filters, maps, rows, columns).

    Returns
    -------
    matplotlib Figure
        A panel a filter: the patches, the maximum, and the kernel for each map before it.
    """
    num_filters = len(patches)
    columns, side, gap = 4, 1.22, .05
    rows = -(-num_filters // columns)
    cell_width, cell_height = 3 * side + 2 * gap + .5, side + .14
    top = 1.05
    figure = plt.figure(figsize=(columns * cell_width + 1.15, top + rows * cell_height))
    _title(figure, "What the {} filters of the second convolution look for".format(num_filters),
           size=17)
    figure.text(.5, 1 - .75 / figure.get_figheight(),
                "left: the nine patches of test digits that excite the filter most    |    "
                "middle: the input that maximises it    |    "
                "right: its kernels, one for each map of the first layer", ha="center", fontsize=12)
    scale = _scale(kernels)
    for i in range(num_filters):
        x, y = .35 + i % columns * cell_width, top + i // columns * cell_height
        left, middle, right = (_axes(figure, x + j * (side + gap), y, side, side)
                               for j in range(3))
        left.imshow(mosaic(patches[i], 3), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        left.axis("off")
        left.text(-.04, .5, str(i), transform=left.transAxes, ha="right", va="center", fontsize=11)
        if values[i].max() <= 0:
            left.text(.5, .5, "silent", transform=left.transAxes, ha="center", va="center",
                      fontsize=11, bbox=dict(facecolor="white", edgecolor="none"))
        middle.imshow(maxima[i], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        middle.axis("off")
        drawn = right.imshow(mosaic(kernels[i], int(np.ceil(np.sqrt(kernels.shape[1])))),
                             interpolation="nearest", **scale)
        _bare(right)
    figure.colorbar(drawn, label="weight", cax=_axes(
        figure, columns * cell_width + .2, top + rows * cell_height / 2 - 2, .15, 4))
    return figure


def _outline(ax, image):
    """Draw where the digit is over a map of the same size."""
    if image.max() > image.min():
        ax.contour(image, [(image.max() + image.min()) / 2], colors=DARK, linewidths=.7)


def plot_attributions(image, maps, classes, probabilities, name):
    """Draw what speaks for one class, for another, and for the one rather than the other.

    Parameters
    ----------
    image : array
        (rows, columns), in [0, 1].
    maps : dict of str to array
        A method's name to its maps for the two classes, (2, rows, columns), positive where the
        pixel speaks for the class. Each method has a unit of its own and a colour bar of its own.
    classes : two ints
        The class explained, usually the predicted one, and the other.
    probabilities : array
        (classes,), what the network gives for the image.
    name : str
        What the image is, for the title.

    Returns
    -------
    matplotlib Figure
        A column a method, a row a class, and the difference below: all three methods are linear in
        the score, so it explains the difference of the two scores, the logarithm of the odds.
    """
    one, other = classes
    side, gap = 2.7, .22
    first, top = 3.2, 1.35  # inches to the first column of maps, and to the first row
    figure = plt.figure(figsize=(first + len(maps) * (side + gap), top + 3 * (side + gap) + .85))
    _title(figure, "Why {}, and why not {}? The pixels that count in {}".format(one, other, name),
           size=16)

    ax = _axes(figure, .3, top, 2.3, 2.3)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title("input")
    _bare(ax)
    ax = _axes(figure, .35, top + side + gap + .3, 2.05, 2 * side - .3)
    _plot_probabilities(ax, probabilities, classes)
    ax.set_title("probabilities")

    rows = ("for {} ({})".format(one, _percent(probabilities[one])),
            "for {} ({})".format(other, _percent(probabilities[other])),
            "for {} rather than {}".format(one, other))
    for column, (method, pair) in enumerate(maps.items()):
        trio = [pair[0], pair[1], pair[0] - pair[1]]
        left = first + column * (side + gap)
        for row, (values, text) in enumerate(zip(trio, rows)):
            ax = _axes(figure, left, top + row * (side + gap), side, side)
            drawn = ax.imshow(values, **_scale(trio))
            _outline(ax, image)
            _bare(ax)
            if row == 0:
                ax.set_title(method)
            if column == 0:
                ax.set_ylabel(text, fontsize=12)
        bar = _axes(figure, left, top + 3 * (side + gap) - .05, side, .13)
        figure.colorbar(drawn, cax=bar, orientation="horizontal")
        bar.xaxis.set_major_locator(MaxNLocator(5, symmetric=True))
        bar.tick_params(labelsize=9)
    figure.text((first + len(maps) * (side + gap) / 2) / figure.get_figwidth(),
                .12 / figure.get_figheight(), "blue: speaks against        white: does not matter"
                "        red: speaks for", ha="center", fontsize=12)
    return figure


def plot_occlusion(image, drops, probability, probabilities, name, size):
    """Draw what hiding a square of the image does to every class.

    Parameters
    ----------
    image : array
        (rows, columns), in [0, 1].
    drops : array
        (classes, rows, columns), as `mnist_cnn.analysis.attribution.occlusion` returns it.
    probability : array
        (rows, columns): the predicted class's with the square at each place, in [0, 1].
    probabilities : array
        (classes,), with nothing hidden.
    name : str
        What the image is, for the title.
    size : int
        Side of the square in pixels.

    Returns
    -------
    matplotlib Figure
    """
    predicted = probabilities.argmax()
    side, gap, top = 2.1, .12, 1.05
    first = side + 1.05
    figure = plt.figure(figsize=(first + 5 * (side + gap) + 1, top + 2 * side + .55))
    _title(figure, "Hiding {0} x {0} pixels of {1}: what each class loses".format(size, name))
    ax = _axes(figure, .2, top, side, side)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.add_patch(plt.Rectangle((.5, .5), size, size, fill=False, edgecolor="white", linewidth=1))
    ax.set_title("input, and the square's size", fontsize=11)
    _bare(ax)
    ax = _axes(figure, .2, top + side + .4, side, side)
    drawn = ax.imshow(probability, cmap="cividis", vmin=0, vmax=1)
    _bare(ax)
    ax.set_title("probability of {}".format(predicted), fontsize=11)
    bar = _axes(figure, .2 + side + .07, top + side + .4, .12, side)
    figure.colorbar(drawn, cax=bar, ticks=[0, .5, 1], format=PercentFormatter(1))
    bar.tick_params(labelsize=9)

    scale = _scale(drops)
    for number, (values, share) in enumerate(zip(drops, probabilities)):
        ax = _axes(figure, first + number % 5 * (side + gap), top + number // 5 * (side + .4),
                   side, side)
        drawn = ax.imshow(values, **scale)
        _outline(ax, image)
        _bare(ax)
        ax.set_title("{}  ({})".format(number, _percent(share)), fontsize=11,
                     fontweight="bold" if number == predicted else "normal")
    figure.colorbar(drawn, label="drop of the class's score [nats]", cax=_axes(
        figure, first + 5 * (side + gap) + .05, top + .5, .15, 2 * side - .6))
    return figure


def plot_confusion(matrix):
    """Draw what was taken for what.

    Parameters
    ----------
    matrix : int array
        (classes, classes): how many of true class [row] were predicted as [column].

    Returns
    -------
    matplotlib Figure
        All counts; colour for the mistakes alone, which the right answers would outshine.
    """
    total, right = matrix.sum(), np.trace(matrix)
    figure = plt.figure(figsize=(7.6, 7), layout="constrained")
    ax = figure.add_subplot()
    ax.set_title("{:,} of {:,} test digits are taken for another".format(total - right, total),
                 fontsize=13, pad=10)
    mistakes = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    top = max(np.nanmax(mistakes), 1)
    ax.set_facecolor("#eceef1")  # shows where the mistakes are left blank
    drawn = ax.imshow(mistakes, cmap="Blues", vmin=0, vmax=top)
    for (row, column), count in np.ndenumerate(matrix):
        if row == column:
            ax.text(column, row, str(count), ha="center", va="center", color=DARK)
        elif count:
            ax.text(column, row, str(count), ha="center", va="center",
                    color="white" if count > .55 * top else "black")
    ax.set_xticks(range(len(matrix)))
    ax.set_yticks(range(len(matrix)))
    ax.tick_params(length=0)
    ax.set_xlabel("predicted", fontsize=12)
    ax.set_ylabel("true", fontsize=12)
    figure.colorbar(drawn, ax=ax, shrink=.6, label="mistakes",
                    ticks=MaxNLocator(6, integer=True))
    return figure


def plot_accuracy(num_correct, counts, low, high):
    """Draw the accuracy by digit with its confidence interval.

    Parameters
    ----------
    num_correct, counts : int arrays
        (classes,), right answers and digits of each class.
    low, high : arrays
        (classes,), the bounds, in [0, 1].

    Returns
    -------
    matplotlib Figure
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = num_correct / counts  # NaN for a class of which there is none
    overall = num_correct.sum() / counts.sum()
    figure = plt.figure(figsize=(8, 4.6), layout="constrained")
    ax = figure.add_subplot()
    classes = np.arange(len(counts))
    ax.axhline(100 * overall, color=LIGHT, zorder=0)
    ax.errorbar(classes, 100 * shares, 100 * np.abs([shares - low, high - shares]), fmt="o",
                color=DARK, capsize=4)
    for number in classes[counts > 0]:
        ax.annotate("{} of {}\nwrong".format(counts[number] - num_correct[number], counts[number]),
                    (number, 100 * low[number]), (0, -6), textcoords="offset points", ha="center",
                    va="top", fontsize=8)
    bottom, top = 100 * np.nanmin(low), 100
    ax.set_ylim(bottom - .22 * (top - bottom), top + .04 * (top - bottom))
    ax.set_xlim(-.6, len(counts) - .4)
    ax.set_xticks(classes)
    ax.set_xlabel("digit")
    ax.set_ylabel("accuracy [%]")
    ax.set_title("Accuracy by digit, with 95 % confidence intervals\n(line: all digits, {:.2f} %)"
                 .format(100 * overall))
    ax.grid(axis="y", alpha=.3)
    return figure


def plot_mistakes(images, labels, probabilities, indices):
    """Draw wrong answers, the surest first.

    Parameters
    ----------
    images : array
        (n, rows, columns), in [0, 1].
    labels : int array
        (n,).
    probabilities : array
        (n, classes).
    indices : int array
        (n,), the images' numbers in the test set.

    Returns
    -------
    matplotlib Figure
        Rows of six, with what each is, what the network says, and how sure it is.
    """
    rows = max(1, -(-len(images) // 6))
    figure = plt.figure(figsize=(10, 2.05 * rows + .8), layout="constrained")
    figure.suptitle("The mistakes that the network is surest of" if len(images)
                    else "The network made no mistake", fontsize=14)
    axes = figure.subplots(rows, 6, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, label, shares, index in zip(axes.flat, images, labels, probabilities, indices):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_title("a {}, says {}\n{}".format(label, shares.argmax(), _percent(shares.max())),
                     fontsize=10)
        ax.text(.03, .03, "#{}".format(index), transform=ax.transAxes, color="white", fontsize=7)
    return figure


def plot_reliability(counts, num_correct, confidence, low, high, error):
    """Draw how often the network is right when it is so sure.

    Parameters
    ----------
    counts, num_correct, confidence : arrays
        (bins,), as `mnist_cnn.analysis.metrics.calibration_bins` returns them.
    low, high : arrays
        (bins,), bounds of the bins' accuracies, in [0, 1]; anything for an empty bin.
    error : float
        The expected calibration error, in [0, 1].

    Returns
    -------
    matplotlib Figure
        Accuracy over confidence with the bins' intervals, and the bins' counts below.
    """
    figure = plt.figure(figsize=(6.4, 7), layout="constrained")
    figure.suptitle("Is the network as often right as it is sure?\nExpected calibration error: "
                    "{:.2f} %".format(100 * error))
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw=dict(height_ratios=(3, 1)))
    filled = counts > 0
    shares = num_correct[filled] / counts[filled]
    upper.plot([0, 1], [0, 1], color=LIGHT, zorder=0, label="as sure as right")
    upper.errorbar(confidence[filled], shares,
                   np.abs([shares - low[filled], high[filled] - shares]), fmt="o", color=DARK,
                   capsize=3, label="accuracy in a bin (95 % interval)")
    upper.set_ylabel("accuracy")
    upper.set_ylim(-.03, 1.03)
    upper.legend(loc="upper left")
    upper.grid(alpha=.3)
    edges = np.linspace(0, 1, len(counts) + 1)
    lower.bar(edges[:-1], counts, np.diff(edges), align="edge", color=DARK, edgecolor="white")
    lower.set_yscale("log")
    lower.set_ylim(.7, counts.max() * 3)
    lower.set_xlim(0, 1)
    lower.set_ylabel("digits")
    lower.set_xlabel("confidence: probability of the answer")
    for ax in (upper, lower):
        ax.yaxis.set_label_coords(-.11, .5)
    upper.xaxis.set_major_formatter(PercentFormatter(1))
    upper.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def _spread(points, distance):
    """Numbers of points, taken in order, none of which is closer than `distance` to another."""
    chosen = []
    for i, point in enumerate(points):
        if not chosen or (np.abs(points[chosen] - point).max(axis=1) >= distance).all():
            chosen.append(i)
    return chosen


def plot_embedding(projected, labels, images, explained, marked=None):
    """Draw where the test digits lie in the plane of two principal components.

    Parameters
    ----------
    projected : array
        (n, 2).
    labels : int array
        (n,), 0 to 9.
    images : array
        (n, rows, columns), in [0, 1].
    explained : array
        (2,), the components' shares of the variance.
    marked : array, optional
        (2,), a place to point at.

    Returns
    -------
    matplotlib Figure
        A dot a digit in its class's colour, and as many digits as there is room for.
    """
    low, high = projected.min(axis=0), projected.max(axis=0)
    if marked is not None:
        low, high = np.minimum(low, marked), np.maximum(high, marked)
    size = (high - low).max() / 40 or 1
    tall = np.clip((high - low + 2 * size)[1] / (high - low + 2 * size)[0], .5, 1.2)
    figure = plt.figure(figsize=(12, 11.2 * tall + .9), layout="constrained")
    ax = figure.add_subplot()
    ax.set_title("What the network thinks alike: {:,} test digits by the first two principal "
                 "components\nof the features before the last layer".format(len(labels)),
                 fontsize=14)
    colours = np.array([to_rgb(colour) for colour in CLASS_COLOURS])
    ax.scatter(*projected.T, s=3, c=colours[labels], alpha=.35, linewidths=0)
    for i in _spread(projected, size * .9):
        picture = np.empty(images[i].shape + (4,))
        picture[..., :3] = colours[labels[i]] * .8  # ink in the class's colour, no background
        picture[..., 3] = images[i].clip(0, 1)
        x, y = projected[i]
        ax.imshow(picture, extent=(x - size / 2, x + size / 2, y - size / 2, y + size / 2),
                  interpolation="bilinear", zorder=2)
    if marked is not None:
        ax.plot(*marked, marker="o", markersize=32, markerfacecolor="none", markeredgecolor="black",
                markeredgewidth=2, zorder=3)
    ax.set_xlim(low[0] - size, high[0] + size)
    ax.set_ylim(low[1] - size, high[1] + size)
    ax.set_aspect("equal")
    ax.set_xlabel("first component ({:.0f} % of the variance)".format(100 * explained[0]))
    ax.set_ylabel("second component ({:.0f} %)".format(100 * explained[1]))
    return figure


def plot_evolution(snapshots, epochs, rows=8):
    """Draw how the first layer's kernels came to be.

    Parameters
    ----------
    snapshots : array
        (epochs, maps, 1, rows, columns), as `mnist_cnn.support.records.load_snapshots` returns them.
    epochs : int array
        (epochs,), their numbers; 0 is before training.
    rows : int
        Epochs to show at most, evenly chosen, the first and the last among them.

    Returns
    -------
    matplotlib Figure
        A row an epoch, a column a kernel, all at one scale.
    """
    shown = np.unique(np.linspace(0, len(snapshots) - 1, min(rows, len(snapshots))).round()
                      .astype(int))
    num_kernels, _, _, width = snapshots.shape[1:]
    side, top, left = .42, .95, 1  # inches
    length = num_kernels * side * (width + 1) / width
    figure = plt.figure(figsize=(left + length + 1, top + len(shown) * (side + .12) + .15))
    _title(figure, "How the kernels of the first layer came to be")
    scale = _scale(snapshots)
    for row, i in enumerate(shown):
        ax = _axes(figure, left, top + row * (side + .12), length, side)
        drawn = ax.imshow(mosaic(snapshots[i, :, 0], num_kernels), interpolation="nearest",
                          aspect="auto", **scale)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_ylabel("epoch {}".format(epochs[i]) if epochs[i] else "before", rotation=0,
                      ha="right", va="center", fontsize=11)
        if row == 0:
            ax.set_xticks(np.arange(num_kernels) * (width + 1) + (width - 1) / 2)
            ax.set_xticklabels(range(num_kernels), fontsize=10)
            ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    figure.colorbar(drawn, label="weight", cax=_axes(
        figure, left + length + .1, top, .13, len(shown) * (side + .12) - .12))
    return figure


def draw_evolution(snapshots, epochs):
    """Draw the same as pictures to be shown one after the other.

    Parameters
    ----------
    snapshots, epochs : arrays
        As for `plot_evolution`.

    Returns
    -------
    list of uint8 arrays
        (rows, columns, 3), one an epoch, all of one size.
    """
    columns, side = 8, .6
    sheet = mosaic(snapshots[0, :, 0], columns)
    height, width = side / snapshots.shape[-1] * np.array(sheet.shape)
    figure = plt.figure(figsize=(width + .95, height + .75), dpi=100)
    ax = _axes(figure, .15, .6, width, height)
    drawn = ax.imshow(sheet, interpolation="nearest", **_scale(snapshots))
    ax.axis("off")
    bar = _axes(figure, .25 + width, .6, .12, height)
    figure.colorbar(drawn, cax=bar)
    bar.tick_params(labelsize=9)
    frames = []
    for kernels, epoch in zip(snapshots[:, :, 0], epochs):
        drawn.set_data(mosaic(kernels, columns))
        _title(figure, "Kernels {}".format("after epoch {}".format(epoch) if epoch
                                           else "before training"), size=13)
        figure.canvas.draw()
        frames.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    plt.close(figure)
    return frames
