"""The few file operations that durability rests on, each synced or not at all.

Every byte that the store calls durable goes through a `Disk`, so that what is
synced can be read in one place.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Disk:
    """File operations in the order of crash safety: write, sync, rename, sync the folder.

    Args:
        durable: False skips the syncs; only for benchmarks and for stores
            whose durability lies elsewhere.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable

    def write(self, path: Path, content: bytes, *, mode: int = 0o644, exclusive: bool = False) -> None:
        """Write and sync a file.

        Args:
            exclusive: Refuse with `FileExistsError` when the file is there.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_EXCL if exclusive else os.O_TRUNC)
        descriptor = os.open(path, flags, mode)
        try:
            self.write_all(descriptor, content)
        finally:
            os.close(descriptor)

    def write_all(self, descriptor: int, content: bytes) -> None:
        """Write `content` to an open file and sync it."""
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if self.durable:
            os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file over another; durable only after `sync_folder`."""
        os.rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        if not self.durable:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self, *paths: Path) -> None:
        """Remove files that may be there, without a sync."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
