"""The fast path on a CPU: optimizations of Theano's graph, for every function that is compiled.

Importing this package registers them; nobody calls anything. See `docs/fused.md`.
"""

from . import rewrites  # noqa: F401  registered as they are imported
from .availability import why_not
from .explain import explain, why_nothing
from .memory import keep_freed_memory
from .ops.distortion import compile_move_pixels

__all__ = ["compile_move_pixels", "explain", "why_not", "why_nothing"]

keep_freed_memory()
