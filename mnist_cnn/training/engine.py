"""The engine of a training: the fast path for a CPU, Theano's own operations, or another device."""

from collections.abc import Sequence

import numpy as np
import theano
import theano.tensor as T

from .. import compat
from ..fused import compile_move_pixels, why_not, why_nothing
from ..system.errors import MnistCnnError
from . import distortions
from .distortions import Augment

__all__ = ["Engine", "choose_engine"]


class Engine:
    """The engine that computes a training.

    Parameters
    ----------
    name : str
        'plain', 'fused', or the device's name.
    remark : str, optional
        A line for the report.
    required : bool
        Whether the user asked for this engine, so that there is no fallback.
    """

    def __init__(self, name: str, remark: str | None = None, required: bool = False) -> None:
        self.name, self.remark, self.required = name, remark, required

    def place(
        self, *parts: np.ndarray, travel: bool = False
    ) -> tuple[theano.Variable, theano.Variable, Sequence[np.ndarray]]:
        """Put images where the network reads them: on a device, or in the function's arguments.

        Parameters
        ----------
        *parts : float32 arrays
            Images, (n, channels, rows, columns).
        travel : bool
            Whether each batch must be copied to a device, because it is distorted first.

        Returns
        -------
        input_var : Theano variable
            The input of the compiled functions.
        images : Theano 4D tensor
            The input of the network.
        parts : list of arrays
            The arrays to cut into batches for `input_var`: the images, or on a device their
            indices. A device gets all images once, and then 400 bytes for a batch.
        """
        if travel or self.name in ("plain", "fused"):
            images = T.tensor4("inputs")
            return images, images, parts
        numbers = T.lvector("numbers")
        images = theano.shared(np.concatenate(parts), "images")[numbers]
        ends = np.cumsum([len(part) for part in parts])
        return numbers, images, np.split(np.arange(ends[-1]), ends[:-1])

    @property
    def mode(self) -> theano.compile.mode.Mode:
        """Theano's mode for this engine's functions; for 'plain' it excludes the fast path."""
        mode = theano.compile.get_default_mode()
        return mode.excluding("mnist_cnn") if self.name == "plain" else mode

    def compiled(self, function: theano.compile.function_module.Function) -> None:
        """Check a compiled train step; without the fast path the engine's name becomes 'plain'.

        Parameters
        ----------
        function : Theano function

        Raises
        ------
        MnistCnnError
            When the engine is `required` and the fast path computes no part of the function, or when
            the function does not run on the device.
        """
        compat.require_on_device(function)
        if self.name != "fused":
            return
        reason = why_nothing(function)
        if reason and self.required:
            raise MnistCnnError("the engine 'fused' cannot be used: {}".format(reason))
        if reason:
            self.name, self.remark = "plain", "plain Theano operations: {}".format(reason)

    def distortions(self, share: float, size: int | tuple[int, ...] = 28) -> Augment | None:
        """Make the function that distorts batches.

        Parameters
        ----------
        share, size
            As for `mnist_cnn.training.distortions.distortions`.

        Returns
        -------
        callable, or None
            As that function returns it; the fused engine's is faster and equal up to rounding. None
            where `share` is 0.
        """
        if not share:
            return None
        move = compile_move_pixels() if self.name == "fused" else distortions.move_pixels
        return distortions.distortions(share=share, size=size, move=move, **distortions.DISTORTIONS)


def choose_engine(engine: str = "auto", device: str | None = None) -> Engine:
    """Choose the engine.

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
        When the engine or device that the caller names cannot be used. There is no fallback then.
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
