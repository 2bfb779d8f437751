"""Keeping the object store small, on our own clock: git's automatic gc is off.

Only commands that were shown to be safe beside the writer run beside it:
`repack --geometric` keeps packs that no ref reaches yet.  What drops objects
would drop those of a push that is about to land: no push lands meanwhile, `prune`
has the writer's turn, and both leave what is younger than two weeks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from configsvc.store.gitcommand import environment
from configsvc.store.quarantine import remove_old_quarantines
from configsvc.store.repository import LEFTOVERS, own_folder

MAX_PACKS = 200
REPACK_CHECK_S = 5.0
PRUNE_EVERY_S = 86_400.0
_REPACK = ("repack", "-d", "--geometric=2", "--write-midx", "-q")
GRACE = "2.weeks.ago"
# Keeps what is reached and what is young; what nothing reaches leaves the packs, so that a prune can have it.
_UNPACK = ("repack", "-A", "-d", "-q")
_REPACK_TIMEOUT_S = 1800.0
# Writes wait for a prune, so it gets less time than a request has.
_PRUNE_TIMEOUT_S = 30.0
PUSH_S = 900.0
# A push waits for the answers of its hooks, in which nothing of its folder changes.
_HOOKS_S = 600.0
_SWEEP_EVERY_S = 60.0
_END_GRACE_S = 2.0

logger = logging.getLogger(__name__)


def _drop_at_once(task: Callable[[], None]) -> bool:
    task()
    return True


class Maintenance:
    """Repacks in a thread of its own once packs pile up.

    Args:
        exclusively: Runs a function while no batch is written.
        drop: Runs a function while no push lands; returns whether it did.
        repacked: Called when packs may have been taken away.
        max_packs: Packs that are let stand before they are joined.
        push_s: Seconds that a push may take.
    """

    def __init__(
        self,
        root: Path,
        git_dir: Path,
        *,
        exclusively: Callable[[Callable[[], None]], None] = lambda task: task(),
        drop: Callable[[Callable[[], None]], bool] = _drop_at_once,
        repacked: Callable[[], None] = lambda: None,
        max_packs: int = MAX_PACKS,
        check_s: float = REPACK_CHECK_S,
        push_s: float = PUSH_S,
    ) -> None:
        self._root = root
        self._git_dir = git_dir
        self._push_s = push_s
        self._packs = git_dir / "objects" / "pack"
        self._leftovers = own_folder(git_dir) / LEFTOVERS
        self._exclusively = exclusively
        self._drop = drop
        self._repacked = repacked
        self._max_packs = max_packs
        self._check_s = check_s
        self._pruned_at = self._swept_at = time.monotonic()
        self._stop = threading.Event()
        self._running: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="configsvc-maintenance", daemon=True)

    def start(self) -> None:
        """Start to look after the store."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a repack under way is stopped, which harms nothing."""
        self._stop.set()
        running = self._running
        if running is not None:
            _end(running)
        if self._thread.is_alive():
            self._thread.join()

    def pack_count(self) -> int:
        """Return how many packs there are."""
        return sum(1 for entry in os.scandir(self._packs) if entry.name.endswith(".pack"))

    def pack_sizes(self) -> tuple[int, int]:
        """Return how many packs there are, and the bytes of all files beside them."""
        count = total = 0
        for entry in os.scandir(self._packs):
            with contextlib.suppress(FileNotFoundError):  # a repack may just have joined it
                total += entry.stat().st_size
                count += entry.name.endswith(".pack")
        return count, total

    def repack(self) -> None:
        """Join packs so that their sizes form a geometric progression."""
        started = time.monotonic()
        before = self.pack_count()
        is_done = self._git(_REPACK, _REPACK_TIMEOUT_S)
        self._repacked()
        if is_done:
            logger.info(
                "repack: %d packs to %d in %.1f s", before, self.pack_count(), time.monotonic() - started
            )

    def prune(self, *, grace: str = GRACE) -> None:
        """Drop objects that nothing reaches: those of pushes that were refused late, or forced over.

        Args:
            grace: How old, in git's words, they have to be.
        """
        if not self._drop(lambda: self._drop_unreached(grace)):
            logger.info("prune: put off, since pushes land")

    def _drop_unreached(self, grace: str) -> None:
        if self._leftovers.exists():
            # First: what comes to be while it runs is for the next time.
            self._leftovers.unlink()
            if not self._git((*_UNPACK, f"--unpack-unreachable={grace}"), _REPACK_TIMEOUT_S):
                self._leftovers.touch()
            self._repacked()
        self._exclusively(lambda: self._prune_now(grace))

    def sweep(self) -> None:
        """Remove the objects that pushes kept apart when they have ended without doing so."""
        count = remove_old_quarantines(self._git_dir, age_s=self._push_s + _HOOKS_S)
        if count:
            logger.warning("sweep: objects of %d pushes that did not come to their end removed", count)

    def _prune_now(self, grace: str) -> None:
        self._git(("prune", f"--expire={grace}"), _PRUNE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.wait(self._check_s):
            try:
                if self.pack_count() >= self._max_packs:
                    self.repack()
                if time.monotonic() - self._swept_at >= _SWEEP_EVERY_S:
                    self._swept_at = time.monotonic()
                    self.sweep()
                if time.monotonic() - self._pruned_at >= PRUNE_EVERY_S:
                    self._pruned_at = time.monotonic()
                    self.prune()
            except Exception:
                logger.exception("maintenance failed; it is tried again")

    def _git(self, arguments: tuple[str, ...], timeout_s: float) -> bool:
        # Nice, because it competes with reads for two cores and nothing waits for it.
        command = ["nice", "-n", "15", "git", "-C", str(self._root), *arguments]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        ) as process:
            self._running = process
            if self._stop.is_set():
                _end(process)
            try:
                _, stderr = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                _end(process)
                _, stderr = process.communicate()
            finally:
                self._running = None
            if process.returncode != 0 and not self._stop.is_set():
                logger.error(
                    "git %s failed: %s", arguments[0], stderr.decode("utf-8", "replace").strip()[-500:]
                )
            return process.returncode == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a git command with its children, which would go on without it and hold its pipes."""
    for signal_ in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_GRACE_S)
