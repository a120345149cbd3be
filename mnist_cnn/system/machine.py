"""The machine: processors, threads, and the processor's name."""

import os
import platform
import re
from pathlib import Path

__all__ = ["cores", "threads", "processor"]


def cores():
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def threads():
    """Count the threads of a training: OMP_NUM_THREADS, or all processors.

    The last bits of a sum depend on this number, because each thread adds up a part.

    Examples
    --------
    >>> import os
    >>> from mnist_cnn.system.machine import threads
    >>> os.environ["OMP_NUM_THREADS"] = "4,2"  # 4 threads; 2 where a thread starts others
    >>> threads()
    4
    >>> del os.environ["OMP_NUM_THREADS"]
    """
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if text.isdigit() else cores()


def processor():
    """The processor's name."""
    try:
        return re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        return platform.processor() or platform.machine()
