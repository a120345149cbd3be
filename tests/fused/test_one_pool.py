"""Elementwise operations beside fast ones leave OpenMP's threads alone."""

import numpy as np
import theano
import theano.tensor as T
from theano.tensor import Elemwise

from mnist_cnn import model, train


def with_openmp(function):
    return [node.op.openmp for node in function.maker.fgraph.apply_nodes if isinstance(node.op, Elemwise)]


def test_fast_graphs_have_one_pool_of_threads():
    input_var, target_var = T.tensor4(), T.ivector()
    functions = train.compile_functions(model.build_cnn(input_var), input_var, target_var)
    for function in functions:
        assert with_openmp(function) and not any(with_openmp(function))


def test_plain_graphs_stay_as_they_are():
    x = T.matrix()
    function = theano.function([x], T.exp(x) * 2)
    assert with_openmp(function) == [theano.config.openmp]
    np.testing.assert_allclose(function(np.zeros((2, 2), np.float32)), np.full((2, 2), 2))
