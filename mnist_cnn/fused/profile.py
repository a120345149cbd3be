"""What each part of a fast network takes of a step's time."""
import time

import lasagne
import numpy as np
import theano
import theano.tensor as T

from .conv2d import Pool2D, Pool2DGrad
from .ops import BernoulliMask
from .runs import sources


def profile(outputs, parts, batch_size, repeats=20):
    """Measure what a batch takes: the output, and the gradients of all weights.

    Parameters
    ----------
    outputs : list of Layer
        Of the fast network.
    parts : list of Part
        Those of the plain one.
    batch_size, repeats : int
        Random examples a step, and steps.

    Returns
    -------
    head : list of str
        Two columns' names.
    times : dict
        From a part to two cells: the milliseconds of all its operations, forward and back, and
        those that its products, none left out, take a product of matrices of NumPy's.
    foot : list of str
        What is no part's, and the whole.

    Examples
    --------
    >>> from mnist_cnn.fused import fuse
    >>> from mnist_cnn.fused.profile import profile
    >>> from mnist_cnn.fused.runs import plan
    >>> from mnist_cnn import model  # sets float32
    >>> from lasagne.layers import DenseLayer, InputLayer
    >>> network = DenseLayer(InputLayer((None, 20)), 10)
    >>> head, times, foot = profile([fuse(network)], plan([network]), batch_size=5, repeats=2)
    >>> len(head), len(times)
    (2, 2)
    """
    inputs = {layer: T.TensorType("float32", (False,) * len(layer.shape))()
              for layer in lasagne.layers.get_all_layers(outputs) if not sources(layer)}
    loss = sum(T.sum(result ** 2) for result in lasagne.layers.get_output(outputs, inputs))
    weights = lasagne.layers.get_all_params(outputs, trainable=True)
    stats = theano.compile.ProfileStats(atexit_print=False)
    step = theano.function(list(inputs.values()),
                           T.grad(loss, weights, disconnected_inputs="ignore"),
                           no_default_updates=True, profile=stats)
    rng = np.random.RandomState(0)
    data = [rng.normal(size=[n or batch_size for n in layer.shape]).astype("float32")
            for layer in inputs]
    step(*data)     # measures the ways, and is not counted
    before, start = dict(stats.apply_time), time.perf_counter()
    for _ in range(repeats):
        step(*data)
    whole = 1e3 * (time.perf_counter() - start) / repeats
    owners = _owners(step, weights, parts)
    spent = {}
    for node, seconds in stats.apply_time.items():
        part = owners.get(node)
        spent[part] = spent.get(part, 0) + 1e3 * (seconds - before.get(node, 0)) / repeats
    speed = _product_speed()
    times = {}
    for part in parts:
        products = batch_size * _products(part)
        times[part] = ["%.2f" % spent[part] if part in spent else "",
                       "%.2f" % (1e3 * products / speed) if products else ""]
    foot = ["Other operations: {:.2f} ms. A step without its update: {:.2f} ms, batch size {}. "
            "BLAS: {:.0f} GFLOP/s.".format(spent.get(None, 0), whole, batch_size, 2e-9 * speed)]
    return ["ms", "BLAS ms"], times, foot


def _owners(step, weights, parts):
    """From the compiled function's nodes to their parts, for those that are some part's."""
    fgraph = step.maker.fgraph
    part_of = {param: part for part in parts for layer in part.layers for param in layer.params}
    storage = {id(param.container.storage): part for param, part in part_of.items()}
    params = {variable: storage[id(container.storage)]
              for variable, container in zip(fgraph.inputs, step.input_storage)
              if id(container.storage) in storage}
    owners = {}
    for weight, gradient in zip(weights, fgraph.outputs):
        while gradient.owner is not None and isinstance(gradient.owner.op, T.DimShuffle):
            gradient = gradient.owner.inputs[0]
        if gradient.owner is not None:
            owners[gradient.owner] = part_of[weight]
    nodes = fgraph.toposort()
    for node in nodes:
        for variable in node.inputs:
            if variable.owner is not None and isinstance(variable.owner.op, T.DimShuffle):
                variable = variable.owner.inputs[0]
            if variable in params:
                owners[node] = params[variable]
    # Without parameters: in the order of the parts, and the other way back.
    pools = [part for part in parts if part.kind == "pooling" or part.options.get("pool")]
    masks = [part for part in parts if part.kind == "dropout"]
    for op, rivals in ((Pool2D, pools), (Pool2DGrad, pools[::-1]), (BernoulliMask, masks)):
        alone = [node for node in nodes if isinstance(node.op, op)]
        if len(alone) == len(rivals):
            owners.update(zip(alone, rivals))
    return owners


def _products(part):
    """Pairs that a part multiplies for an example: forward, for W and for x, none skipped."""
    layer = part.layers[0]
    first = all(not sources(source) for source in sources(layer))
    if part.kind in ("convolution", "stage"):
        sizes = layer.output_shape[1:] + layer.input_shape[1:2] + tuple(layer.filter_size)
    elif part.kind == "dense":
        sizes = layer.input_shape[1:] + (layer.num_units,)
    else:
        return 0
    return 0 if None in sizes else int(np.prod(sizes)) * (2 if first else 3)


def _product_speed():
    """Pairs a second that NumPy's product of matrices multiplies."""
    a = np.ones((1024, 1024), "float32")
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        np.dot(a, a)
        taken.append(time.perf_counter() - start)
    return 1024 ** 3 / min(taken)
