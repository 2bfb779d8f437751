"""The working files and git's index of the repository, kept at head for people to look at.

Both are caches: nothing is read from them to answer a request.  A person may
edit, stage, delete and reset in the tree at any time, and the rules are:

* A working file whose content was once committed at its path is brought to
  head.  Any other is a person's edit and stays.
* An index entry whose blob was once committed at its path is brought to head.
  Any other was staged by a person and stays, as do merge conflicts.
* A missing file that has an entry was deleted by a person.  An entry that is
  missing, and was there before, was withdrawn (`git rm`).  Both stay so.
* While HEAD is not on `main` the tree is somebody else's: nothing is touched.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from configsvc.core.errors import ConfigError
from configsvc.core.names import META_FOLDER, find_document
from configsvc.store.gitcommand import GitFailed
from configsvc.store.gitindex import EXECUTABLE_MODE, GitIndex, IndexCorrupt, IndexEntry
from configsvc.store.indexfile import IndexBusy, IndexFile, Staged
from configsvc.store.settling import DELETION_STAGED, Committed, Settler, Target
from configsvc.store.survey import changed_paths, executable_paths, untracked_paths
from configsvc.store.treefolders import is_in_tree
from configsvc.store.withdrawn import Withdrawals, is_older_revision
from configsvc.store.workfiles import WorkFiles

__all__ = ["BUSY", "HEAD_ON_MAIN", "Committed", "WorkTree"]

HEAD_ON_MAIN = b"ref: refs/heads/main"
BUSY = "being written to by another process"

T = TypeVar("T")

logger = logging.getLogger(__name__)


class WorkTree:
    """Working files and index of the repository at `root`.  Thread-safe.

    Args:
        can_exchange: False does without the exchange of two files (renameat2).
        lock_patience_s: How long `index.lock` may be held before a note says so.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        root: Path,
        git_dir: Path,
        committed: Committed,
        *,
        can_exchange: bool = True,
        lock_patience_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        own = git_dir / "configsvc"
        own.mkdir(exist_ok=True)
        self._root = root
        self._head = git_dir / "HEAD"
        self._committed = committed
        self._files = WorkFiles(root, own, can_exchange=can_exchange)
        self._withdrawn = Withdrawals(own / "withdrawn")
        self._index = IndexFile(
            root, git_dir, blobs_on_disk=self._blobs_on_disk, on_foreign_change=self._note_withdrawn
        )
        self._wishes: dict[bytes, Staged] = {}
        self._file_edits: dict[str, str] = {}
        self._index_edits: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._settler = Settler(self._files, committed, self._withdrawn)
        self._incomplete = True
        self._running = own / "following"
        self._crashed = self._running.exists()
        with contextlib.suppress(OSError):  # a full disk; then a crash leaves, at worst, an untracked file
            self._running.touch()
        self._skipped = False
        self._lock_patience_s = lock_patience_s
        self._clock = clock
        self._busy_since: float | None = None
        self._published: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._lock = threading.RLock()  # guards all of the above but `_published`, which is swapped whole

    def update(self, paths: Iterable[str]) -> frozenset[str]:
        """Bring the working files of `paths` to head; `write_index` follows with their entries.

        Returns:
            Those that could not be brought there and are worth another try.
        """
        wanted = frozenset(paths)
        with self._lock:
            try:
                return frozenset() if self._is_elsewhere() else self._bring(wanted)
            except (GitFailed, OSError) as error:
                self._failures.update(dict.fromkeys(wanted, str(error)))
                return wanted
            finally:
                self._publish()

    def write_index(self) -> bool:
        """Bring the entries of what was updated into git's index; False when it has to be tried again."""
        with self._lock:
            try:
                return self._write_index()
            finally:
                self._publish()

    def reconcile(self) -> bool:
        """Compare the whole tree, index and head, and repair what is no person's doing.

        Returns:
            False when something has to be tried again.
        """
        with self._lock:
            try:
                self._incomplete = not self._reconcile()
                self._notes.pop("working-tree-unchecked", None)
                return not self._incomplete
            except (GitFailed, OSError) as error:
                self._incomplete = True
                self._notes["working-tree-unchecked"] = (
                    f"working files could not be compared with head: {error}"
                )
                return False
            finally:
                self._publish()

    def disturbed(self) -> bool:
        """Return whether a reconciliation is due: others changed index or HEAD, or the last fell short.

        Two small reads.
        """
        with self._lock:
            was_elsewhere = "working-tree-elsewhere" in self._notes
            try:
                if self._is_on_main() == was_elsewhere:
                    return True
            except OSError:
                return True
            if was_elsewhere:
                return False
            return self._incomplete or self._skipped or self._settler.rebuilt or self._index.disturbed()

    def close(self) -> None:
        """Say that nothing is left to do: the next start need not look for what a crash left."""
        with self._lock:
            if not (self._wishes or self._failures or self._incomplete):
                with contextlib.suppress(OSError):  # then the next start looks, and finds nothing
                    self._running.unlink(missing_ok=True)

    def edited(self) -> dict[str, str]:
        """Return the paths that a person has edited, staged or deleted, and in words how."""
        return self._published[0]

    def notes(self) -> dict[str, str]:
        """Return code to sentence for what else an operator should know."""
        return self._published[1]

    def _is_on_main(self) -> bool:
        return self._head.read_bytes().strip() == HEAD_ON_MAIN

    def _is_elsewhere(self) -> bool:
        if self._is_on_main():
            self._notes.pop("working-tree-elsewhere", None)
            return False
        # Once it is back on main, what was let go of has to be looked for.
        self._skipped = True
        self._wishes.clear()
        self._file_edits.clear()
        self._index_edits.clear()
        self._failures.clear()
        self._notes["working-tree-elsewhere"] = (
            f"{self._head} is not on main: working files are left alone "
            "(`git checkout main` brings them back)"
        )
        return True

    def _reconcile(self) -> bool:
        if self._is_elsewhere():
            return True
        self._skipped = False
        self._note_kept()
        self._with_index(self._index.load)
        doubtful = changed_paths(self._root)
        doubtful |= self._file_edits.keys() | self._index_edits.keys() | self._failures.keys()
        doubtful |= {_name(path) for path in self._wishes}
        doubtful |= self._left_by_crash()
        self._failures.clear()
        failed = self._bring(doubtful)
        if not failed:
            self._settler.starting = self._settler.rebuilt = self._crashed = False
        return self._write_index() and not failed

    def _note_withdrawn(
        self, before: Sequence[bytes], after: Sequence[bytes], index: GitIndex | None
    ) -> None:
        """Note what a person took out of the index, now that it is as they left it."""
        self._withdrawn.observe(before, after)
        if not len(self._withdrawn) or index is None:
            return
        try:
            if is_older_revision(self._root, index):
                self._withdrawn.clear()
        except GitFailed as error:
            logger.warning("working tree: whether it was reset is not known: %s", error)

    def _left_by_crash(self) -> set[str]:
        """Return files that were written and deleted again at head, when the index had seen neither."""
        if not self._crashed:
            return set()
        names = [name for name in untracked_paths(self._root) if _is_ours(name)]
        with self._files.opened():
            found = {name: self._files.look(_path(name)).blob_id for name in names}
        return {
            name
            for name, blob_id in found.items()
            if blob_id is not None and self._committed.known(name, blob_id)
        }

    def _bring(self, names: Iterable[str]) -> frozenset[str]:
        heads = {name: self._committed.blob_at(name) for name in names}
        found = self._with_index(lambda: self._index.entries([_path(name) for name in heads]))
        executable = executable_paths(self._root, [name for name in heads if _may_be_executable(name)])
        failed = set()
        with self._files.opened():
            # What goes, goes first: a folder may take the place of a file.
            for name in sorted(heads, key=lambda name: (heads[name] is not None, name)):
                path = _path(name)
                entry = self._expected_entry(path, found.get(path))
                target = Target(name, path, heads[name], entry, name in executable)
                if not self._settle(target):
                    failed.add(name)
        return frozenset(failed)

    def _expected_entry(self, path: bytes, entry: IndexEntry | None) -> IndexEntry | None:
        """Return the entry as it will be once what is still to be written is written."""
        wish = self._wishes.get(path)
        if wish is None:
            return entry
        return None if wish.blob_id is None else IndexEntry(wish.blob_id)

    def _settle(self, target: Target) -> bool:
        """Bring one path to head or note why not; return False when it is worth another try."""
        try:
            settled = self._settler.settle(target)
        except (ConfigError, OSError, ValueError) as error:
            self._failures[target.name] = getattr(error, "strerror", None) or str(error)
            return False
        self._failures.pop(target.name, None)
        self._file_edits.pop(target.name, None)
        if target.blob_id is None:
            self._withdrawn.discard(target.path)
        if settled is None:
            self._file_edits[target.name] = BUSY
            return False
        if settled.edit:
            self._file_edits[target.name] = settled.edit
        if settled.staged is None:
            self._wishes.pop(target.path, None)
        else:
            self._wishes[target.path] = settled.staged
        return True

    def _write_index(self) -> bool:
        try:
            if not self._wishes or self._is_elsewhere():
                return True
            change = functools.partial(self._index.change, list(self._wishes), self._decide)
            refused = self._with_index(change)
        except IndexBusy as error:
            self._note_busy(error)
            return False
        except (GitFailed, OSError) as error:
            self._notes["index"] = f"git's index could not be written: {error}"
            return False
        self._notes.pop("index", None)
        self._busy_since = None
        self._wishes.clear()
        for path in refused:
            self._index_edits[_name(path)] = "a staged file stands where its folder belongs"
        return True

    def _decide(self, path: bytes, entry: IndexEntry | None) -> Staged | None:
        """Return what an entry is to become, None when it is right or not ours to change."""
        name, wish = _name(path), self._wishes[path]
        reason = self._staged_by_person(name, path, entry, wish)
        if reason:
            self._index_edits[name] = reason
            return None
        self._index_edits.pop(name, None)
        if entry is None:
            return None if wish.blob_id is None else wish
        as_wished = entry.blob_id == wish.blob_id and (entry.mode == EXECUTABLE_MODE) == wish.executable
        return None if as_wished and wish.stat is None else wish

    def _staged_by_person(self, name: str, path: bytes, entry: IndexEntry | None, wish: Staged) -> str:
        if entry is None:
            return DELETION_STAGED if wish.blob_id is not None and path in self._withdrawn else ""
        if entry.stage:
            return "in a merge conflict"
        if entry.intent_to_add:
            return "marked by git add -N"
        if entry.blob_id == wish.blob_id or self._committed.known(name, entry.blob_id):
            return ""
        return "staged"

    def _with_index(self, use: Callable[[], T]) -> T:
        """Return what `use` gives; make the index anew when it cannot be read."""
        try:
            return use()
        except IndexCorrupt as error:
            aside = self._index.rebuild()
            kept = "" if aside is None else f"; the old one is kept as {aside}"
            logger.warning("%s; made anew from HEAD%s", error, kept)
            self._settler.rebuilt = True
            return use()

    def _blobs_on_disk(self, paths: Iterable[bytes]) -> dict[bytes, bytes]:
        with self._files.opened():
            looks = ((path, self._files.look(path).blob_id) for path in paths)
            return {path: blob_id for path, blob_id in looks if blob_id is not None}

    def _note_busy(self, error: IndexBusy) -> None:
        now = self._clock()
        if self._busy_since is None:
            self._busy_since = now
        if now - self._busy_since >= self._lock_patience_s:
            self._notes["index"] = (
                f"{error} for {now - self._busy_since:.0f} s: git's index waits "
                "(if no git command runs here, remove that file)"
            )

    def _note_kept(self) -> None:
        folder = self._files.kept_folder
        kept = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
        if kept:
            self._notes["kept-edits"] = (
                f"{kept} files that somebody wrote while they were replaced are in {folder}: "
                "take what is needed and remove them"
            )
        else:
            self._notes.pop("kept-edits", None)

    def _publish(self) -> None:
        edits = dict(self._index_edits)
        for name, reason in self._file_edits.items():
            edits[name] = f"{edits[name]}, {reason}" if edits.get(name, reason) != reason else reason
        notes = dict(self._notes)
        if self._failures:
            name, reason = min(self._failures.items())
            notes["working-files"] = (
                f"{len(self._failures)} working files not written, such as {name}: {reason}"
            )
        self._published = (edits, notes)


def _is_ours(name: str) -> bool:
    """Return whether a path is a document's or about one, and never executable."""
    return find_document(name) is not None or name.startswith(f"{META_FOLDER}/")


def _may_be_executable(name: str) -> bool:
    return not _is_ours(name) and is_in_tree(_path(name))


def _path(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _name(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
