"""The queue before the single writer, and how much of it makes a batch.

A batch costs the same syncs for one write as for many, so who writes again as soon as
it was answered is waited for: those who were answered together would else come back
in two halves, each of which waits for the other's syncs from then on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from configsvc.core.errors import QueueFull, ServiceClosed

MAX_BATCH = 256
MAX_QUEUE = 4096
GAP_S = 0.0005
"""A batch is begun when none has come for so long, in seconds."""

T = TypeVar("T")


class WriteQueue(Generic[T]):
    """What waits to be written.  Any thread puts, one takes.

    Args:
        gap_s: Longest pause between two that are waited for.
    """

    def __init__(self, *, gap_s: float = GAP_S) -> None:
        self._gap_s = gap_s
        self._items: deque[T] = deque()
        self._changed = threading.Condition()  # guards all fields below, and the items
        self._closed = False
        self._wanted = 1
        self._expected = 1
        self._expected_until_s = 0.0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append an item.

        Raises:
            QueueFull, ServiceClosed: It was not taken.
        """
        with self._changed:
            if self._closed:
                raise ServiceClosed("write: the service is shutting down (expected: try again elsewhere)")
            if len(self._items) >= MAX_QUEUE:
                raise QueueFull(f"write: {len(self._items)} writes wait already (expected: < {MAX_QUEUE})")
            self._items.append(item)
            if len(self._items) >= self._wanted:
                self._changed.notify()

    def put_back(self, items: Iterable[T]) -> None:
        """Put what was taken before all that waits, in its order."""
        with self._changed:
            self._items.extendleft(reversed(list(items)))

    def expect(self, answered: int, within_s: float) -> None:
        """Say how many are about to be answered, and how long it is worth to wait for them to come back.

        Call it before they are answered: those who wait already are counted too.
        """
        with self._changed:
            self._expected = min(answered + len(self._items), MAX_BATCH)
            self._expected_until_s = time.monotonic() + within_s

    def take(self, timeout_s: float) -> list[T] | None:
        """Return the next batch, empty when nothing came in time; None when closed and empty."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout_s)
            self._gather()
            if self._closed and not self._items:
                return None
            return [self._items.popleft() for _ in range(min(len(self._items), MAX_BATCH))]

    def _gather(self) -> None:
        self._wanted = self._expected
        before = 0
        while before < len(self._items) < self._expected and not self._closed:
            left_s = self._expected_until_s - time.monotonic()
            if left_s <= 0:
                break
            before = len(self._items)
            self._changed.wait(min(left_s, self._gap_s))
        self._wanted = 1

    def close(self) -> None:
        """Take nothing any more; what waits is given out still."""
        with self._changed:
            self._closed = True
            self._changed.notify()
