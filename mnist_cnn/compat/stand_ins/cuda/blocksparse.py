"""``theano.sandbox.cuda.blocksparse``: the CPU's."""

from theano.tensor.nnet.blocksparse import sparse_block_dot

sparse_block_dot_SS = sparse_block_dot_DS = sparse_block_dot
