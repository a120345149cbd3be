"""A progress bar where a person looks: text at a terminal, a widget or text in a notebook."""

import sys
import warnings

__all__ = ["progress_bar"]


def progress_bar(quiet=False, **options):
    """Make a progress bar.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing. Nothing is shown in a pipe or a file either.
    **options
        As for `tqdm.tqdm`.

    Returns
    -------
    tqdm
        In a notebook with ipywidgets a widget, elsewhere text: on stderr at a terminal, and on
        stdout in a notebook, which shows stderr as if something were wrong.
    """
    if not type(sys.stdout).__module__.startswith("ipykernel."):
        from tqdm import tqdm

        # a program without a stderr shows nothing; None: off in a pipe
        return tqdm(disable=True if quiet or sys.stderr is None else None, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it is text, which is as well
        from tqdm.auto import tqdm  # here: it takes a tenth of a second to import
    return tqdm(disable=quiet, file=sys.stdout, **options)
