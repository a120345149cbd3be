"""How the result of a stage lies in memory."""

from theano.gof.opt import Optimizer
from theano.gof.toolbox import ReplaceValidate
from theano.tensor import DimShuffle

from ..ops.base import with_op
from ..ops.stage import ConvReluPool

__all__ = ["Layout"]


class Layout(Optimizer):
    """Has a stage put the channels of a pixel side by side where what reads it wants them so.

    Examples
    --------
    >>> from mnist_cnn.model import build_cnn
    >>> import lasagne
    >>> import theano
    >>> network = build_cnn()
    >>> images = lasagne.layers.get_all_layers(network)[0].input_var
    >>> f = theano.function([images], lasagne.layers.get_output(network, deterministic=True))
    >>> [node.op.channels_last for node in f.maker.fgraph.toposort()
    ...  if type(node.op).__name__ == "ConvReluPool"]
    [True, False]
    """

    name = "mnist_cnn_layout"

    def add_requirements(self, fgraph):
        fgraph.attach_feature(ReplaceValidate())

    def apply(self, fgraph):
        for node in fgraph.toposort():
            op = node.op
            if not isinstance(op, ConvReluPool) or op.channels_last:
                continue
            y, codes = node.outputs
            if any(client != "output" and _wants_channels_last(client) for client, _ in fgraph.clients(y)):
                new = ConvReluPool(op.channels, op.filters, op.size, True, op.codes, op.openmp)
                fgraph.replace_all_validate(list(zip((y, codes), with_op(node, new))), reason=self.name)


def _wants_channels_last(node):
    return isinstance(node.op, ConvReluPool) or isinstance(node.op, DimShuffle) and node.op.new_order == (0, 2, 3, 1)
