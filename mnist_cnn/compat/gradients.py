"""A program's own `grad` wins over an `L_op` that its Op inherits.

Theano 0.9 and later ask an Op for `L_op`, and for `grad` only where no class has an `L_op`. Older
programs replace `grad`: on an instance (guided back-propagation [1]_), or in a subclass of an Op
that has an `L_op` today (straight-through estimators [2]_). Their gradient was ignored, silently.

References
----------
.. [1] J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller: Striving for simplicity: the all
   convolutional net. 2014. https://arxiv.org/abs/1412.6806
.. [2] Y. Bengio, N. Leonard, A. Courville: Estimating or propagating gradients through stochastic
   neurons for conditional computation. 2013. https://arxiv.org/abs/1308.3432
"""

from collections.abc import Callable

import theano

from .import_hooks import wrap

__all__ = ["own_gradient", "prefer_own_gradients"]


def own_gradient(op: theano.gof.Op) -> Callable | None:
    """The `grad` that wins over an Op's `L_op`: the instance's own, or that of a nearer class.

    Parameters
    ----------
    op : theano Op

    Returns
    -------
    callable or None
        From inputs and output gradients to input gradients. None where `L_op` is nearer.

    Examples
    --------
    >>> import mnist_cnn
    >>> import theano
    >>> from mnist_cnn.compat.gradients import own_gradient
    >>> x = theano.tensor.dvector()
    >>> op = theano.OpFromGraph([x], [abs(x)])
    >>> own_gradient(op)
    >>> op.grad = lambda inputs, gradients: [7 * gradients[0]]
    >>> theano.grad(op(x).sum(), x).eval({x: [-1, 2]})
    array([7., 7.])
    """
    if "grad" in vars(op):
        return op.grad
    for cls in type(op).__mro__:
        if "L_op" in vars(cls):
            return None
        if "grad" in vars(cls):
            return op.grad
    return None


_asked = []  # Ops whose own gradient is computed now, which may call the inherited `L_op`


def _wrap(cls):
    """Have a class's `L_op`, if it defines one, look for an own gradient first."""
    if "L_op" not in vars(cls) or hasattr(cls.L_op, "__wrapped__"):
        return

    @wrap(cls, "L_op")
    def prefer_own(old, self, inputs, outputs, output_grads):
        own = None if any(op is self for op in _asked) else own_gradient(self)
        if own is None:
            return old(self, inputs, outputs, output_grads)
        _asked.append(self)
        try:
            return own(inputs, output_grads)
        finally:
            _asked.pop()


def prefer_own_gradients() -> None:
    """Mend all classes of Ops, those that Theano has and those that programs will define."""
    root = theano.gof.op.PureOp

    def __init_subclass__(cls, **kwargs):
        super(root, cls).__init_subclass__(**kwargs)
        _wrap(cls)

    root.__init_subclass__ = classmethod(__init_subclass__)
    classes = root.__subclasses__()  # the root's own L_op asks for grad in any case
    while classes:
        cls = classes.pop()
        _wrap(cls)
        classes += cls.__subclasses__()
