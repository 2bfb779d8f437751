"""Compare-and-set of one ref in git's own lock protocol, synced.

The lock file is the one git takes, so any git client is safe against us and
we against it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from configsvc.store.disk import Disk

MAIN = "refs/heads/main"

_COMMIT_ID = re.compile(rb"[0-9a-f]{40}")


class RefMoved(Exception):
    """The ref is not where the caller thought; nothing was changed."""


class RefBusy(Exception):
    """Another process holds the ref's lock; nothing was changed."""


class RefUnsynced(Exception):
    """The ref was moved, but the disk did not confirm it."""


class RefUnreadable(Exception):
    """The ref is missing or does not hold a commit id."""


def read_ref(git_dir: Path, ref: str = MAIN) -> str:
    """Return the 40-hex commit id that `ref` names.

    Raises:
        RefUnreadable: There is no such ref, or it holds no commit id.
    """
    found = _find_ref(git_dir, ref)
    if found is None:
        raise RefUnreadable(f"{ref}: not found (expected: a commit id)")
    return found


def _find_ref(git_dir: Path, ref: str) -> str | None:
    # git pack-refs moves a loose ref into packed-refs and then deletes it; a new
    # value may come back loose in between, so the loose file is asked twice.
    for place in (_read_loose, _read_packed, _read_loose):
        found = place(git_dir, ref)
        if found is not None:
            return found
    return None


def compare_and_set(git_dir: Path, expected: str | None, new: str, disk: Disk, ref: str = MAIN) -> None:
    """Move `ref` from `expected` to `new`, synced.

    Args:
        expected: Commit id; None for a ref that must not exist yet.

    Raises:
        RefMoved: The ref holds another commit id.
        RefBusy: Another process is moving it at this moment.
        RefUnsynced: Moved, but the last sync failed: the outcome of a power
            cut from here on is unknown.
        OSError: The disk refused; nothing was changed.
    """
    path = git_dir / ref
    lock = path.with_name(path.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = disk.open_empty(lock, exclusive=True)
    except FileExistsError as error:
        raise RefBusy(f"{ref}: locked by another process") from error
    try:
        try:
            if _find_ref(git_dir, ref) != expected:
                raise RefMoved(f"{ref}: moved (expected: {expected})")
            disk.write_all(descriptor, new.encode("ascii") + b"\n")
        finally:
            os.close(descriptor)
        disk.rename(lock, path)
    except BaseException:
        disk.discard(lock)
        raise
    try:
        disk.sync_folder(path.parent)
    except OSError as error:
        raise RefUnsynced(f"{ref}: moved to {new}, not synced: {error}") from error


def _read_loose(git_dir: Path, ref: str) -> str | None:
    try:
        content = (git_dir / ref).read_bytes().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not _COMMIT_ID.fullmatch(content):
        raise RefUnreadable(f"{ref}: holds {content[:60]!r} (expected: a commit id)")
    return content.decode("ascii")


def _read_packed(git_dir: Path, ref: str) -> str | None:
    try:
        lines = (git_dir / "packed-refs").read_bytes().splitlines()
    except FileNotFoundError:
        return None
    wanted = ref.encode()
    for line in lines:
        identity, _, name = line.partition(b" ")
        if name == wanted and _COMMIT_ID.fullmatch(identity):
            return identity.decode("ascii")
    return None
