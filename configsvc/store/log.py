"""Where a batch is made durable.

`CommitLog` is the seam: `LocalLog` on this disk, later one on a majority of
machines.  Making a batch durable and making it visible are two things; the
second is `Publisher.apply` in every mode.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Protocol

from configsvc.core.errors import WriteFailed
from configsvc.store.batch import Batch
from configsvc.store.disk import Disk
from configsvc.store.packs import TEMPORARY, build_pack, write_pack
from configsvc.store.refs import (
    RefBusy,
    RefMoved,
    RefUnreadable,
    RefUnsynced,
    compare_and_set,
    read_ref,
)
from configsvc.store.repository import own_folder

MAX_LOCK_WAIT_S = 0.5
"""How long another process may hold git's lock on `main` before writes fail, in seconds."""

KEEP_REASON = "configsvc: main is about to be moved onto this pack\n"
"""What our marks for git say, by which those of a dead process are found."""

_PROBE_BYTES = 1 << 16


class Fate(Enum):
    """What became of a batch.

    LANDED: durable.  LOST: nothing was written, `main` is elsewhere.
    UNKNOWN: it may be there after a crash, or not.
    """

    LANDED = "landed"
    LOST = "lost"
    UNKNOWN = "unknown"


class CommitLog(Protocol):
    """Makes batches durable, one after the other."""

    def append(self, batch: Batch) -> Fate:
        """Make `batch` durable if the head is still its base.

        Raises:
            WriteFailed: Nothing was written.
        """

    def probe(self) -> None:
        """Return when a batch could be made durable now, as far as can be told.

        Raises:
            WriteFailed: It could not.
        """

    def settle(self, batch: Batch) -> Fate:
        """Find out, and make certain, what became of a batch whose fate was unknown.

        Raises:
            WriteFailed: Still not to be had.
        """


class LocalLog:
    """Durable on this disk: one synced pack, then one synced move of `main`.

    Until `main` has moved nothing reaches the pack, and a `git gc --prune=now` of
    that moment would drop it.  A `.keep` file, which every git obeys, prevents that.
    Make this only while holding the `RepositoryLock`.

    Args:
        on_step: Called with the name of each step after it; tests stop here.
    """

    def __init__(
        self, git_dir: Path, disk: Disk, *, on_step: Callable[[str], None] = lambda step: None
    ) -> None:
        self._git_dir = git_dir
        self._packs = git_dir / "objects" / "pack"
        self._disk = disk
        self._on_step = on_step
        self._mark = own_folder(git_dir) / "keep"
        self._mark.parent.mkdir(exist_ok=True)
        self._mark.write_text(KEEP_REASON)
        self._forget_marks()

    def append(self, batch: Batch) -> Fate:
        return self._land(batch, expected=batch.base)

    def probe(self) -> None:
        path = self._packs / f"{TEMPORARY}{os.getpid()}-probe"
        try:
            self._disk.write(path, b"\0" * _PROBE_BYTES)
            self._disk.sync_folder(self._packs)
        except OSError as error:
            raise WriteFailed(f"disk: {error.strerror or error}; nothing was written") from error
        finally:
            self._disk.discard(path)

    def settle(self, batch: Batch) -> Fate:
        # After a failed sync the kernel may call pages clean that never reached the
        # disk, so neither the old pack nor the old ref is trusted: both are written afresh
        # (P. Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
        try:
            current = read_ref(self._git_dir)
        except (OSError, RefUnreadable) as error:
            raise WriteFailed(f"main: not to be read: {error}") from error
        if current == batch.base:
            return Fate.LOST
        return self._land(batch, expected=batch.head) if current == batch.head else Fate.LOST

    def _land(self, batch: Batch, *, expected: str) -> Fate:
        try:
            if batch.objects:
                self._land_pack(batch, expected)
            else:  # a push that lands as it is: its objects are there, and synced
                self._move_main(expected, batch.head)
        except (RefMoved, RefUnreadable):
            return Fate.LOST
        except RefUnsynced:
            return Fate.UNKNOWN
        except RefBusy as error:
            raise WriteFailed(
                f"{error}; nothing was written (expected: no other process moves main)"
            ) from error
        except OSError as error:
            raise WriteFailed(f"disk: {error.strerror or error}; nothing was written") from error
        self._on_step("landed")
        return Fate.LANDED

    def _land_pack(self, batch: Batch, expected: str) -> None:
        pack = build_pack(batch.objects)
        self._on_step("built")
        with self._marked(pack.name):
            made = write_pack(self._packs, pack, self._disk)
            self._on_step("packed")
            try:
                self._move_main(expected, batch.head)
            except (RefMoved, RefUnreadable, RefBusy):
                self._disk.discard(*made)
                raise

    @contextlib.contextmanager
    def _marked(self, name: str) -> Iterator[None]:
        """Keep git from dropping a pack while nothing reaches it."""
        mark = self._packs / f"{name}.keep"
        is_in_doubt = False
        try:
            # At once with its text: an empty one, left by a kill, could be a person's.
            with contextlib.suppress(FileExistsError):
                os.link(self._mark, mark)
            yield
        except RefUnsynced:
            is_in_doubt = True  # main may stand on the pack, or not
            raise
        finally:
            if not is_in_doubt:
                _drop(mark)

    def _forget_marks(self) -> None:
        """Remove the marks of a process that died; its pack is reached by `main`, or by nothing."""
        for mark in self._packs.glob("*.keep"):
            with contextlib.suppress(OSError):
                if mark.read_text(errors="replace") == KEEP_REASON:
                    mark.unlink()

    def _move_main(self, expected: str, new: str) -> None:
        give_up_at = time.monotonic() + MAX_LOCK_WAIT_S
        while True:
            try:
                return compare_and_set(self._git_dir, expected, new, self._disk)
            except RefBusy:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.005)


def _drop(mark: Path) -> None:
    # One that stays costs a pack that is not repacked; the batch has landed or not without it.
    with contextlib.suppress(OSError):
        mark.unlink()
