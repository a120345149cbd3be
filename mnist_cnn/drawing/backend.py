"""Matplotlib; an ImportError with advice where its configuration is invalid."""

try:
    import matplotlib
except ValueError as error:
    raise ImportError(
        "Matplotlib does not start; look at MPLBACKEND and matplotlibrc: {}".format(" ".join(str(error).split()))
    ) from error

__all__ = ["matplotlib"]
