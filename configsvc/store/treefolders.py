"""The folders of a working tree, opened step by step, so that no symbolic link leads out of it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from configsvc.store.swap import Place

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_OPEN = 64


class FolderBlocked(Exception):
    """Something that is no folder stands where a folder of a path belongs; the message says what."""


class TreeFolders:
    """Descriptors of the folders below a root, kept open until `close`.  Not thread-safe."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[bytes, int] = {}

    def place(self, path: bytes, *, create: bool = False) -> Place | None:
        """Return where `path` is, None when its folder is missing and `create` is not asked for.

        Raises:
            FolderBlocked: A part of its folder is a symbolic link or a file.
            ValueError: The path is not one that a tree can have.
        """
        parts = path.split(b"/")
        if not is_in_tree(path):
            raise ValueError(f"path: {path!r} (expected: one inside the working tree)")
        folder = self._descriptor(parts[:-1], create)
        return None if folder is None else (folder, parts[-1])

    def remove_empty(self, path: bytes) -> None:
        """Remove the folders above `path` that are empty, as git does."""
        self.close()
        parts = path.split(b"/")[:-1]
        with contextlib.suppress(OSError, FolderBlocked):
            while parts:
                above = self.place(b"/".join(parts))
                if above is None:
                    break
                os.rmdir(above[1], dir_fd=above[0])
                parts.pop()
        # What was removed is open still, and nothing can be made in it any more.
        self.close()

    def close(self) -> None:
        """Close all folders; they are opened anew when needed."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _descriptor(self, parts: list[bytes], create: bool) -> int | None:
        folder = b"/".join(parts)
        known = self._open.get(folder)
        if known is not None:
            return known
        if len(self._open) >= _MAX_OPEN:
            self.close()
        if parts:
            above = self._descriptor(parts[:-1], create)
            opened = None if above is None else _open_below(above, parts[-1], folder, create)
        else:
            opened = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if opened is not None:
            self._open[folder] = opened
        return opened


def is_in_tree(path: bytes) -> bool:
    """Return whether a path stays inside a working tree and out of its `.git`."""
    return not any(part.lower() in (b"", b".", b"..", b".git") for part in path.split(b"/"))


def _open_below(above: int, name: bytes, folder: bytes, create: bool) -> int | None:
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=above)
    try:
        return os.open(name, _OPEN, dir_fd=above)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise FolderBlocked(f"{os.fsdecode(folder)} is no folder there") from None
        raise
