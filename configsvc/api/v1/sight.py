"""What a client may see of the history of the repository: of each commit, what it may read.

A commit shows where it changed something that the client may read, and its message where that goes
for all that it changed: messages name services.
"""

from __future__ import annotations

from collections.abc import Iterator

from configsvc.access.decide import Action
from configsvc.api.guard import may
from configsvc.core.patterns import EVERYTHING
from configsvc.service.rights import right_for_path
from configsvc.store.base import CommitInfo, Entry, Snapshot

NOT_SHOWN = "(not shown: the commit changed other things too)"


def sees(service: str) -> bool:
    """Return whether the client may read a service."""
    return sees_everything() or may(Action.READ, service)


def sees_everything() -> bool:
    """Return whether the client may read all of the repository."""
    return may(Action.READ, EVERYTHING)


def sees_commit(snapshot: Snapshot, revision: int) -> bool:
    """Return whether the client may read something of what a commit changed."""
    return sees_everything() or any(_sights(snapshot, revision))


def shown_message(snapshot: Snapshot, commit: CommitInfo) -> str:
    """Return a commit's message, or that it is not shown."""
    if sees_everything() or all(_sights(snapshot, commit.revision)):
        return commit.message
    return NOT_SHOWN


def shown_entries(snapshot: Snapshot, revision: int) -> list[Entry]:
    """Return those versions that a commit made that the client may read."""
    return [entry for entry in snapshot.made_by(revision) if sees(entry.service)]


def _sights(snapshot: Snapshot, revision: int) -> Iterator[bool]:
    return (may(Action.READ, right_for_path(path)[1]) for path in snapshot.changed_paths(revision))
