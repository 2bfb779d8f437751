"""The file `.git/index`: read once, changed without getting in anybody's way.

Somebody else may change it at any time.  What is written is complete before
git's lock is taken, so the lock is held for microseconds and a person's
`git add` hardly ever meets it:

    read, decide, write .git/configsvc/index.new, link it as .git/index.lock;
    if the index is still the one that was read, rename index.lock over it

The file that was written last stays as `.git/configsvc/index` too: a path in
there that git's index has no longer was taken out by a person.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from configsvc.store.gitcommand import GitFailed, git
from configsvc.store.gitindex import (
    EXECUTABLE_MODE,
    FILE_MODE,
    GitIndex,
    IndexCorrupt,
    IndexEntry,
    IndexUnsupported,
)

_TICK_NS = 20_000_000
"""Longer than the times that file systems give lag behind the clock (10 ms at HZ=100)."""

_SECOND_NS = 1_000_000_000
_ATTEMPTS = 5
_PATHS_PER_COMMAND = 400

Identity = tuple[int, int, int]


class IndexBusy(Exception):
    """Somebody else holds `index.lock`; try again later."""


class Staged(NamedTuple):
    """What an entry is to become; `blob_id` None removes it."""

    blob_id: bytes | None
    stat: os.stat_result | None = None
    executable: bool = False


Decide = Callable[[bytes, IndexEntry | None], Staged | None]
"""Says what a path's entry is to become, None to leave it.  It may be asked more than once."""


OnForeignChange = Callable[[Sequence[bytes], Sequence[bytes], GitIndex | None], None]


class IndexFile:
    """git's index of one working tree.  Not thread-safe.

    Args:
        blobs_on_disk: Returns the blob ids of working files, without those that are missing.
        on_foreign_change: Told the paths before and after, sorted, when somebody else has
            changed which paths there are, and the index when it is not one only git can read.
    """

    def __init__(
        self,
        root: Path,
        git_dir: Path,
        *,
        blobs_on_disk: Callable[[Sequence[bytes]], Mapping[bytes, bytes]],
        on_foreign_change: OnForeignChange,
    ) -> None:
        self._root = root
        self.path = git_dir / "index"
        self._lock = git_dir / "index.lock"
        self._new = own_lock_link(git_dir)
        self._last = self._new.with_name("index")
        self._blobs_on_disk = blobs_on_disk
        self._on_foreign_change = on_foreign_change
        self._index: GitIndex | None = None
        self._unsupported: IndexUnsupported | None = None
        self._identity: Identity | None = None
        self._names = self._last_written()

    def disturbed(self) -> bool:
        """Return whether somebody else changed the index since it was last read or written here."""
        return _identity(self.path) != self._identity

    def entries(self, paths: Collection[bytes]) -> dict[bytes, IndexEntry]:
        """Return the entries of those `paths` that have one.

        Raises:
            IndexCorrupt: The index is not readable.
        """
        try:
            index = self._load()
        except IndexUnsupported:
            return self._entries_by_git(paths)
        found = ((path, index.find(path)) for path in paths)
        return {path: entry for path, entry in found if entry is not None}

    def load(self) -> None:
        """Read the index if somebody else changed it.

        Raises:
            IndexCorrupt: The index is not readable.
        """
        with contextlib.suppress(IndexUnsupported):
            self._load()

    def change(self, paths: Collection[bytes], decide: Decide) -> frozenset[bytes]:
        """Change the entries of `paths`; return those that could not be added.

        A path cannot be added where a person has staged a file in place of
        one of its folders.

        Raises:
            IndexBusy: Somebody else has the index; nothing was changed.
            IndexCorrupt: The index is not readable.
        """
        try:
            return self._change(paths, decide)
        except IndexUnsupported:
            return self._change_by_git(paths, decide)

    def rebuild(self) -> Path | None:
        """Make the index anew from HEAD; return where the old one is kept, None when there was none.

        Raises:
            GitFailed: git cannot, for one because somebody holds the lock.
        """
        aside = None
        if self.path.exists():
            aside = self._new.with_name(f"index-unreadable-{time.time_ns()}")
            self.path.rename(aside)
        git(self._root, "read-tree", "HEAD")
        self._forget()
        self._names = None
        return aside

    def _change(self, paths: Collection[bytes], decide: Decide) -> frozenset[bytes]:
        for _ in range(_ATTEMPTS):
            index = self._load()
            wanted = _decided(index.find, paths, decide)
            if not wanted:
                return frozenset()
            if self._lock.exists():
                break
            refused = _apply(index, wanted)
            try:
                if self._install(index):
                    return refused
            except BaseException:
                self._forget()
                raise
            self._forget()
        raise self._busy()

    def _install(self, index: GitIndex) -> bool:
        """Write the index; return False when somebody changed it meanwhile."""
        racy_ns = self._judge_racy(index)
        descriptor = self._write_new(index.encode())
        try:
            written_ns = min([os.fstat(descriptor).st_mtime_ns, *racy_ns])
            os.utime(descriptor, ns=(written_ns, written_ns))
            linked = self._take_lock()
            try:
                if self.disturbed():
                    self._lock.unlink()
                    return False
                os.rename(self._lock, self.path)
            except BaseException:
                self._lock.unlink(missing_ok=True)
                raise
            if linked:
                os.rename(self._new, self._last)
            self._identity, self._names = _identity_of(os.fstat(descriptor)), index.names()
            return True
        finally:
            os.close(descriptor)

    def _judge_racy(self, index: GitIndex) -> list[int]:
        """Look at the files of racily clean entries; return the times of those it is too early for."""
        racy = index.racy()
        ripe = [path for path, mtime_ns in racy.items() if _is_over(mtime_ns)]
        found = self._blobs_on_disk(ripe) if ripe else {}
        for path in ripe:
            entry = index.find(path)
            if entry is not None and found.get(path) == entry.blob_id:
                index.trust(path)
            else:
                index.distrust(path)
            del racy[path]
        return list(racy.values())

    def _write_new(self, data: bytes) -> int:
        self._new.unlink(missing_ok=True)
        descriptor = os.open(self._new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _take_lock(self) -> bool:
        """Take git's lock with the file just written; return whether our own name of it remains."""
        try:
            os.link(self._new, self._lock)
        except FileExistsError:
            raise self._busy() from None
        except OSError:
            # No hard links here: take the lock as git does and move the file into it.
            try:
                os.close(os.open(self._lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            except FileExistsError:
                raise self._busy() from None
            os.rename(self._new, self._lock)
            return False
        return True

    def _load(self) -> GitIndex:
        if not self.disturbed():
            if self._unsupported is not None:
                raise self._unsupported
            if self._index is not None:
                return self._index
        self._forget()
        data, identity = _read(self.path)
        try:
            self._index = GitIndex.parse(data, written_ns=identity[2])
            names = self._index.names()
        except IndexUnsupported as error:
            self._unsupported = error
            names = self._names_by_git()
        self._identity = identity
        self._note_names(names)
        return self._load()

    def _note_names(self, names: Sequence[bytes]) -> None:
        before, self._names = self._names, names
        if before is not None and before != names:
            self._on_foreign_change(before, names, self._index)

    def _forget(self) -> None:
        self._index = self._identity = self._unsupported = None

    def _busy(self) -> IndexBusy:
        return IndexBusy(f"{self._lock}: held by another process")

    def _last_written(self) -> Sequence[bytes] | None:
        """Return the paths that were in the index when a process of ours last wrote it."""
        try:
            return GitIndex.parse(self._last.read_bytes()).names()
        except (OSError, IndexCorrupt, IndexUnsupported):
            return None

    def _names_by_git(self) -> list[bytes]:
        return git(self._root, "ls-files", "-z", "--cached").split(b"\0")[:-1]

    def _entries_by_git(self, paths: Collection[bytes]) -> dict[bytes, IndexEntry]:
        found: dict[bytes, IndexEntry] = {}
        for some in _chunks(sorted(paths)):
            specs = [":(literal)" + os.fsdecode(path) for path in some]
            for record in git(self._root, "ls-files", "-z", "-t", "--stage", "--", *specs).split(b"\0")[:-1]:
                words, path = record.split(b"\t", 1)
                tag, mode, blob_id, stage = words.split()
                entry = IndexEntry(
                    blob_id=bytes.fromhex(blob_id.decode()),
                    mode=int(mode, 8),
                    stage=int(stage),
                    skip_worktree=tag == b"S",
                )
                found.setdefault(path, entry)
        return found

    def _change_by_git(self, paths: Collection[bytes], decide: Decide) -> frozenset[bytes]:
        entries = self._entries_by_git(paths)
        wanted = _decided(entries.get, paths, decide)
        if not wanted:
            return frozenset()
        lines = [_index_info(path, staged) for path, staged in wanted.items()]
        try:
            git(self._root, "update-index", "-z", "--index-info", stdin=b"".join(lines))
        except GitFailed:
            if self._lock.exists():
                raise self._busy() from None
            raise
        with contextlib.suppress(GitFailed):  # it ends with 1 when a file differs, which is no error here
            git(self._root, "update-index", "-q", "--refresh")
        self._names = self._names_by_git()  # what was changed here is nothing foreign
        self._forget()
        with contextlib.suppress(IndexUnsupported):
            self._load()
        return frozenset()


def own_lock_link(git_dir: Path) -> Path:
    """Return the second name of an `index.lock` that is ours."""
    return git_dir / "configsvc" / "index.new"


def _decided(
    find: Callable[[bytes], IndexEntry | None], paths: Iterable[bytes], decide: Decide
) -> dict[bytes, Staged]:
    decided = ((path, decide(path, find(path))) for path in paths)
    return {path: staged for path, staged in decided if staged is not None}


def _apply(index: GitIndex, wanted: dict[bytes, Staged]) -> frozenset[bytes]:
    refused = set()
    for path, staged in wanted.items():
        if staged.blob_id is None:
            index.remove(path)
    for path, staged in wanted.items():
        if staged.blob_id is None:
            continue
        if index.find(path) is None and index.collides(path):
            refused.add(path)
        else:
            index.set(path, staged.blob_id, staged.stat, executable=staged.executable)
    return frozenset(refused)


def _is_over(time_ns: int) -> bool:
    """Return whether no file can get a time in that second any more."""
    return time.time_ns() >= (time_ns // _SECOND_NS + 1) * _SECOND_NS + _TICK_NS


def _index_info(path: bytes, staged: Staged) -> bytes:
    if staged.blob_id is None:
        return b"0 " + b"0" * 40 + b"\t" + path + b"\0"
    mode = EXECUTABLE_MODE if staged.executable else FILE_MODE
    return b"%o %s\t%s\0" % (mode, staged.blob_id.hex().encode(), path)


def _chunks(paths: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(paths), _PATHS_PER_COMMAND):
        yield paths[start : start + _PATHS_PER_COMMAND]


def _read(path: Path) -> tuple[bytes, Identity]:
    try:
        with path.open("rb") as file:
            return file.read(), _identity_of(os.fstat(file.fileno()))
    except FileNotFoundError:
        raise IndexCorrupt(f"index: there is none at {path}") from None


def _identity(path: Path) -> Identity | None:
    try:
        return _identity_of(os.stat(path))
    except FileNotFoundError:
        return None


def _identity_of(found: os.stat_result) -> Identity:
    return found.st_ino, found.st_size, found.st_mtime_ns
