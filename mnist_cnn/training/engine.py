"""What computes a network: the fast path for a CPU, Theano's own operations, or another device."""

import numpy as np
import theano
import theano.tensor as T

from .. import compat
from ..fused import compile_move_pixels, why_not, why_nothing
from ..system.errors import MnistCnnError
from . import distortions

__all__ = ["Engine", "choose_engine"]


class Engine:
    """How a training is computed.

    Parameters
    ----------
    name : str
        'plain', 'fused', or the device's name.
    remark : str, optional
        What the report says of it; nothing where all is as it should be.
    required : bool
        Whether it was asked for by name, so that no other may take its place.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.training.engine import Engine
    >>> input_var, images, (train, val) = Engine("plain").place(
    ...     np.zeros((5, 1, 28, 28), np.float32), np.zeros((2, 1, 28, 28), np.float32))
    >>> input_var, train.shape, val.shape
    (inputs, (5, 1, 28, 28), (2, 1, 28, 28))
    """

    def __init__(self, name, remark=None, required=False):
        self.name, self.remark, self.required = name, remark, required

    def place(self, *parts, travel=False):
        """Put images where the network reads them.

        Parameters
        ----------
        *parts : float32 arrays
            Images, (n, channels, rows, columns).
        travel : bool
            Whether each batch is to go to a device as it is, since it is distorted on the way.

        Returns
        -------
        input_var : Theano variable
            The input of the compiled functions.
        images : Theano 4D tensor
            The input of the network.
        parts : list of arrays
            What to cut into batches for `input_var`: the images themselves, or on a device their
            numbers. There the images are moved once, and a batch is a transfer of 400 bytes.
        """
        if travel or self.name in ("plain", "fused"):
            images = T.tensor4("inputs")
            return images, images, parts
        numbers = T.lvector("numbers")
        images = theano.shared(np.concatenate(parts), "images")[numbers]
        ends = np.cumsum([len(part) for part in parts])
        return numbers, images, np.split(np.arange(ends[-1]), ends[:-1])

    @property
    def mode(self):
        """How Theano compiles this engine's functions: 'plain' does without the fast path."""
        mode = theano.compile.get_default_mode()
        return mode.excluding("mnist_cnn") if self.name == "plain" else mode

    def compiled(self, function):
        """Note what became of the train step.

        Parameters
        ----------
        function : Theano function

        Raises
        ------
        MnistCnnError
            When the fast path was asked for by name and took no part of it; or when it is not
            computed on the device.
        """
        compat.require_on_device(function)
        if self.name != "fused":
            return
        reason = why_nothing(function)
        if reason and self.required:
            raise MnistCnnError("the engine 'fused' cannot be used: {}".format(reason))
        if reason:
            self.name, self.remark = "plain", "plain Theano operations: {}".format(reason)

    def distortions(self, share, size=28):
        """Make what distorts the images of a batch.

        Parameters
        ----------
        share : float
            How many of a batch, its first, in [0, 1].
        size : pair of int
            Height and width of the images.

        Returns
        -------
        callable, or None
            As `mnist_cnn.training.distortions.distortions` makes it, in the fast form where the layers
            are fast: equal up to rounding. None where there is nothing to distort.
        """
        if not share:
            return None
        move = distortions.move_pixels
        if self.name == "fused":
            move = compile_move_pixels()
        return distortions.distortions(share=share, size=size, move=move, **distortions.DISTORTIONS)


def choose_engine(engine="auto", device=None):
    """Choose what computes the network.

    Parameters
    ----------
    engine, device : str
        As for `mnist_cnn.training.config.Config`.

    Returns
    -------
    Engine

    Raises
    ------
    MnistCnnError
        When an engine or a device that is asked for by name cannot be used; another never takes
        its place.

    Examples
    --------
    >>> from mnist_cnn.training.engine import choose_engine
    >>> engine = choose_engine("plain")
    >>> engine.name, engine.remark
    ('plain', 'plain Theano operations: asked for')
    """
    compat.require_compiler()
    compat.use_device(device)
    if compat.on_device():
        if engine == "fused":
            raise MnistCnnError("the engine 'fused' is for the CPU, and the device is {}".format(theano.config.device))
        return Engine(theano.config.device, "on {}".format(compat.device_parts["device"]))
    reason = why_not()
    if reason is None and theano.config.floatX != "float32":
        reason = "floatX is {}".format(theano.config.floatX)
    if engine == "fused" and reason:
        raise MnistCnnError("the engine 'fused' cannot be used: {}".format(reason))
    if engine == "plain" or reason:
        return Engine("plain", "plain Theano operations: {}".format("asked for" if engine == "plain" else reason))
    return Engine("fused", required=engine == "fused")
