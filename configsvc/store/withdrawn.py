"""Paths that a person took out of git's index, and how to tell that from a reset or a crash.

`git rm` leaves nothing behind but an entry that is missing, and so does a
crash before the entry of a new service was written.  So it is remembered
which entries there were: the follower must not bring back what a person has
withdrawn.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

from configsvc.store.gitcommand import git
from configsvc.store.gitindex import GitIndex
from configsvc.store.objects import object_id

_SEARCHED_REVISIONS = 10_000
_MAX_DEPTH = 64

logger = logging.getLogger(__name__)


class Withdrawals:
    """The paths withdrawn from one index, kept in a file.  Not thread-safe."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._paths: set[bytes] = set()
        if file.exists():
            self._paths.update(path for path in file.read_bytes().split(b"\0") if path)

    def __contains__(self, path: bytes) -> bool:
        return path in self._paths

    def __len__(self) -> int:
        return len(self._paths)

    def observe(self, before: Iterable[bytes], after: Iterable[bytes]) -> None:
        """Note which paths somebody else's change took out of the index, or put back in."""
        present = set(after)
        self._set((self._paths | set(before)) - present)

    def discard(self, path: bytes) -> None:
        """Forget about a path: it is no longer part of the repository."""
        if path in self._paths:
            self._set(self._paths - {path})

    def clear(self) -> None:
        """Forget about all."""
        self._set(set())

    def _set(self, paths: set[bytes]) -> None:
        if paths == self._paths:
            return
        self._paths = paths
        temporary = self._file.with_name(self._file.name + ".new")
        try:
            temporary.write_bytes(b"\0".join(sorted(paths)))
            os.replace(temporary, self._file)
        except OSError as error:
            # It matters only across a restart, and to a deletion that was staged and not yet committed.
            logger.warning("%s not written: %s", self._file, error.strerror)


def is_older_revision(root: Path, index: GitIndex) -> bool:
    """Return whether the index is, to the last entry, that of an older revision of HEAD.

    Then it was reset, or a crash came before it was written; nobody stages that by hand.

    Raises:
        GitFailed: The history cannot be read.
    """
    tree = tree_id(index)
    if tree is None:
        return False
    trees = git(root, "log", "--first-parent", "--format=%T", f"--max-count={_SEARCHED_REVISIONS}", "HEAD")
    return tree.hex().encode() in trees.split()


def tree_id(index: GitIndex) -> bytes | None:
    """Return the id of the tree that the index describes, None when it describes none."""
    entries = index.entries()
    if any(entry.stage or entry.intent_to_add for _, entry in entries):
        return None
    if any(path.count(b"/") > _MAX_DEPTH for path, _ in entries):
        return None
    names = [path for path, _ in entries]
    leaves = [b"%o %s\0%s" % (entry.mode, path.rpartition(b"/")[2], entry.blob_id) for path, entry in entries]
    return _folder_id(names, leaves, 0, len(names), 0)


def _folder_id(names: Sequence[bytes], leaves: Sequence[bytes], low: int, high: int, start: int) -> bytes:
    """Return the id of the tree of names[low:high], which share their first `start` bytes."""
    records = []
    while low < high:
        slash = names[low].find(b"/", start)
        if slash < 0:
            records.append(leaves[low])
            low += 1
            continue
        end = bisect_left(names, names[low][:slash] + b"0", low, high)  # b"0" comes right after b"/"
        folder = _folder_id(names, leaves, low, end, slash + 1)
        records.append(b"40000 %s\0%s" % (names[low][start:slash], folder))
        low = end
    return object_id("tree", b"".join(records))
