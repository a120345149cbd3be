"""The order of a stage's result in memory."""

from theano.gof import FunctionGraph
from theano.tensor import DimShuffle

from ..ops.base import with_changes
from ..ops.stage import ConvReluPool
from .rewriting import ReplacingOptimizer

__all__ = ["Layout"]


class Layout(ReplacingOptimizer):
    """Has a stage write the channels of a pixel side by side where the next Op reads them so."""

    name = "mnist_cnn_layout"

    def apply(self, fgraph: FunctionGraph) -> None:
        for node in fgraph.toposort():
            if not isinstance(node.op, ConvReluPool) or node.op.channels_last:
                continue
            clients = [client for client, _ in fgraph.clients(node.outputs[0]) if client != "output"]
            if any(map(_wants_channels_last, clients)):
                new = with_changes(node, channels_last=True)
                fgraph.replace_all_validate(list(zip(node.outputs, new)), reason=self.name)


def _wants_channels_last(node):
    return isinstance(node.op, ConvReluPool) or isinstance(node.op, DimShuffle) and node.op.new_order == (0, 2, 3, 1)
