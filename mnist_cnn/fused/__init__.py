"""The fast path on a CPU: optimizations of Theano's graph, for every function that is compiled.

Importing this package registers them; nobody calls anything. See `docs/fused.md`.
"""
from .rewrites import one_pool, dropout, updates  # noqa: F401  registered as they are imported
from . import rewrites  # noqa: F401  registered as they are imported
from .availability import why_not
from .ops.distortion import compile_move_pixels
from .explain import explain, why_nothing
from .memory import keep_freed_memory

__all__ = ["compile_move_pixels", "explain", "why_not", "why_nothing"]

keep_freed_memory()
