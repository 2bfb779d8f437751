"""The changes that an interest is about, revision after revision, from any revision on.

What is told comes from published snapshots only, which are durable, so nothing that is told vanishes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from heapq import merge
from typing import NamedTuple

from configsvc.store.base import Entry, Snapshot
from configsvc.watch.interest import Interest

REVISIONS_A_STEP = 200
"""Most revisions, or versions of a service, that one step looks at."""


class Event(NamedTuple):
    """What one revision changed, of what is watched; sorted by service, never empty."""

    revision: int
    entries: tuple[Entry, ...]


class Stream:
    """A place in the sequence of revisions.

    Args:
        since: The last revision that the client knows.
    """

    __slots__ = ("_interest", "position")

    def __init__(self, interest: Interest, since: int) -> None:
        self._interest = interest
        self.position = since
        """All up to this revision was told."""

    def step(self, snapshot: Snapshot, may_read: Callable[[str], bool]) -> list[Event]:
        """Return what comes next, and move on; the client is up to `snapshot` when `position` is.

        Args:
            may_read: Tells whether the client may read a service.
        """
        if self.position >= snapshot.revision:
            return []
        take = self._step_all if self._interest.prefixes else self._step_named
        found = take(snapshot)
        shown = ((revision, filter(lambda each: may_read(each.service), made)) for revision, made in found)
        events = (Event(revision, tuple(entries)) for revision, entries in shown)
        return [event for event in events if event.entries]

    def _step_all(self, snapshot: Snapshot) -> list[tuple[int, list[Entry]]]:
        first = self.position + 1
        self.position = min(self.position + REVISIONS_A_STEP, snapshot.revision)
        return [
            (revision, [each for each in snapshot.made_by(revision) if self._interest.matches(each.service)])
            for revision in range(first, self.position + 1)
        ]

    def _step_named(self, snapshot: Snapshot) -> list[tuple[int, list[Entry]]]:
        """Walk the histories of the services, which costs nothing for commits of others."""
        end = snapshot.revision
        found: dict[int, list[Entry]] = {}
        for service in sorted(self._interest.services):
            entries = snapshot.entries(service)
            start = bisect_right(entries, self.position, key=lambda entry: entry.revision)
            taken = entries[start : start + REVISIONS_A_STEP]
            if start + REVISIONS_A_STEP < len(entries):
                end = min(end, taken[-1].revision)
            for entry in taken:
                found.setdefault(entry.revision, []).append(entry)
        self.position = end
        return [(revision, found[revision]) for revision in sorted(found) if revision <= end]


def existing(snapshot: Snapshot, interest: Interest) -> Iterator[Entry]:
    """Yield the newest version of each service that exists and is watched, sorted and one by one."""
    last = ""
    for name in merge(sorted(interest.services), *map(snapshot.services, sorted(interest.prefixes))):
        entry = None if name == last else snapshot.find(name)
        last = name
        if entry is not None and not entry.deleted:
            yield entry
