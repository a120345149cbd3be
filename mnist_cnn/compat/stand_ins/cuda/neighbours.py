"""``theano.sandbox.cuda.neighbours``: the CPU's."""

from theano.tensor.nnet.neighbours import images2neibs

gpu_images2neibs = images2neibs
