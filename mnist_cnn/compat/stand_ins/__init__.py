"""Modules that Theano, scikit-learn and SciPy dropped, over those of today.

`mnist_cnn.compat.import_hooks.MOVED` has the names under which old programs import them.
"""
