"""A network and its train step in PyTorch on the CPU: eager and compiled, in either memory format."""

import os

import torch
from torch import nn
from torch.nn import functional as F

VERSION = "PyTorch " + torch.__version__
CONTENDERS = {
    "PyTorch": dict(),
    "PyTorch, channels last": dict(channels_last=True),
    "torch.compile": dict(compiled=True),
    "torch.compile, channels last": dict(channels_last=True, compiled=True),
}
if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
    torch.set_num_threads(len(os.sched_getaffinity(0)))


class Sum(nn.Module):
    """The sum of several branches over one input."""

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(map(build_network, branches))

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)


def pool(size, stride, mode, ceil):
    """Pooling; an average leaves out what lies outside of the image."""
    if mode == "max":
        return nn.MaxPool2d(size, stride, ceil_mode=ceil)
    return nn.AvgPool2d(size, stride, ceil_mode=ceil, count_include_pad=False)


#: From a kind of layer to a function of its settings: `mnist_cnn.benchmarks.networks`.
BUILDERS = {
    "conv": lambda filters, size, stride, pad, bias: nn.LazyConv2d(filters, size, stride, pad, bias=bias),
    "pool": pool,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "batch_norm": lambda: nn.LazyBatchNorm2d(eps=1e-4),
    "dropout": lambda rate: nn.Dropout(rate),
    "flatten": nn.Flatten,
    "global_average": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "dense": lambda units: nn.LazyLinear(units),
    "sum": Sum,
}


def build_network(layers):
    """A module of the layers, whose weights get their shapes at the first call."""
    return nn.Sequential(*(BUILDERS[kind](**settings) for kind, settings in layers))


def initialize(network, shape):
    """Give the network its weights for images of this shape, as Lasagne draws them."""
    network.eval()(torch.zeros(1, *shape))
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    return network.train()


def build_optimizer(network):
    """The tutorial's gradient descent."""
    return torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)


def memory_format(channels_last):
    """The order of a convolution's data: (batch, row, column, channel), or channels second."""
    return torch.channels_last if channels_last else torch.contiguous_format


class Contender:
    """A network with its train step and its answers."""

    def __init__(self, layers, shape, channels_last=False, compiled=False):
        self.order = memory_format(channels_last)
        self.network = initialize(build_network(layers), shape).to(memory_format=self.order)
        self.parameters = sum(parameter.numel() for parameter in self.network.parameters())
        self.optimizer = build_optimizer(self.network)
        self.losses = torch.compile(self._losses) if compiled else self._losses
        self.logits = torch.compile(self.network) if compiled else self.network

    def _losses(self, images, labels):
        return F.cross_entropy(self.network(images), labels)

    def prepare(self, images, labels):
        """A batch as the other methods take it, from arrays."""
        return torch.from_numpy(images).to(memory_format=self.order), torch.from_numpy(labels).long()

    def step(self, images, labels):
        """Take a training step; return the loss."""
        self.network.train()
        loss = self.losses(images, labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()

    def answer(self, images, labels):
        """The sum of the losses and the number of right answers, without dropout."""
        self.network.eval()
        with torch.inference_mode():
            logits = self.logits(images)
            loss = F.cross_entropy(logits, labels, reduction="sum")
            return loss.item(), (logits.argmax(1) == labels).sum().item()
