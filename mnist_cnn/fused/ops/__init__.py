"""Theano Ops in C++, a file for each."""
