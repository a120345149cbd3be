"""`sklearn.preprocessing.label`, private since scikit-learn 0.22: a function that a program sets here is set there."""

import functools
import sys
import types

from sklearn.preprocessing import _label

__all__ = []


def _without_input_name(function):
    """A program's `type_of_target`, which scikit-learn has called with an `input_name` since 1.1."""

    @functools.wraps(function)
    def function_(*args, input_name=None, **kwargs):
        return function(*args, **kwargs)

    return function_


class _Label(types.ModuleType):
    def __getattr__(self, name):
        return getattr(_label, name)

    def __setattr__(self, name, value):
        if name.startswith("__"):
            super().__setattr__(name, value)
        elif name == "type_of_target" and not value.__module__.startswith("sklearn."):
            setattr(_label, name, _without_input_name(value))
        else:
            setattr(_label, name, value)


sys.modules[__name__].__class__ = _Label
