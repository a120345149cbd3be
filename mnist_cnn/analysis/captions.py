"""What the page says of each figure where the images are no digits of MNIST's size."""

from .figures import FIGURES
from .materials import HIDDEN

__all__ = ["caption"]


def caption(name, materials):
    """Say what to look for in a figure.

    Parameters
    ----------
    name : str
        Out of `mnist_cnn.analysis.figures.FIGURES`.
    materials : mnist_cnn.analysis.materials.Materials

    Returns
    -------
    heading, text : str
    """
    channels, rows, columns = materials.images.shape[1:]
    figure = FIGURES[name]
    heading, text = figure.heading, figure.text
    if materials.noun != "digit" or (channels, rows, columns) != (1, 28, 28):
        heading, text = OTHERS.get(name, (heading, text))
        if channels > 1:
            heading, text = IN_CHANNELS.get(name, (heading, text))
        if channels == 3:
            heading, text = IN_COLOUR.get(name, (heading, text))
    sides = ", ".join(
        str(layer.output_shape[2]) for key, layer in materials.layers.items() if key.startswith(("conv", "pool"))
    )
    return heading, " ".join(
        text.format(
            noun=materials.noun, rows=rows, columns=columns, channels=channels, sides=sides, hidden=HIDDEN
        ).split()
    )


OTHERS = {
    "digit": (
        "The image",
        """
        What the network sees: {rows} x {columns} pixels.""",
    ),
    "feature_maps": (
        "Its feature maps",
        """
        The image convolved with each kernel, numbered alike. Look for maps that keep only the
        edges of one direction.""",
    ),
    "activations": (
        "An image's way through the network",
        """
        From pixels on the left to the answer on the right. The maps lose detail ({sides} pixels a
        side) and gain meaning: edges in the first layer, pieces of shapes in the second. In the
        dense layer no position is left; look how few of its units are awake.""",
    ),
    "second_layer": (
        "What the second layer looks for",
        """
        A unit of the second layer sees 14 x 14 pixels. Left, the pieces of real images that excite
        it most, with the values of the first and the ninth; middle, the input that does so even
        more, climbed to from noise; right, its nine heaviest kernels, turned as they are laid
        on, with the numbers of the first layer's maps that they read. Compare left and middle:
        where they agree, you know what the filter is for.""",
    ),
    "classes": (
        "What each answer looks for",
        """
        Climbed to from noise, as the second layer's maxima: for each class an input that raises its
        score as far as it can. Above each, how probable the network finds the class there: it is
        sure of most, and no one would name most of them so. Look for the parts that count, and for
        what does not matter to it.""",
    ),
    "attribution": (
        "Why this answer, and not another",
        """
        Three answers to "which pixels count?". Saliency: how the class's score would change if
        a pixel became brighter, dark ones too. Integrated gradients: the score shared out among
        the pixels that are not black. Occlusion: how much is lost when a square is blackened. Look
        where they agree, and at the bottom row for the pixels that decide between the two
        classes.""",
    ),
    "occlusion": (
        "What hiding a part does",
        """
        A square of {hidden} x {hidden} pixels slides over the image and hides what is below. Orange:
        the class loses score, so the hidden part speaks for it; blue: the class gains. Bottom left,
        how probable the answer stays; look for a dark place, where hiding one part turns the answer
        into another.""",
    ),
    "confusion": (
        "What is taken for what",
        """
        Rows are what the {noun}s are, columns what the network says; mistakes are coloured, right
        answers are grey. Look for pairs of classes, and whether a pair is confused both ways.""",
    ),
    "accuracy": (
        "Which classes are hard",
        """
        The bars are 95 % confidence intervals (Wilson's). Two classes whose intervals overlap a
        good deal cannot be ranked.""",
    ),
    "reliability": (
        "Does it know what it does not know?",
        """
        Of the answers given with 80 % confidence, four of five should be right: points on the
        line. Below it the network is too sure of itself, above it too modest. Mind the bars,
        and the counts below, on a logarithmic axis.""",
    ),
    "embedding": (
        "What the network thinks alike",
        """
        The 256 features before the last layer, of every test image, seen from the direction in
        which they differ most. Look which classes are neighbours, what lies between two groups,
        and which strays sit amid another class. The circle marks the image above. Two directions
        are not all: groups that overlap here may lie apart in the others.""",
    ),
    "tsne": (
        "The same, with neighbours kept together",
        """
        t-SNE gives up straight directions, and lays images so that those the network finds alike
        lie together. Look at the islands, and at the images between them. How far two islands are
        from each other, and how large they are, means nothing.""",
    ),
    "evolution": (
        "How the kernels came to be",
        """
        Before training the kernels, turned as they are laid on the image, are noise. Look how
        early the edges appear, and how they then only grow sharper; a kernel that stays noise has
        found nothing to do.""",
    ),
}

#: Of images in several channels.
IN_CHANNELS = {
    "kernels": (
        "The kernels of the first layer",
        """
        What one unit of the first layer multiplies its 5 x 5 pixels with: for each kernel its
        {channels} channels side by side. These are the arrays as they are stored; Theano turns
        them by 180 degrees before it lays them on the image, and all other figures show them so.""",
    ),
    "signed_kernels": (
        "The same kernels, channel by channel",
        """
        Orange is positive, blue negative and nearly white zero, for each of the {channels} channels.
        Where the channels look alike, the kernel asks for bright and dark; where they differ, for
        colour. They are turned as they are laid on the image.""",
    ),
}

#: Of colour images.
IN_COLOUR = {
    "kernels": (
        "The kernels of the first layer, in colour",
        """
        Each square is what one unit of the first layer multiplies its 5 x 5 pixels of red, green
        and blue with. Grey is zero; each filter is scaled by one number, so that its weight of
        largest magnitude becomes no light or full light of its colour. Look for two kinds: edges
        in black and white, which ignore colour, and patches of one colour beside its opposite,
        which ignore the exact place. These are the arrays as they are stored; Theano turns
        them by 180 degrees before it lays them on the image, and all other figures show them so.""",
    ),
    "signed_kernels": (
        "The same kernels, channel by channel",
        """
        Red, green and blue side by side; here orange is positive, blue negative and nearly white
        zero. Where the three look alike, the kernel asks for bright and dark; where they differ,
        for colour. They are turned as they are laid on the image.""",
    ),
    "attribution": (
        "Why this answer, and not another",
        """
        Three answers to "which pixels count?". Saliency: how much the class's score would change
        if a pixel changed, by the channel of red, green and blue that matters most; violet does
        not say for or against, since one channel may speak for the class and another against it.
        Integrated gradients: the score, counted from a field of the mean colour, shared out among
        the pixels. Occlusion: how much is lost behind a square of the mean colour. Look where they
        agree, and at the bottom row for the pixels that decide between the two classes.""",
    ),
    "classes": (
        "What each answer looks for",
        """
        Climbed to from noise on the mean colour, as the second layer's maxima: for each class an
        input that raises its score as far as it can. Above each, how probable the network finds the
        class there: it is sure of most, and no one would name most of them so. Look for colours and
        shapes that count, and for what does not matter to it.""",
    ),
}
