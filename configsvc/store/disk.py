"""The few file operations that durability rests on, each synced or not at all.

Every byte that the store calls durable goes through a `Disk`, so that what is
synced can be read in one place.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from configsvc.store.spares import MODE, SpareFiles


class Disk:
    """File operations in the order of crash safety: write, sync, rename, sync the folder.

    Args:
        durable: False skips the syncs; only for benchmarks and for stores
            whose durability lies elsewhere.
        spares: Where new files are taken from while there are any.
    """

    def __init__(self, *, durable: bool = True, spares: SpareFiles | None = None) -> None:
        self.durable = durable
        self._spares = spares

    def write(self, path: Path, content: bytes, *, mode: int = MODE, exclusive: bool = False) -> None:
        """Write and sync a file.

        Args:
            mode: Of a new file: 0644 or less, of which the umask is taken.
            exclusive: Refuse with `FileExistsError` when the file is there.
        """
        descriptor = self.open_empty(path, mode=mode, exclusive=exclusive)
        try:
            self.write_all(descriptor, content)
        finally:
            os.close(descriptor)

    def open_empty(self, path: Path, *, mode: int = MODE, exclusive: bool = False) -> int:
        """Return the descriptor of an empty file, open for writing; see `write`."""
        if self._has_put(path, exclusive):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                if mode != MODE:
                    os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) & mode)
            except BaseException:
                self.discard(path)
                raise
            return descriptor
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_EXCL if exclusive else os.O_TRUNC)
        return os.open(path, flags, mode)

    def _has_put(self, path: Path, exclusive: bool) -> bool:
        try:
            return self._spares is not None and self._spares.put(path)
        except FileExistsError:
            if exclusive:
                raise
            return False

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
