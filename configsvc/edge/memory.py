"""Memory that was used once, and is not any longer, given back to the system."""

from __future__ import annotations

import ctypes
import gc
from typing import Any


def give_back_memory(*, is_collected: bool) -> None:
    """Let the allocator return free memory to the system, where it can (glibc; malloc_trim(3)).

    Args:
        is_collected: Whether all objects are collected before, which empties the interpreter's lists of
            free ones too.  With many connections that holds everything up.
    """
    if is_collected:
        gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def shrink(members: set[Any]) -> None:
    """Let a set take no more memory than its members need: it keeps room for as many as it ever had."""
    kept = list(members)
    members.clear()
    members.update(kept)
