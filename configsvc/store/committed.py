"""A repository read without its lock: what is committed, beside whoever holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from configsvc.core.changes import Outcome
from configsvc.core.errors import RepositoryUnusable, Unavailable
from configsvc.store.adoption import load_root
from configsvc.store.base import StoreStatus, Write
from configsvc.store.gitcommand import GitFailed
from configsvc.store.history import first_parent_commits
from configsvc.store.listeners import Told
from configsvc.store.opening import load_index
from configsvc.store.reader import ObjectReader
from configsvc.store.refs import RefUnreadable, read_ref
from configsvc.store.repository import git_dir_of, own_folder, refuse_shallow
from configsvc.store.state import Head, StoreSnapshot
from configsvc.store.versions import VersionIndex


class CommittedStore:
    """A `ConfigStore` that writes nothing, and sees what another process lands.

    Args:
        root: The working tree; opened at exactly this folder.

    Raises:
        RepositoryUnusable: It cannot be read as it is; the message says why.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._git_dir = git_dir_of(self.root)
        refuse_shallow(self.root, self._git_dir)
        self._reader = ObjectReader(self.root)
        commit_id = read_ref(self._git_dir)
        self._lock = threading.Lock()  # guards the two below
        self._index, _ = load_index(self.root, own_folder(self._git_dir) / "versions", commit_id)
        self._snapshot = _snapshot(commit_id, self._index, self._reader)

    def snapshot(self) -> StoreSnapshot:
        """Return the newest revision on main.

        Raises:
            RepositoryUnusable: main was moved to another history, or cannot be read.
        """
        try:
            commit_id = read_ref(self._git_dir)
        except RefUnreadable as error:
            raise RepositoryUnusable(f"repository: {self.root}: {error}") from error
        with self._lock:
            if commit_id != self._snapshot.commit_id:
                self._advance(commit_id)
            return self._snapshot

    def submit(self, write: Write) -> Future[Outcome]:
        """Refuse `write`."""
        raise Unavailable(f"repository: {self.root} is open for reads alone (expected: one that is held)")

    def status(self) -> StoreStatus:
        """Return that nothing is known to be wrong."""
        return StoreStatus(self.snapshot().revision)

    def listen(self, told: Told) -> Callable[[], None]:
        """Tell nothing, since nothing is published here: ask for a snapshot now and then."""
        return lambda: None

    def close(self) -> None:
        """End the processes that read."""
        self._reader.close()

    def _advance(self, commit_id: str) -> None:
        before = self._snapshot.commit_id
        try:
            commits = list(first_parent_commits(self.root, commit_id, after=before))
        except GitFailed as error:
            raise RepositoryUnusable(f"repository: {self.root}: history not readable: {error}") from error
        if not commits or commits[-1].commit_id.hex() != commit_id:
            raise RepositoryUnusable(
                f"repository: {self.root}: main was moved from {before[:12]} to {commit_id[:12]} "
                "(expected: what is ahead of it)"
            )
        for commit in commits:
            self._index.feed(commit)
        self._snapshot = _snapshot(commit_id, self._index, self._reader)


def _snapshot(commit_id: str, index: VersionIndex, reader: ObjectReader) -> StoreSnapshot:
    head = Head(index.revision, commit_id, index.times[-1], load_root(reader, commit_id))
    return StoreSnapshot(head, index, reader)
