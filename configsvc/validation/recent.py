"""A bounded memory of what was worked out before, by what it was worked out from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values of the keys used last.  Thread-safe.

    Args:
        max_entries: Beyond it, what was not used for longest is forgotten.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._known: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()  # guards the mapping above

    def __len__(self) -> int:
        with self._lock:
            return len(self._known)

    def find(self, key: K) -> V | None:
        """Return the value of `key` when it is known, else None."""
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key]

    def get(self, key: K, compute: Callable[[], V]) -> V:
        """Return the value of `key`, computed when it is not known; what `compute` raises is not kept."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        value = compute()
        with self._lock:
            self._known[key] = value
            self._known.move_to_end(key)
            if len(self._known) > self._max_entries:
                self._known.popitem(last=False)
        return value
