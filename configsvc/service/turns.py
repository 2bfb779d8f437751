"""Turns at computing: however many writes are under way, few of them compute at one time.

Python runs one thread at a time and hands on to any of those that want to.  When a batch has landed, all
who wrote wake at once; without turns, a read or the event loop would wait for each of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 0.25
"""How long a thread waits for its turn.  Then it goes on without, lest one that waits for something else
while it has a turn, such as a worker process that judges a document, hold up all others."""


class Turns:
    """Some turns, each one thread's.  Thread-safe.

    Args:
        most: Threads that have a turn at one time.
    """

    def __init__(self, most: int = 2, *, patience_s: float = PATIENCE_S) -> None:
        self._free = threading.Semaphore(most)
        self._patience_s = patience_s
        self._own = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have a turn within this block, if there is one soon."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let others have this thread's turn, if it has one, within this block: it waits for something."""
        if not self._give_back():
            yield
            return
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        self._own.has_turn = self._free.acquire(timeout=self._patience_s)

    def _give_back(self) -> bool:
        has_turn = bool(getattr(self._own, "has_turn", False))
        self._own.has_turn = False
        if has_turn:
            self._free.release()
        return has_turn
