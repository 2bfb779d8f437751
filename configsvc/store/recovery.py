"""Removing what a process that died left in `.git`.

Only the holder of the repository lock may do this: then nothing of ours is
alive, and age says nothing.  What may belong to a person's git that runs at
this very moment is left alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from configsvc.store.gitcommand import GitFailed, git
from configsvc.store.gitusers import Users, find_users
from configsvc.store.indexfile import own_lock_link
from configsvc.store.objects import object_id
from configsvc.store.repository import LEFTOVERS, own_folder

EMPTY_BLOB = object_id("blob", b"").hex()

_HEX = frozenset("0123456789abcdef")


def recover(git_dir: Path) -> list[str]:
    """Remove stale locks and temporaries; return what was found, a sentence each.

    Call it only while holding the `RepositoryLock`.

    Args:
        git_dir: The repository's `.git` folder.
    """
    found: list[str] = []
    locks, leftovers = list(_locks(git_dir)), list(_leftovers(git_dir))
    if locks or leftovers:
        users = find_users(git_dir, [lock for lock, _ in locks])
        found += [_remove_lock(git_dir, lock, name, users) for lock, name in locks]
        if users.object_writer is None:
            # What a push had brought may be there with nothing that reaches it.
            (own_folder(git_dir) / LEFTOVERS).touch()
            found += [_remove(path, sentence) for path, sentence in leftovers]
        elif leftovers:
            found.append(
                f"{len(leftovers)} unfinished files left: git runs here as process {users.object_writer}"
            )
    return found + _clear_temporaries(git_dir)


def _locks(git_dir: Path) -> Iterator[tuple[Path, str]]:
    """Yield git's lock files, with their names for the log."""
    folders = [git_dir, git_dir / "objects" / "info", git_dir / "objects" / "pack"]
    for folder in [*folders, *_folders_below(git_dir / "refs")]:
        for entry in _scan(folder):
            if entry.name.endswith(".lock") and entry.is_file(follow_symlinks=False):
                yield Path(entry.path), os.path.relpath(entry.path, git_dir)


def _leftovers(git_dir: Path) -> Iterator[tuple[Path, str]]:
    """Yield unfinished objects and packs, with a sentence each."""
    objects = git_dir / "objects"
    for entry in _scan(objects):
        if entry.name.startswith(("tmp_", "incoming-")):
            yield Path(entry.path), f"unfinished objects objects/{entry.name} removed"
        elif len(entry.name) == 2 and _HEX.issuperset(entry.name):
            for item in _scan(Path(entry.path)):
                if item.name.startswith("tmp_"):
                    yield Path(item.path), f"unfinished object objects/{entry.name}/{item.name} removed"
    yield from _pack_leftovers(objects / "pack")


def _pack_leftovers(folder: Path) -> Iterator[tuple[Path, str]]:
    names = {entry.name for entry in _scan(folder)}
    for name in sorted(names):
        if name.startswith(("tmp_", ".tmp-")):
            yield folder / name, f"unfinished pack objects/pack/{name} removed"
        elif name.endswith(".keep") and _is_of_a_push(folder / name):
            yield folder / name, f"mark of a push objects/pack/{name} removed"
        elif name.endswith(".pack") and f"{name[:-5]}.idx" not in names:
            # The idx makes a pack visible and the ref comes after it: nothing in here was acknowledged.
            yield folder / name, f"pack without idx objects/pack/{name} removed"
            if f"{name[:-5]}.rev" in names:
                yield folder / f"{name[:-5]}.rev", f"its reverse index objects/pack/{name[:-5]}.rev removed"


def _is_of_a_push(path: Path) -> bool:
    """Return whether git's receive-pack made a `.keep` file, which it removes at its end."""
    try:
        return path.read_bytes().startswith((b"receive-pack ", b"fetch-pack "))
    except OSError:
        return False


def _remove_lock(git_dir: Path, path: Path, name: str, users: Users) -> str:
    holder = users.holders.get(path)
    if name == "index.lock" and holder is None and not _is_own_lock(git_dir, path):
        holder = users.index_writer
    if holder is not None:
        return f"{name} left: process {holder} is using it"
    return _remove(path, f"stale {name} removed")


def _is_own_lock(git_dir: Path, path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(path), os.stat(own_lock_link(git_dir)))
    return False


def _remove(path: Path, sentence: str) -> str:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        return f"{path.name} could not be removed: {error.strerror}"
    return sentence


def _clear_temporaries(git_dir: Path) -> list[str]:
    """Empty our folder of working files on their way; keep what only a person can have written.

    A temporary is named for the blob it was made with.  Anything else is what
    stood in the tree before: nearly always a committed file.
    """
    own = git_dir / "configsvc"
    others: list[tuple[str | None, Path]] = []
    removed = 0
    for entry in _scan(own / "tmp"):
        path = Path(entry.path)
        blob_id = _blob_id(path)
        if blob_id is not None and (blob_id == EMPTY_BLOB or entry.name.startswith(blob_id)):
            _remove(path, "")
            removed += 1
        else:
            others.append((blob_id, path))
    sentences = [f"{removed} temporary working files removed"] if removed else []
    stored = _stored(git_dir, [blob_id for blob_id, _ in others if blob_id is not None])
    for blob_id, path in others:
        if blob_id in stored:
            sentences.append(_remove(path, "replaced working file removed"))
        else:
            sentences.append(_keep(path, own / "kept"))
    return sentences


def _blob_id(path: Path) -> str | None:
    """Return the blob id of a file; None for what cannot be read as one."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        return object_id("blob", path.read_bytes()).hex()
    except OSError:
        return None


def _stored(git_dir: Path, blob_ids: Sequence[str]) -> set[str]:
    """Return which blobs the repository has."""
    if not blob_ids:
        return set()
    asked = "".join(f"{blob_id}\n" for blob_id in blob_ids)
    try:
        answer = git(git_dir.parent, "cat-file", "--batch-check", stdin=asked.encode())
    except GitFailed:
        return set()
    return {line.split()[0].decode() for line in answer.splitlines() if not line.endswith(b" missing")}


def _keep(path: Path, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    kept = folder / f"{path.name}-{time.time_ns()}"
    path.rename(kept)
    return f"a file that somebody wrote was just being replaced; it is kept as {kept}"


def _folders_below(folder: Path) -> Iterator[Path]:
    yield folder
    for entry in _scan(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _folders_below(Path(entry.path))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
