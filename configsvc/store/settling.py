"""Bringing one working file to head, or finding that a person's work stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from configsvc.store.gitindex import IndexEntry
from configsvc.store.indexfile import Staged
from configsvc.store.withdrawn import Withdrawals
from configsvc.store.workfiles import Found, Kind, WorkFiles

DELETED = "deleted"
DELETION_STAGED = "deletion staged"
EDITED = "edited"

_ATTEMPTS = 3


class Committed(Protocol):
    """What is published of the repository.  Paths that are no regular files are absent."""

    def blob_at(self, path: str) -> bytes | None:
        """Return the 20-byte blob id at head, None when there is no such file."""

    def known(self, path: str, blob_id: bytes) -> bool:
        """Return whether this blob was ever committed at this path on main."""

    def content(self, blob_id: bytes) -> bytes:
        """Return the bytes of a committed blob."""


class Target(NamedTuple):
    """Where one path is to be brought.

    Args:
        blob_id: At head; None when it is not there.
        entry: What the index says.
    """

    name: str
    path: bytes
    blob_id: bytes | None
    entry: IndexEntry | None
    executable: bool


class Settled(NamedTuple):
    """What came of one path.

    Args:
        staged: What its entry should become; None leaves the entry alone.
        edit: Why the working file was left alone; empty when it was not.
    """

    staged: Staged | None
    edit: str = ""


class Settler:
    """Brings working files to head, one at a time.  Not thread-safe; use it while `files` is opened.

    Args:
        withdrawn: Paths whose files stay away.

    Attributes:
        starting: A missing file whose entry is behind head was lost in a crash,
            between a removal and the creation after it; else a person deleted it.
        rebuilt: The index was made anew, so an entry says nothing of what a person deleted.
    """

    def __init__(self, files: WorkFiles, committed: Committed, withdrawn: Withdrawals) -> None:
        self.starting = True
        self.rebuilt = False
        self._files = files
        self._committed = committed
        self._withdrawn = withdrawn

    def settle(self, target: Target) -> Settled | None:
        """Return what came of a path, None when somebody was at its file each time.

        Raises:
            OSError: The file could not be read or written.
            ValueError: No working file may be at that path.
        """
        for _ in range(_ATTEMPTS):
            found = self._files.look(target.path)
            if target.blob_id is None:
                settled = self._settle_removed(target, found)
            elif found.kind is Kind.MISSING:
                settled = self._settle_missing(target, target.blob_id)
            else:
                settled = self._settle_present(target, target.blob_id, found)
            if settled is not None:
                return settled
        return None

    def _settle_removed(self, target: Target, found: Found) -> Settled | None:
        removed = Staged(None)
        if found.kind is not Kind.FILE:
            return Settled(removed)
        if found.blob_id is None:
            return None
        known = self._known_at(target)
        if known(found.blob_id):
            return Settled(removed) if self._files.remove(target.path, known) else None
        if target.entry is not None and not known(target.entry.blob_id):
            return Settled(removed, "added")
        return Settled(removed, "edited here, deleted at head")

    def _settle_missing(self, target: Target, blob_id: bytes) -> Settled | None:
        if target.entry is None:
            if target.path in self._withdrawn:
                return Settled(None, DELETION_STAGED)
        elif not self.rebuilt:
            left = Staged(blob_id, executable=target.executable)
            if target.entry.skip_worktree:
                return Settled(left)
            if not self.starting or target.entry.blob_id == blob_id:
                return Settled(left, DELETED)
        content = self._committed.content(blob_id)
        made = self._files.create(target.path, content, executable=target.executable)
        return None if made is None else Settled(Staged(blob_id, made, target.executable))

    def _settle_present(self, target: Target, blob_id: bytes, found: Found) -> Settled | None:
        left = Staged(blob_id, executable=target.executable)
        if found.kind is Kind.OTHER:
            return Settled(left, found.what)
        if found.blob_id is None:
            return None
        if found.blob_id == blob_id and found.executable == target.executable:
            return Settled(Staged(blob_id, found.stat, target.executable))
        known = self._known_at(target)
        if not known(found.blob_id):
            return Settled(left, EDITED)
        content = self._committed.content(blob_id)
        made = self._files.replace(target.path, content, known, executable=target.executable)
        return None if made is None else Settled(Staged(blob_id, made, target.executable))

    def _known_at(self, target: Target) -> Callable[[bytes], bool]:
        return lambda blob_id: blob_id == target.blob_id or self._committed.known(target.name, blob_id)
