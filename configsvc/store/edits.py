"""What a person has changed in the working tree against head, as bytes and modes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from configsvc.core.errors import RequestInvalid
from configsvc.store.gitcommand import git

_FILE = 0o100644
_EXECUTABLE = 0o100755
_SYMLINK = 0o120000


class WorkingEdit(NamedTuple):
    """One edited path.

    Args:
        mode: git's mode of what is there now; None when it was deleted.
        content: Its bytes; empty when it was deleted or is no regular file.
        changed_at: When the file was last changed, seconds since the epoch; for one
            that was deleted, when its folder was.
    """

    path: str
    mode: int | None
    content: bytes
    changed_at: float


def working_edits(root: Path, paths: Iterable[str] = (), *, max_bytes: int) -> list[WorkingEdit]:
    """Return what differs from head in the working tree: changed, new and deleted files.

    Args:
        paths: Only these files or folders, relative to `root`; empty means all.
        max_bytes: No more than one byte over this is read of a file.

    Raises:
        GitFailed: git could not compare them.
        RequestInvalid: A file could not be read.
    """
    arguments = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=no"]
    pathspecs = [f":(top,literal){path}" for path in paths]
    listed = git(root, *arguments, "--", *pathspecs).decode("utf-8", "surrogateescape")
    return [_edit(root, record[3:], max_bytes) for record in listed.split("\0") if record]


def _edit(root: Path, path: str, max_bytes: int) -> WorkingEdit:
    try:
        found = os.lstat(root / path)
        if stat.S_ISLNK(found.st_mode):
            return WorkingEdit(path, _SYMLINK, b"", found.st_mtime)
        if not stat.S_ISREG(found.st_mode):
            raise RequestInvalid(f"{path}: not a regular file (expected: one)")
        descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            content = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return WorkingEdit(path, None, b"", _folder_changed_at(root, path))
    except OSError as error:
        raise RequestInvalid(f"{path}: not to be read: {error.strerror}") from error
    mode = _EXECUTABLE if found.st_mode & stat.S_IXUSR else _FILE
    return WorkingEdit(path, mode, content, found.st_mtime)


def _folder_changed_at(root: Path, path: str) -> float:
    for folder in (root / path).parents:
        try:
            return folder.stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            continue  # it went with its last file: the one above tells when
    return 0.0
