"""Keeps the memory of freed arrays for the next arrays."""

import ctypes

__all__ = ["keep_freed_memory"]

# of <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory(largest: int = 2**30, kept: int = 2**30) -> bool:
    """Have the C library keep the memory of freed arrays.

    Theano frees each intermediate array of a function after its last use. The C library returns large
    ones to the system at once, which then clears the pages of the next ones: up to a fifth of a
    training step.

    Parameters
    ----------
    largest : int
        Bytes of the largest array whose memory is kept. Where the library allows less, it is 2 ** 25.
    kept : int
        Bytes that are kept at most at the end of the heap.

    Returns
    -------
    bool
        False where the C library has no such setting: only glibc does.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # TypeError: Windows has no such handle
        return False
    return bool(
        (mallopt(_M_MMAP_THRESHOLD, largest) or mallopt(_M_MMAP_THRESHOLD, 2**25)) and mallopt(_M_TRIM_THRESHOLD, kept)
    )
