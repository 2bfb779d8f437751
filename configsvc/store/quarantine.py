"""The objects of a push while git holds them apart: what they are, and their content by id.

Nothing here follows a path or a reference, so what is read is bounded by how
many objects there are and how large each is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from configsvc.core.errors import PushRefused
from configsvc.store.gitcommand import bare_environment, git
from configsvc.store.pushbounds import MAX_BYTES, MAX_OBJECTS, MAX_TOTAL_BYTES, Budget

_FOLDER_MARKS = ("incoming-", "tmp_objdir-incoming-")
_VARIABLE = b"GIT_QUARANTINE_PATH="


class ObjectInfo(NamedTuple):
    """Kind and size in bytes of an object."""

    kind: str
    size: int


class Quarantine:
    """Objects in git's quarantine, over those of the repository; leave its `with` block to let go of it.

    Args:
        folder: Where git keeps the new objects; None when a push has none.

    Raises:
        PushRefused: `folder` is no quarantine of this repository.
    """

    def __init__(self, root: Path, git_dir: Path, folder: str, budget: Budget) -> None:
        self._root = root
        self._budget = budget
        self._environ = bare_environment()
        self._folder = _checked(git_dir, folder) if folder else None
        if self._folder is not None:
            self._environ |= {
                "GIT_OBJECT_DIRECTORY": str(self._folder),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(git_dir.resolve() / "objects"),
            }
        self._known: dict[bytes, ObjectInfo] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Return what a git command prints that sees these objects too.

        Raises:
            GitFailed: It ended with an error, or the time is up.
        """
        return git(self._root, *arguments, stdin=stdin, environ=self._environ, timeout_s=self._budget.left_s)

    def git_without(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Return what a git command prints that sees the repository alone."""
        return git(
            self._root, *arguments, stdin=stdin, environ=bare_environment(), timeout_s=self._budget.left_s
        )

    def new_objects(self) -> dict[bytes, ObjectInfo]:
        """Return the objects that are new, by 20-byte id.

        Raises:
            PushRefused: There are too many, or one is too large.
        """
        if self._folder is None:
            return {}
        if _count(self._folder) > MAX_OBJECTS:
            raise PushRefused(
                f"push: {_count(self._folder)} objects (expected: <= {MAX_OBJECTS} in one push)"
            )
        found = self._known
        total = 0
        for identity, info in self._listed():
            if info.size > MAX_BYTES[info.kind]:
                raise PushRefused(
                    f"push: {info.kind} {identity.hex()[:12]} has {info.size} bytes "
                    f"(expected: <= {MAX_BYTES[info.kind]})"
                )
            total += info.size
            if total > MAX_TOTAL_BYTES:
                raise PushRefused(f"push: unpacks to more than {MAX_TOTAL_BYTES} bytes (expected: less)")
            found[identity] = info
        return found

    def read(self, identity: bytes) -> bytes:
        """Return the content of an object by its 20-byte id.

        Raises:
            PushRefused: It is not there, or the time is up.
        """
        return self.kind_and_content(identity)[1]

    def size(self, identity: bytes) -> int:
        """Return the size of an object in bytes, by its 20-byte id."""
        known = self._known.get(identity)
        return len(self.read(identity)) if known is None else known.size

    def kind_and_content(self, identity: bytes) -> tuple[str, bytes]:
        """Return what an object is, and its content.

        Raises:
            PushRefused: It is not there, or the time is up.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(identity.hex().encode() + b"\n")
            process.stdin.flush()
            head = process.stdout.readline().split()
        except OSError:
            head = []
        if len(head) != 3:
            self._budget.check_time()
            raise PushRefused(
                f"push: object {identity.hex()} is missing (expected: all that its commits name)"
            )
        content = process.stdout.read(int(head[2]) + 1)[:-1]
        return head[1].decode(), content

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["git", "-C", str(self._root), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environ,
        )
        self._process = process
        self._timer = threading.Timer(self._budget.left_s, process.kill)
        self._timer.daemon = True
        self._timer.start()
        return process

    def _listed(self) -> Iterator[tuple[bytes, ObjectInfo]]:
        """Yield what is in the quarantine alone."""
        environ = {name: self._environ[name] for name in self._environ if "ALTERNATE" not in name}
        command = ("cat-file", "--batch-all-objects", "--unordered", "--batch-check")
        for line in git(self._root, *command, environ=environ, timeout_s=self._budget.left_s).splitlines():
            identity, kind, size = line.split(b" ")
            yield bytes.fromhex(identity.decode()), ObjectInfo(kind.decode(), int(size))


def quarantines_of(group: int) -> set[Path]:
    """Return the folders where the processes of a group, which are ours, keep a push's objects apart."""
    found = set()
    for entry in os.scandir("/proc") if os.path.isdir("/proc") else ():
        with suppress(OSError):
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                environ = Path(entry.path, "environ").read_bytes().split(b"\0")
                found |= {line[len(_VARIABLE) :] for line in environ if line.startswith(_VARIABLE)}
    return {Path(os.fsdecode(folder)).resolve() for folder in found}


def remove_quarantine(git_dir: Path, folder: Path) -> None:
    """Remove a folder of objects that were kept apart by a git that is gone; no harm when it is gone too.

    Raises:
        PushRefused: It is no quarantine of this repository.
    """
    shutil.rmtree(_checked(git_dir, str(folder)), ignore_errors=True)


def remove_old_quarantines(git_dir: Path, *, age_s: float) -> int:
    """Remove the quarantines in which nothing has changed for `age_s` seconds; return how many."""
    limit = time.time() - age_s
    old = [
        folder
        for mark in _FOLDER_MARKS
        for folder in (git_dir / "objects").glob(f"{mark}*")
        if _changed_at(folder) < limit
    ]
    for folder in old:
        remove_quarantine(git_dir, folder)
    return len(old)


def _changed_at(folder: Path) -> float:
    newest = 0.0
    for place in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):
            newest = max(newest, place.lstat().st_mtime)
    return newest


def _checked(git_dir: Path, folder: str) -> Path:
    place = Path(folder)
    objects = git_dir.resolve() / "objects"
    if not place.name.startswith(_FOLDER_MARKS) or place.resolve().parent != objects:
        raise PushRefused(f"push: quarantine {folder!r} (expected: a folder of git's in {objects})")
    return place.resolve()


def _count(folder: Path) -> int:
    """Return how many objects the packs in a folder have: the last of the fan-out, see gitformat-pack(5)."""
    count = 0
    for path in (folder / "pack").glob("*.idx"):
        with path.open("rb") as stream:
            stream.seek(8 + 255 * 4)
            count += int.from_bytes(stream.read(4), "big")
    return count
