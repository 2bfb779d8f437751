"""git's index as bytes: entries are patched in place, never parsed into objects and back.

Source: gitformat-index(5).  Versions 2 and 3 are read and written, with all
flags and conflict stages as they are; optional extensions are dropped, since
all of them are caches that a patch makes wrong.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

EMPTY = b"DIRC" + struct.pack(">II", 2, 0)
FILE_MODE = 0o100644
EXECUTABLE_MODE = 0o100755
_GITLINK_MODE = 0o160000

_HEADER_BYTES = 12
_DIGEST_BYTES = 20
_ENTRY = struct.Struct(">10I20sH")
_PATCHED = struct.Struct(">10I20s")
_MTIME_AT, _MODE_AT, _SIZE_AT, _BLOB_AT, _FLAGS_AT = 8, 24, 36, 40, 60
_TIME = struct.Struct(">II")
_EXTENDED = 0x4000
_SKIP_WORKTREE = 0x4000
_INTENT_TO_ADD = 0x2000
_MAX_LENGTH_IN_FLAGS = 0xFFF
_WORD = 0xFFFFFFFF
_NEVER = b"\xff" * 5


class IndexCorrupt(Exception):
    """The index is not one that git would read; the message says where it breaks."""


class IndexUnsupported(Exception):
    """The index is of a kind that only git itself can change."""


class IndexEntry(NamedTuple):
    """What the index says of a path.

    Args:
        blob_id: 20 bytes.
        stage: 1 to 3 while a merge conflict stands, else 0.
        intent_to_add: Made by `git add -N`: there is no content yet.
        skip_worktree: The file is not checked out (sparse checkout).
    """

    blob_id: bytes
    mode: int = FILE_MODE
    stage: int = 0
    intent_to_add: bool = False
    skip_worktree: bool = False


class GitIndex:
    """An index in memory.  Paths are bytes, as git has them.

    An entry that is not older than the index is "racily clean": its file may
    have changed since without a change of its stat data, so git compares the
    content (Documentation/technical/racy-git).  The index must not get younger
    than such an entry before its file was looked at.  Times count in whole
    seconds here, since most builds of git compare no more (USE_NSEC).

    Args:
        data: The file, without its digest.
        written_ns: The file's modification time; None when it was never one.
    """

    def __init__(self, data: bytes = EMPTY, *, written_ns: int | None = None) -> None:
        self._raw = bytearray(data)
        self._names: list[bytes] = []
        self._offsets: list[int] = []
        self._added: dict[bytes, bytes] = {}
        self._removed: set[bytes] = set()
        self._added_folders: set[bytes] = set()
        self._racy: dict[bytes, int] = {}
        self._parse(data, _NEVER if written_ns is None else _seconds(written_ns))

    @classmethod
    def parse(cls, data: bytes, *, written_ns: int | None = None) -> GitIndex:
        """Return the index whose file is `data`.

        Raises:
            IndexCorrupt: git would not read it either.
            IndexUnsupported: It is of another version, split or sparse.
        """
        if len(data) < _HEADER_BYTES + _DIGEST_BYTES or data[:4] != b"DIRC":
            raise IndexCorrupt(f"index: {len(data)} bytes without a header (expected: DIRC and a version)")
        body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        # All zeros: written under index.skipHash, which leaves the sum out.
        if any(digest) and sha1(body, usedforsecurity=False).digest() != digest:
            raise IndexCorrupt("index: its checksum is wrong")
        version = int.from_bytes(data[4:8], "big")
        if version not in (2, 3):
            raise IndexUnsupported(f"index: version {version} (expected: 2 or 3)")
        return cls(body, written_ns=written_ns)

    def names(self) -> Sequence[bytes]:
        """Return all paths, sorted; one in conflict once for each of its stages."""
        self._merge()
        return self._names

    def entries(self) -> list[tuple[bytes, IndexEntry]]:
        """Return all paths with what the index says of them, sorted."""
        self._merge()
        return [(name, _entry(self._raw, at)) for name, at in zip(self._names, self._offsets, strict=True)]

    def find(self, path: bytes) -> IndexEntry | None:
        """Return the entry of a path, the first of its stages while in conflict, None when there is none."""
        added = self._added.get(path)
        if added is not None:
            return _entry(added, 0)
        at = self._offset(path)
        return None if at is None else _entry(self._raw, at)

    def set(
        self, path: bytes, blob_id: bytes, stat: os.stat_result | None, *, executable: bool = False
    ) -> None:
        """Set the blob of a path; flags stay.

        Args:
            stat: Of the working file when it holds just that blob; None makes git look for itself.

        Raises:
            ValueError: The path is in conflict, or could not be beside another entry.
        """
        mode = EXECUTABLE_MODE if executable else FILE_MODE
        record = _PATCHED.pack(*_stat_words(stat, mode), blob_id)
        self._racy.pop(path, None)
        if stat is not None:
            self._racy[path] = stat.st_mtime_ns
        at = self._offset(path)
        if at is None:
            self._check_place(path)
            self._added[path] = _new_entry(record, path)
            self._added_folders.update(_folders(path))
            return
        if _entry(self._raw, at).stage:
            raise ValueError(f"index: {path!r} is in conflict (expected: an entry without stages)")
        self._raw[at : at + len(record)] = record

    def remove(self, path: bytes) -> None:
        """Remove a path with all its stages, if it is there."""
        self._racy.pop(path, None)
        if self._added.pop(path, None) is None and self._offset(path) is not None:
            self._removed.add(path)

    def collides(self, path: bytes) -> bool:
        """Return whether a path cannot be added, because it would be file and folder at once."""
        if any(self.find(folder) is not None for folder in _folders(path)):
            return True
        below = path + b"/"
        at = bisect_left(self._names, below)
        while at < len(self._names) and self._names[at].startswith(below):
            if self._names[at] not in self._removed:
                return True
            at += 1
        return path in self._added_folders

    def racy(self) -> dict[bytes, int]:
        """Return the entries that want a look at their files, each with its modification time (ns).

        Racily clean ones, and those that were set since the index was written.  Call `trust`
        or `distrust`, or give the index a time that is not past the entry's.
        """
        return self._racy.copy()

    def trust(self, path: bytes) -> None:
        """Take an entry as clean: its file was found to be so when its second was over."""
        self._racy.pop(path, None)

    def distrust(self, path: bytes) -> None:
        """Make git compare a file's content for good, as it does itself: by a size that says nothing."""
        self._racy.pop(path, None)
        at = self._offset(path)
        if at is not None and _entry(self._raw, at).mode != _GITLINK_MODE:
            self._raw[at + _SIZE_AT : at + _BLOB_AT] = bytes(4)

    def encode(self) -> bytes:
        """Return the whole file."""
        self._merge()
        digest = sha1(self._raw, usedforsecurity=False).digest()
        return b"".join((self._raw, digest))

    def _parse(self, data: bytes, written: bytes) -> None:
        count = int.from_bytes(data[8:12], "big")
        at = _HEADER_BYTES
        # At 100,000 entries this loop is most of a load: locals, and nothing that is not needed.
        add_name, add_offset, find_end = self._names.append, self._offsets.append, data.index
        try:
            for _ in range(count):
                start = at + (64 if data[at + _FLAGS_AT] & 0x40 else 62)
                end = find_end(b"\0", start)
                add_name(data[start:end])
                add_offset(at)
                if data[at + 8 : at + 12] >= written:
                    self._racy[data[start:end]] = _time_ns(data, at)
                at += (end - at + 8) & ~7
        except (IndexError, ValueError):
            raise IndexCorrupt(f"index: ends within its entries (expected: {count} of them)") from None
        _check_extensions(data, at)
        if self._names != sorted(self._names):
            raise IndexCorrupt("index: its entries are out of order")
        del self._raw[at:]

    def _offset(self, path: bytes) -> int | None:
        at = bisect_left(self._names, path)
        if at == len(self._names) or self._names[at] != path or path in self._removed:
            return None
        return self._offsets[at]

    def _check_place(self, path: bytes) -> None:
        if self.collides(path):
            raise ValueError(f"index: {path!r} would be a file and a folder at once")
        if path in self._removed:
            self._merge()

    def _merge(self) -> None:
        """Bring additions and removals into the bytes, in one pass."""
        if not self._added and not self._removed:
            return
        names, offsets, pieces = [], [], [bytes(self._raw[:_HEADER_BYTES])]
        size, taken, old = _HEADER_BYTES, 0, memoryview(self._raw)
        ends = [*self._offsets, len(self._raw)]

        def take(until: int) -> None:
            """Copy the old entries up to number `until`."""
            nonlocal size, taken
            if until > taken:
                shift = size - ends[taken]
                names.extend(self._names[taken:until])
                offsets.extend([at + shift for at in ends[taken:until]])
                pieces.append(bytes(old[ends[taken] : ends[until]]))
                size, taken = ends[until] + shift, until

        for path in sorted(self._added.keys() | self._removed):
            at = bisect_left(self._names, path)
            take(at)
            while taken < len(self._names) and self._names[taken] == path:
                taken += 1
            if path in self._added:
                names.append(path)
                offsets.append(size)
                pieces.append(self._added[path])
                size += len(self._added[path])
        take(len(self._names))
        old.release()
        self._raw = bytearray().join(pieces)
        self._names, self._offsets = names, offsets
        self._raw[8:_HEADER_BYTES] = len(names).to_bytes(4, "big")
        self._added.clear()
        self._added_folders.clear()
        self._removed.clear()


def _check_extensions(data: bytes, at: int) -> None:
    while at < len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        if len(data) - at < 8 + size:
            raise IndexCorrupt(f"index: ends within its extension {name!r}")
        if not b"A" <= name[:1] <= b"Z":
            raise IndexUnsupported(f"index: extension {name!r} (expected: optional ones only)")
        at += 8 + size


def _entry(data: bytes | bytearray, at: int) -> IndexEntry:
    flags = int.from_bytes(data[at + _FLAGS_AT : at + _FLAGS_AT + 2], "big")
    extended = int.from_bytes(data[at + 62 : at + 64], "big") if flags & _EXTENDED else 0
    return IndexEntry(
        blob_id=bytes(data[at + _BLOB_AT : at + _FLAGS_AT]),
        mode=int.from_bytes(data[at + _MODE_AT : at + _MODE_AT + 4], "big"),
        stage=flags >> 12 & 3,
        intent_to_add=bool(extended & _INTENT_TO_ADD),
        skip_worktree=bool(extended & _SKIP_WORKTREE),
    )


def _new_entry(record: bytes, path: bytes) -> bytes:
    entry = record + min(len(path), _MAX_LENGTH_IN_FLAGS).to_bytes(2, "big") + path
    return entry + bytes(8 - len(entry) % 8)


def _stat_words(stat: os.stat_result | None, mode: int) -> tuple[int, ...]:
    if stat is None:
        return (0, 0, 0, 0, 0, 0, mode, 0, 0, 0)
    return (
        stat.st_ctime_ns // 10**9 & _WORD,
        stat.st_ctime_ns % 10**9,
        stat.st_mtime_ns // 10**9 & _WORD,
        stat.st_mtime_ns % 10**9,
        stat.st_dev & _WORD,
        stat.st_ino & _WORD,
        mode,
        stat.st_uid & _WORD,
        stat.st_gid & _WORD,
        stat.st_size & _WORD,
    )


def _seconds(time_ns: int) -> bytes:
    """Return the seconds of a time as an entry holds them; such bytes sort as the times do."""
    return (time_ns // 10**9 & _WORD).to_bytes(4, "big")


def _time_ns(data: bytes, at: int) -> int:
    seconds, nanoseconds = _TIME.unpack_from(data, at + _MTIME_AT)
    return int(seconds) * 10**9 + int(nanoseconds)


def _folders(path: bytes) -> list[bytes]:
    """Return the folders above a path, outermost first."""
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]
