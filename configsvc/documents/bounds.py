"""How large a document may be.  Each bound is a setting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on one document.

    Args:
        max_bytes: Size of the text, as sent and as stored.
        max_depth: Nesting of mappings and lists, counted through aliases; the
            top level is depth 1.
        max_nodes: Scalars, mappings and lists, counted through aliases.
        max_expanded_bytes: Text of all scalars, counted through aliases, so
            that a short text cannot stand for a huge value.
    """

    max_bytes: int = 1 << 20
    max_depth: int = 64
    max_nodes: int = 100_000
    max_expanded_bytes: int = 4 << 20


DEFAULT_BOUNDS = Bounds()
