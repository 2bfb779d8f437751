"""The index from services and prefixes to who waits for them.

A waiter registers first and looks at the newest snapshot then, so that no publish falls in between:
either it is in the snapshot, or its wake comes after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from configsvc.core.names import PRINCIPALS_FOLDER, find_document
from configsvc.watch.interest import Interest

Wake = Callable[[], None]
_PRINCIPALS = PRINCIPALS_FOLDER + "/"


class Hub:
    """Finds whom a publish concerns.  Thread-safe; the lock is held for the index only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_service: dict[str, dict[int, Wake]] = {}
        self._by_prefix: dict[str, dict[int, Wake]] = {}
        self._wakes: dict[int, Wake] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._wakes)

    @contextmanager
    def registered(self, interest: Interest, wake: Wake) -> Iterator[None]:
        """Have `due` return `wake` for what `interest` is about, within this block."""
        number = self.add(interest, wake)
        try:
            yield
        finally:
            self.remove(number, interest)

    def add(self, interest: Interest, wake: Wake) -> int:
        """Have `due` return `wake` for what `interest` is about; return the number that ends it."""
        with self._lock:
            self._next += 1
            number = self._next
            self._wakes[number] = wake
            for index, key in self._places(interest):
                index.setdefault(key, {})[number] = wake
        return number

    def remove(self, number: int, interest: Interest) -> None:
        """End what `add` began."""
        with self._lock:
            del self._wakes[number]
            for index, key in self._places(interest):
                del index[key][number]
                if not index[key]:
                    del index[key]

    def due(self, paths: Collection[str]) -> list[Wake]:
        """Return the wakes of those whom a publish of `paths` concerns, each once.

        A change of principals concerns everyone: some may read no longer.
        """
        services = {found.service for found in map(find_document, paths) if found is not None}
        with self._lock:
            if any(path.startswith(_PRINCIPALS) for path in paths):
                return list(self._wakes.values())
            found: dict[int, Wake] = {}
            for service in services:
                found |= self._by_service.get(service, {})
                for prefix in self._prefixes_of(service):
                    found |= self._by_prefix[prefix]
        return list(found.values())

    def wake(self, paths: Collection[str]) -> None:
        """Wake those whom a publish of `paths` concerns, in this thread."""
        for wake in self.due(paths):
            wake()

    def all(self) -> list[Wake]:
        """Return the wakes of all who wait."""
        with self._lock:
            return list(self._wakes.values())

    def _prefixes_of(self, service: str) -> list[str]:
        if len(self._by_prefix) <= len(service):
            return [prefix for prefix in self._by_prefix if service.startswith(prefix)]
        starts = (service[:end] for end in range(len(service) + 1))
        return [start for start in starts if start in self._by_prefix]

    def _places(self, interest: Interest) -> Iterator[tuple[dict[str, dict[int, Wake]], str]]:
        for service in interest.services:
            yield self._by_service, service
        for prefix in set(interest.prefixes):
            yield self._by_prefix, prefix
