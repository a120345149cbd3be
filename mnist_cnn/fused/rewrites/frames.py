"""A convolution's padding, written as zeros around the images or as a crop of its result.

Lasagne 0.1 writes all padding so: ``pad="same"`` is a crop of a full convolution, and a number of
pixels is an array of zeros with the images set into it.
"""

from theano import scalar
from theano.gof import Constant, Variable
from theano.tensor import Alloc, IncSubtensor, ScalarFromTensor, Shape, Subtensor
from theano.tensor.nnet.abstract_conv import AbstractConv2d
from theano.tensor.subtensor import get_idx_list

from .matching import constant_value, operands

__all__ = ["uncropped", "unpadded"]

_NOTHING = (0, 0, 0, 0)


def uncropped(variable: Variable) -> tuple[Variable, tuple[int, ...]]:
    """A convolution's result before it is cropped.

    Parameters
    ----------
    variable : Theano variable
        With an owner.

    Returns
    -------
    Theano variable
        The variable itself where it is no crop.
    tuple of four int
        Rows and columns that are cropped: top, bottom, left, right.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.frames import uncropped
    >>> import theano.tensor as T
    >>> x, W = T.ftensor4(), T.ftensor4()
    >>> y = T.nnet.conv2d(x, W, border_mode="full", filter_shape=(1, 1, 3, 3))
    >>> uncropped(y[:, :, 1:x.shape[2] + 1, :-1])[1]
    (1, 1, 0, 1)
    """
    node = variable.owner
    if not isinstance(node.op, Subtensor):
        return variable, _NOTHING
    whole, slices = node.inputs[0], _spatial_slices(node.inputs[1:], node.op.idx_list)
    conv = whole.owner
    if slices is None or conv is None or not isinstance(conv.op, AbstractConv2d):
        return variable, _NOTHING
    if conv.op.border_mode != "full" or tuple(conv.op.subsample) != (1, 1) or conv.op.kshp is None:
        return variable, _NOTHING
    crop = []
    for axis, part in zip((2, 3), slices):
        start = 0 if part.start is None else _number(part.start)
        size = conv.op.kshp[axis]
        end: int | None
        if part.stop is None:
            end = 0
        elif _number(part.stop) is not None:
            end = -_number(part.stop)
        else:  # the result has size - 1 rows more than the images
            more = _more_than_length(part.stop, conv.inputs[0], axis)
            end = None if None in (more, size) else size - 1 - more
        if start is None or end is None or start < 0 or end < 0:
            return variable, _NOTHING
        crop += [start, end]
    return whole, tuple(crop)


def unpadded(variable: Variable) -> tuple[Variable, tuple[int, ...]]:
    """Images without their padding.

    Parameters
    ----------
    variable : Theano variable

    Returns
    -------
    Theano variable
        The variable itself where it has no padding.
    tuple of four int
        Rows and columns of zeros: top, bottom, left, right.

    Examples
    --------
    >>> from mnist_cnn.fused.rewrites.frames import unpadded
    >>> import theano.tensor as T
    >>> x = T.ftensor4("x")
    >>> n, channels, rows, columns = (x.shape[k] for k in range(4))
    >>> zeros = T.zeros((n, channels, rows + 2, columns + 3))
    >>> unpadded(T.set_subtensor(zeros[:, :, 1:1 + rows, 2:2 + columns], x))
    (x, (1, 1, 2, 1))
    """
    node = variable.owner
    if node is None or not (isinstance(node.op, IncSubtensor) and node.op.set_instead_of_inc):
        return variable, _NOTHING
    zeros, images = node.inputs[:2]
    slices = _spatial_slices(node.inputs[2:], node.op.idx_list)
    if (
        slices is None
        or zeros.owner is None
        or not isinstance(zeros.owner.op, Alloc)
        or constant_value(zeros.owner.inputs[0]) != 0
        or images.dtype != variable.dtype
    ):
        return variable, _NOTHING
    frame = []
    for axis, part in zip((2, 3), slices):
        start = 0 if part.start is None else _number(part.start)
        whole = _more_than_length(zeros.owner.inputs[1 + axis], images, axis)
        if start is None or whole is None or _more_than_length(part.stop, images, axis) != start:
            return variable, _NOTHING
        frame += [start, whole - start]
    return (images, tuple(frame)) if min(frame) >= 0 else (variable, _NOTHING)


def _spatial_slices(inputs, idx_list):
    """The slices of rows and columns of an index that takes all images and channels, or None."""
    parts = get_idx_list([None] + list(inputs), idx_list)
    if len(parts) != 4 or any(part != slice(None) for part in parts[:2]):
        return None
    if not all(isinstance(part, slice) and part.step is None for part in parts[2:]):
        return None
    return parts[2:]


def _number(variable):
    """The value of an integer or of a constant, or None."""
    if isinstance(variable, Constant):
        return int(variable.data)
    return variable if isinstance(variable, int) else None


def _more_than_length(variable, x, axis):
    """c where a variable is ``x.shape[axis] + c``, or None."""
    if variable is None or isinstance(variable, int):
        return None
    if variable.owner is not None and isinstance(variable.owner.op, ScalarFromTensor):
        variable = variable.owner.inputs[0]
    for length, more in operands(variable, scalar.Add):
        if _number(more) is not None and _is_length(length, x, axis):
            return _number(more)
    return 0 if _is_length(variable, x, axis) else None


def _is_length(variable, x, axis):
    node = variable.owner
    if node is None or not isinstance(node.op, Subtensor):
        return False
    shape = node.inputs[0].owner
    index = get_idx_list(node.inputs, node.op.idx_list)
    return (
        shape is not None
        and isinstance(shape.op, Shape)
        and shape.inputs[0] is x
        and len(index) == 1
        and not isinstance(index[0], slice)
        and _number(index[0]) == axis
    )
