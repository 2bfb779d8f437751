"""Empty files made ahead, so that a batch need not wait until a new one is made.

Where many files were removed within the last minutes ext4 takes 0.2 to 0.5 ms to make one: it
passes over the numbers of those that were removed, one by one (`recently_deleted` in Linux'
fs/ext4/ialloc.c).  A batch needs three, which took as long as two syncs; a file that is there
is given another name in 0.03 ms.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections import deque
from pathlib import Path

MODE = 0o644
"""What the files may be used for at most; less the umask."""

_MOST = 12
_LEAST = 6
_SELDOM = 12

logger = logging.getLogger(__name__)


class SpareFiles:
    """A few empty files, made by a thread once files are often wanted.  Thread-safe.

    Args:
        folder: Of its own; made when it is needed.  What is in it was left by a process that
            died, and is removed.
        seldom: How many are wanted before the first are made: a store that is
            seldom written to needs none.
    """

    def __init__(self, folder: Path, *, seldom: int = _SELDOM) -> None:
        self._folder = folder
        self._seldom = seldom
        self._wanted = 0
        self._made = 0
        self._spares: deque[Path] = deque()
        self._changed = threading.Condition()  # guards the fields of the next block
        self._due = False
        self._closed = False
        self._thread: threading.Thread | None = None
        shutil.rmtree(folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._spares)

    def put(self, path: Path) -> bool:
        """Make `path` an empty file; return False when none is at hand.

        Raises:
            FileExistsError: It is there already.
        """
        self._wanted += 1
        if len(self._spares) <= _LEAST and self._wanted > self._seldom:
            self._ask_for_more()
        try:
            spare = self._spares.popleft()
        except IndexError:
            return False
        try:
            os.link(spare, path)
        except FileExistsError:
            self._take_back(spare)
            raise
        except OSError:
            # No links here, or a full disk: who makes the file instead is told what is wrong.
            self._take_back(spare)
            return False
        with contextlib.suppress(OSError):  # a name that stays is removed by the next start
            spare.unlink()
        return True

    def close(self) -> None:
        """End the thread and remove the files.  Closing twice is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._spares.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _take_back(self, spare: Path) -> None:
        # A file system over a network may have made the name that it says it has not.
        with contextlib.suppress(OSError):
            if spare.stat().st_nlink == 1:
                self._spares.append(spare)

    def _ask_for_more(self) -> None:
        with self._changed:
            if self._closed:
                return
            if self._thread is None and not self._start():
                return
            self._due = True
            self._changed.notify()

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name="configsvc-spares", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there may be no more threads; files are made without one
            self._wanted = 0
            return False
        self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._due or self._closed)
                if self._closed:
                    return
                self._due = False
            try:
                self._make_more()
            except (OSError, MemoryError) as error:
                logger.debug("spare files: none made: %s", error)

    def _make_more(self) -> None:
        making = self._folder / "new"
        making.mkdir(parents=True, exist_ok=True)
        while len(self._spares) < _MOST:
            self._made += 1
            new, path = making / str(self._made), self._folder / str(self._made)
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
            # A folder is locked while a file is made in it, and the writer removes names from its own.
            new.rename(path)
            self._spares.append(path)
