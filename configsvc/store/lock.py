"""The lock that makes one process the owner of a repository.

It is a `flock` on a file of our own, so the kernel frees it when the process
dies, however it dies.  Whoever holds it may remove what a dead owner left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path

from configsvc.core.errors import RepositoryLocked, RepositoryUnusable

_MAX_PID_BYTES = 32
_NAME_WITHIN_S = 1.0
_LOOK_EVERY_S = 0.01


class RepositoryLock:
    """The held lock of one repository; let go of by `close` or at the end of a `with` block.

    A forked child does not share it: its copy of the descriptor is closed at
    once, or it would keep the lock alive after its parent's death.

    Args:
        git_dir: The repository's `.git` folder.

    Raises:
        RepositoryLocked: Another process holds it; the message names its pid.
        RepositoryUnusable: Its file cannot be written: by this user, or by nobody.
    """

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / "configsvc" / "lock"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor: int | None = _acquire(self.path)
        except OSError as error:
            raise RepositoryUnusable(
                f"repository: {self.path} cannot be written: {error.strerror} (expected: one that can)"
            ) from error
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _close_in_child(this))

    def __enter__(self) -> RepositoryLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the repository.  Closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, path)
            if _is_at(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # Someone removed or replaced the file in between: what is locked is no longer what others see.
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RepositoryLocked(
            f"repository: {path.parents[2]} is held by process {_holder(descriptor)} "
            "(expected: by none; stop that process, or use the service that it runs)"
        ) from None


def _holder(descriptor: int) -> str:
    # Who has just taken the lock has not written its pid yet: what is there is nothing, or a dead owner's.
    give_up_at = time.monotonic() + _NAME_WITHIN_S
    while True:
        holder = os.pread(descriptor, _MAX_PID_BYTES, 0).decode("ascii", "replace").strip()
        if _is_alive(holder) or time.monotonic() > give_up_at:
            return holder or "unknown"
        time.sleep(_LOOK_EVERY_S)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _close_in_child(reference: weakref.ref[RepositoryLock]) -> None:
    lock = reference()
    if lock is not None:
        lock.close()
