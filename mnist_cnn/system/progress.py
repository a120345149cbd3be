"""A progress bar at a terminal or in a notebook."""

from __future__ import annotations

import sys
import warnings

TYPE_CHECKING = False  # typing takes time to import
if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["progress_bar"]


def progress_bar(quiet: bool = False, **options: object) -> tqdm:
    """Make a progress bar.

    Parameters
    ----------
    quiet : bool
        Whether to show no bar. A pipe or a file never gets one.
    **options
        As for `tqdm.tqdm`.

    Returns
    -------
    tqdm
        A widget in a notebook with ipywidgets, otherwise text: on stderr at a terminal, on stdout in a
        notebook, because a notebook marks stderr as an error.
    """
    if not type(sys.stdout).__module__.startswith("ipykernel."):
        from tqdm import tqdm

        # disable=None: off in a pipe
        return tqdm(disable=True if quiet or sys.stderr is None else None, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets tqdm falls back to text
        from tqdm.auto import tqdm  # takes 0.1 s to import
    return tqdm(disable=quiet, file=sys.stdout, **options)
