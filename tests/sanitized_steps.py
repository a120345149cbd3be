"""Training steps of networks, whose Ops `sanitize.py` has compiled with sanitizers.

    python tests/sanitized_steps.py tutorial    (or another of the benchmarks' networks, or layers)

Data lie in NumPy's arrays of just their size, so that a step beyond one is seen.
"""

import os
import sys

os.environ.pop("LD_PRELOAD", None)  # it is for this process, not for the compilers that it starts

import lasagne
import numpy as np
import theano.tensor as T
from lasagne.layers import (
    ConcatLayer,
    Conv2DLayer,
    DenseLayer,
    DropoutLayer,
    GlobalPoolLayer,
    InputLayer,
    MaxPool2DLayer,
    Pool2DLayer,
)
from lasagne.nonlinearities import LeakyRectify, rectify, softmax, tanh

from mnist_cnn import fused, train
from mnist_cnn.benchmarks.networks import NETWORKS, build_network
from mnist_cnn.training.distortions import DISTORTIONS, distortions


def layers(images):
    """All that the fast path takes, in sizes that fill no vector."""
    network = InputLayer((None, 1, 28, 28), images)
    network = Conv2DLayer(network, 7, 3, pad="same", nonlinearity=LeakyRectify(0.1))
    network = Conv2DLayer(network, 20, 2, pad=(1, 0), nonlinearity=tanh)
    network = ConcatLayer([MaxPool2DLayer(network, 2), Pool2DLayer(network, 2, mode="average_inc_pad")])
    network = Conv2DLayer(network, 33, 5, nonlinearity=rectify)
    network = MaxPool2DLayer(network, 2)
    network = Conv2DLayer(network, 16, 1, b=None, nonlinearity=rectify)
    network = MaxPool2DLayer(network, 3, 1, ignore_border=False)
    network = DropoutLayer(GlobalPoolLayer(network), 0.3)
    return DenseLayer(DenseLayer(network, 31, nonlinearity=rectify), 10, nonlinearity=softmax)


def main(name):
    shape = NETWORKS[name].shape if name in NETWORKS else (1, 28, 28)
    lasagne.random.set_rng(np.random.RandomState(1))
    rng = np.random.RandomState(2)
    images, targets = T.tensor4("images"), T.ivector("targets")
    network = build_network(name, images) if name in NETWORKS else layers(images)
    train_fn, val_fn = train.compile_functions(network, images, targets, 1e-3)
    functions = [train_fn, val_fn]
    if shape == (1, 28, 28):
        functions.append(fused.compile_move_pixels())
        distort = distortions(share=0.6, move=functions[-1], **DISTORTIONS)
    for size in (1, 2, 50, 17, 50, 3) if shape == (1, 28, 28) else (1, 9, 2):
        batch = np.float32(rng.rand(size, *shape) * (rng.rand(size, *shape) < 0.3))
        answers = rng.randint(0, 10, size).astype("int32")
        if shape == (1, 28, 28):
            batch = distort(batch, np.random.default_rng(size))
        loss, _ = train_fn(batch, answers)
        assert np.isfinite(loss)
        val_fn(batch, answers)
        val_fn(np.asfortranarray(batch)[:, :, ::-1], answers)  # strides of another order
    ops = {
        type(node.op).__name__
        for function in functions
        for node in function.maker.fgraph.apply_nodes
        if hasattr(node.op, "header")
    }
    print("steps with {}".format(", ".join(sorted(ops))))


if __name__ == "__main__":
    main(sys.argv[1])
