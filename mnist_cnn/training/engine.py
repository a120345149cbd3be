"""What computes a network: Lasagne's own layers, the fast layers for a CPU, or another device."""

import importlib.util

import lasagne
import numpy as np
import theano
import theano.tensor as T

from .. import compat
from ..support.errors import MnistCnnError
from . import augment

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

    def accelerate(self, network):
        """Make the network that this engine trains.

        Parameters
        ----------
        network : lasagne Layer
            The output layer of a plain network.

        Returns
        -------
        lasagne Layer
            That of an equal network with the same parameters.

        Raises
        ------
        MnistCnnError
            When fast layers were asked for by name, and none takes the place of a plain one.
        """
        if self.name != "fused":
            return network
        from ..fused import fuse, is_fused
        fused = fuse(network)
        if not is_fused(fused):
            reason = "no layer of this network has a fast form"
            if self.required:
                raise MnistCnnError("the engine 'fused' cannot be used: {}".format(reason))
            self.name, self.remark = "plain", "plain Lasagne layers: {}".format(reason)
        return fused

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
            As `mnist_cnn.training.augment.distortions` makes it, in the fast form where the layers
            are fast: equal up to rounding. None where there is nothing to distort.
        """
        if not share:
            return None
        move = augment.move_pixels
        if self.name == "fused":
            from ..fused import compile_move_pixels
            move = compile_move_pixels()
        return augment.distortions(share=share, size=size, move=move, **augment.DISTORTIONS)


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
    ('plain', 'plain Lasagne layers: asked for')
    """
    compat.require_compiler()
    compat.use_device(device)
    if compat.on_device():
        if engine == "fused":
            raise MnistCnnError("the engine 'fused' is for the CPU, and the device is {}".format(
                theano.config.device))
        return Engine(theano.config.device, "on {}".format(compat.device_parts["device"]))
    reason = _why_not_fused()
    if engine == "fused" and reason:
        raise MnistCnnError("the engine 'fused' cannot be used: {}".format(reason))
    if engine == "plain" or reason:
        return Engine("plain", "plain Lasagne layers: {}".format(
            "asked for" if engine == "plain" else reason))
    return Engine("fused", required=engine == "fused")


def _why_not_fused():
    """Why the fast layers cannot be used here, or None."""
    if importlib.util.find_spec("mnist_cnn.fused") is None:
        return "the package has no mnist_cnn.fused"
    from ..fused import why_not
    return why_not()


def nesterov_momentum(network):
    """The update rule for a network's parameters.

    Parameters
    ----------
    network : lasagne Layer
        The output layer.

    Returns
    -------
    callable
        `lasagne.updates.nesterov_momentum`, or for fused layers its like in one operation.
    """
    if importlib.util.find_spec("mnist_cnn.fused") is not None:
        from .. import fused
        if fused.is_fused(network):
            return fused.nesterov_momentum
    return lasagne.updates.nesterov_momentum
