"""How a batch becomes visible: one path, whoever made it durable.

Holds what readers see: the head, the version index, recent request ids.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable

from configsvc.store.batch import Batch
from configsvc.store.reader import ObjectReader
from configsvc.store.requests import Landing, RequestTable
from configsvc.store.state import Head, StoreSnapshot
from configsvc.store.versions import CommitChanges, VersionIndex

_MAX_TIMES = 10_000


class Publisher:
    """What is published.  One thread applies; any may take a snapshot.

    Args:
        index: Fed up to `head`.
        on_publish: Told the paths that a publish step touched, after it.
    """

    def __init__(
        self,
        head: Head,
        index: VersionIndex,
        reader: ObjectReader,
        requests: RequestTable,
        *,
        on_publish: Callable[[Collection[str]], None] = lambda paths: None,
    ) -> None:
        self.index = index
        self.requests = requests
        self.foreign_moves = 0
        """How often `main` moved onto commits that the writer has not made."""
        self._reader = reader
        self._on_publish = on_publish
        self._snapshot = StoreSnapshot(head, index, reader)
        self._landed_at: OrderedDict[str, float] = OrderedDict()

    def snapshot(self) -> StoreSnapshot:
        """Return the newest published revision."""
        return self._snapshot

    def landed_at(self, path: str) -> float | None:
        """Return when a change of `path` was last published (Unix time); None when not lately."""
        return self._landed_at.get(path)

    def apply(self, batch: Batch) -> None:
        """Make a durable batch visible, in one step."""
        for identity, (kind, content) in batch.objects.items():
            if kind == "blob":
                self._reader.keep(identity, content)
        self.advance(batch.commits, batch.new_head, batch.landings, is_foreign=bool(batch.pushed))

    def advance(
        self,
        commits: Iterable[CommitChanges],
        head: Head,
        landings: Iterable[Landing] = (),
        *,
        is_foreign: bool = True,
    ) -> None:
        """Move what is visible on to `head`, whose commits since are given in order.

        Args:
            is_foreign: Whether there are commits of others among what `head` reaches now.
        """
        paths: dict[str, None] = {}
        for commit in commits:
            self.index.feed(commit)
            paths.update((change.path, None) for change in commit.changes)
        self.requests.add(landings)
        self._note_times(paths)
        # The index is ahead of the head for a moment; readers look no further than their head.
        self._snapshot = StoreSnapshot(head, self.index, self._reader)
        self.foreign_moves += is_foreign  # after the head: see `Landing`
        self._on_publish(paths)

    def _note_times(self, paths: Iterable[str]) -> None:
        now = time.time()
        for path in paths:
            self._landed_at[path] = now
            self._landed_at.move_to_end(path)
        while len(self._landed_at) > _MAX_TIMES:
            self._landed_at.popitem(last=False)
