"""On whose behalf this thread judges: told once where a request enters, used where the workers are shared.

Between the two lies everything that judges, which has no use for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ASKER: ContextVar[str | None] = ContextVar("asker", default=None)


@contextmanager
def asking(who: str | None) -> Iterator[None]:
    """Judge on behalf of a principal within this block; None: of nobody in particular."""
    token = _ASKER.set(who)
    try:
        yield
    finally:
        _ASKER.reset(token)


def asker() -> str | None:
    """Return on whose behalf this thread judges now."""
    return _ASKER.get()
