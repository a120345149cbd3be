"""Matplotlib's pyplot; an ImportError with advice where Matplotlib's configuration is invalid."""

try:
    import matplotlib.pyplot as plt
except ValueError as error:
    raise ImportError(
        "Matplotlib does not start; look at MPLBACKEND and matplotlibrc: {}".format(" ".join(str(error).split()))
    ) from error

__all__ = ["plt"]
