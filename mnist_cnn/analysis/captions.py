"""The headings and texts of the figures on the page."""

from .materials import HIDDEN, Materials

__all__ = ["caption"]


def caption(name: str, materials: Materials) -> tuple[str, str]:
    """The caption of a figure.

    Parameters
    ----------
    name : str
        A name in `mnist_cnn.analysis.figures.FIGURES`.
    materials : mnist_cnn.analysis.materials.Materials

    Returns
    -------
    heading, text : str
    """
    channels, rows, columns = materials.images.shape[1:]
    heading, text = CAPTIONS[name]
    if channels > 1:
        heading, text = IN_CHANNELS.get(name, (heading, text))
    if channels == 3:
        heading, text = IN_COLOUR.get(name, (heading, text))
    is_mnist = materials.noun == "digit" and (channels, rows, columns) == (1, 28, 28)
    words = dict(
        noun=materials.noun,
        size="{} x {} pixels".format(rows, columns),
        box=", the digit in a box of 20 x 20 and its centre of mass in the middle" if is_mnist else "",
        channels=channels,
        sides=", ".join(
            str(layer.output_shape[2]) for key, layer in materials.layers.items() if key.startswith(("conv", "pool"))
        ),
        hidden="{0} x {0} pixels".format(HIDDEN),
        empty="black" if channels == 1 else "the mean colour",
    )
    return heading.format(**words), " ".join(text.format(**words).split())


CAPTIONS = {
    "architecture": (
        "The network",
        """
        Two convolutions find patterns. A pooling after each keeps the strongest of four neighbours. Two
        dense layers weigh the patterns. Look where the learned numbers are: most of them belong to the
        first dense layer.""",
    ),
    "kernels": (
        "The kernels of the first layer",
        """
        Each square shows the weights that one unit of the first layer multiplies its 5 x 5 pixels
        with. Look for edges and strokes, bright on one side and dark on the other, in many directions.
        This is the tutorial's figure: the arrays as they are stored. Theano turns them by 180
        degrees before it lays them on the image; all other figures show them turned.""",
    ),
    "signed_kernels": (
        "The same kernels, orange and blue",
        """
        Grey hides where a kernel's weights change sign. Here orange is positive, blue negative
        and nearly white zero: a kernel finds a stroke where it is orange on one side and blue on the
        other. They are turned as they are laid on the image: each looks like the pattern that it finds.""",
    ),
    "digit": (
        "The {noun}",
        """
        The network's input: {size}{box}.""",
    ),
    "feature_maps": (
        "Its feature maps",
        """
        The {noun} convolved with each kernel, with the kernels' numbers. Look for maps that keep only
        the strokes or edges of one direction.""",
    ),
    "history": (
        "How training went",
        """
        The training curve is the worse one, since dropout takes some of the features away in training.
        Look whether validation still improves, and whether its loss rises again: from there on the
        network learns by heart.""",
    ),
    "activations": (
        "The way of one {noun} through the network",
        """
        From pixels on the left to the answer on the right. The maps lose detail ({sides} pixels a
        side) and gain meaning: edges in the first layer, pieces of shapes in the second. The dense
        layer has no positions; look how few of its units are active.""",
    ),
    "second_layer": (
        "The patterns of the second layer",
        """
        A unit of the second layer sees 14 x 14 pixels. Left, the pieces of real {noun}s that excite it
        most, with the values of the first and the ninth; middle, the input that excites it even more,
        found by gradient ascent from noise; right, its nine heaviest kernels, turned as they are laid
        on, with the numbers of the first layer's maps that they read. Look for corners, arcs, crossings
        and ends of strokes. Compare left and middle: where they agree, you know the filter's pattern.""",
    ),
    "classes": (
        "What does each answer look for?",
        """
        Gradient ascent from noise on {empty}, as for the second layer: for each class an input that
        raises its score as far as possible, with the class's probability above it. The network is sure
        of most, though a person would recognize few of them. Look for the parts that it needs, and for
        the parts that do not matter to it.""",
    ),
    "attribution": (
        "Why this answer, and not another?",
        """
        Three answers to "which pixels count?". Saliency: the change of the class's score if a pixel
        became brighter, also where it is {empty}. Integrated gradients: the score shared out among the
        pixels that are not {empty}. Occlusion: the loss when a square of {empty} covers a part. Look
        where they agree, and at the bottom row for the pixels that decide between the two classes.""",
    ),
    "occlusion": (
        "What does hiding a part change?",
        """
        A square of {hidden} slides over the {noun} and hides a part. Orange: the class loses score, so
        the hidden part speaks for it; blue: the class gains. Bottom left, the probability of the
        answer; look for a dark place, where hiding one part changes the answer.""",
    ),
    "confusion": (
        "Which classes are confused?",
        """
        Rows are the true classes, columns the network's answers. Mistakes are coloured, right answers
        are grey. Look for pairs of classes, such as 4 and 9 of MNIST, and whether a pair is confused
        both ways.""",
    ),
    "accuracy": (
        "Which classes are hard?",
        """
        The bars are 95 % confidence intervals (Wilson's). They are wide with a thousand images a class:
        two classes whose intervals overlap a good deal cannot be ranked.""",
    ),
    "mistakes": (
        "Sure, and wrong",
        """
        The wrong answers with the highest probability. Would you have known the right ones? Some labels
        are such that hardly anybody would agree. Show one with --index and its number.""",
    ),
    "reliability": (
        "Does the network know when it is wrong?",
        """
        Of the answers with a confidence of 80 %, four of five should be right: points on the line.
        Below the line the network is too sure of itself, above it too modest. Mind the bars, and the
        counts below, on a logarithmic axis: few {noun}s are outside the last bins.""",
    ),
    "embedding": (
        "Which {noun}s are alike to the network?",
        """
        The 256 features before the last layer, of every test {noun}, along the two directions in which
        they differ most. Look which classes are neighbours, what lies between two groups, and which
        points lie amid another class. The circle marks the {noun} above. The features have more
        directions: groups that overlap here may lie apart in the others.""",
    ),
    "tsne": (
        "The same, with neighbours kept together",
        """
        t-SNE places {noun}s with similar features next to each other. Look at the islands, and at the
        {noun}s between them. The distances between islands and their sizes mean nothing.""",
    ),
    "evolution": (
        "The kernels during training",
        """
        Before training the kernels, turned as they are laid on the image, are noise. Look how early the
        edges appear, and how they then only grow sharper; a kernel that stays noise has found no
        pattern.""",
    ),
}

#: Those of images in several channels.
IN_CHANNELS = {
    "kernels": (
        "The kernels of the first layer",
        """
        The weights that one unit of the first layer multiplies its 5 x 5 pixels with: for each kernel
        its {channels} channels side by side. These are the arrays as they are stored; Theano turns
        them by 180 degrees before it lays them on the image, and all other figures show them so.""",
    ),
    "signed_kernels": (
        "The same kernels, channel by channel",
        """
        Orange is positive, blue negative and nearly white zero, for each of the {channels} channels.
        Where the channels look alike, the kernel asks for bright and dark; where they differ, for
        colour. They are turned as they are laid on the image.""",
    ),
    "attribution": (
        "Why this answer, and not another?",
        """
        Three answers to "which pixels count?". Saliency: the change of the class's score if a pixel
        changed, by the channel that matters most; violet does not say for or against, since one channel
        may speak for the class and another against it. Integrated gradients: the score, relative to an
        image of {empty}, shared out among the pixels. Occlusion: the loss behind a square of {empty}.
        Look where they agree, and at the bottom row for the pixels that decide between the two
        classes.""",
    ),
}

#: Those of colour images.
IN_COLOUR = {
    "kernels": (
        "The kernels of the first layer, in colour",
        """
        Each square shows the weights that one unit of the first layer multiplies its 5 x 5 pixels of
        red, green and blue with. Grey is zero. Each filter is scaled by one number, so that its weight
        of largest magnitude has no light or full light of its colour. Look for two kinds: edges in
        black and white, which ignore colour, and patches of one colour beside its opposite, which
        ignore the exact place. These are the arrays as they are stored; Theano turns them by 180
        degrees before it lays them on the image, and all other figures show them so.""",
    )
}
