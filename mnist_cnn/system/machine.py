"""The machine that a result was computed on, as far as the result depends on it."""

import os
import platform
from pathlib import Path

__all__ = ["cores", "threads", "processor", "cpuinfo"]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """How many threads a training uses: the first number of OMP_NUM_THREADS, else `cores`.

    The last bits of a sum depend on it, since each thread adds up a part.

    Examples
    --------
    >>> import os
    >>> from mnist_cnn.system.machine import threads
    >>> os.environ["OMP_NUM_THREADS"] = "4,2"  # 2 is for nested parallel regions
    >>> threads()
    4
    >>> del os.environ["OMP_NUM_THREADS"]
    """
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if text.isdigit() else cores()


def processor() -> str:
    """The processor's name, such as 'AMD EPYC 9R14'; the architecture where the system gives no name."""
    lines = cpuinfo("model name")
    return lines[0].partition(":")[2].strip() if lines else platform.processor() or platform.machine()


def cpuinfo(*fields: str) -> list[str]:
    """The lines of /proc/cpuinfo that begin with one of these words; none on systems other than Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith(fields)]
