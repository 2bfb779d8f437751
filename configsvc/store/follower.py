"""The thread that keeps the working tree at head, off every answer's path."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from configsvc.store.worktree import WorkTree

CLOSE_TIMEOUT_S = 4.0
"""Longest `close` waits for what is left to be done, in seconds."""

_INDEX_SHARE = 10
_BUSY_CHECK_S = 0.02
_LOGGED_EDITS = 20
_LOG_AGAIN_S = 60.0

logger = logging.getLogger(__name__)


class Follower:
    """Brings what it is told of into the working tree, in the background.  Thread-safe.

    It begins with a comparison of everything, for what happened while nobody looked; a server
    that comes back need not be waited for until that is done.  After that files follow at once,
    and so does the index, which is written whole, when nothing is waiting to be written.  Under
    load both follow now and then.

    Args:
        index_interval_s: Least time between two writes of the index; stretched
            so that they take no more than a tenth of the time.
        check_interval_s: How often an idle follower looks for signs of other hands.
        reconcile_interval_s: How often it compares everything.
        retry_interval_s: How long after a failure it tries again.
        is_busy: Whether writes are waiting at this moment: they go first.
        max_lag_s: Longest that busy writers hold it up, in seconds.  When one round takes
            long, it is held up for twice that, so that it takes no more than a third of the time.
    """

    def __init__(
        self,
        worktree: WorkTree,
        *,
        index_interval_s: float = 0.05,
        check_interval_s: float = 2.0,
        reconcile_interval_s: float = 60.0,
        retry_interval_s: float = 0.2,
        is_busy: Callable[[], bool] = lambda: False,
        max_lag_s: float = 1.0,
    ) -> None:
        self._worktree = worktree
        self._index_interval_s = index_interval_s
        self._check_interval_s = check_interval_s
        self._reconcile_interval_s = reconcile_interval_s
        self._retry_interval_s = retry_interval_s
        self._is_busy = is_busy
        self._max_lag_s = max_lag_s
        self._changed = threading.Condition()  # guards the fields of the next block
        self._pending: set[str] = set()
        self._notified = 1  # of the comparison that it begins with
        self._settled = 0
        self._hurry = False
        self._closing = False
        # Of the thread alone:
        now = time.monotonic()
        self._failed: frozenset[str] = frozenset()
        self._index_due = False
        self._round_s = 0.0
        self._index_after = now
        self._retry_at = now
        self._check_at = now + check_interval_s
        self._reconcile_at = now
        self._logged: dict[str, str] = {}
        self._logged_edits: set[str] = set()
        self._logged_error = ("", -_LOG_AGAIN_S)
        self._thread = threading.Thread(target=self._run, name="configsvc-follower", daemon=True)

    @property
    def local_edits(self) -> Mapping[str, str]:
        """Paths that a person has edited, and in words how."""
        return self._worktree.edited()

    @property
    def notes(self) -> Mapping[str, str]:
        """Code to sentence for what else an operator should know."""
        return self._worktree.notes()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def notify(self, paths: Iterable[str]) -> None:
        """Say that head has changed at `paths`; never waits for the disk."""
        with self._changed:
            self._pending.update(paths)
            self._notified += 1
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was notified is in the working tree and in the index.

        Returns:
            False when it was not in time, say because of a full disk or a held `index.lock`.
        """
        with self._changed:
            wanted = self._notified
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= wanted, timeout_s)

    def close(self) -> None:
        """Finish what can be finished and end the thread.  Closing twice is harmless."""
        if self._thread.is_alive():
            self.flush(CLOSE_TIMEOUT_S)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT_S)
        if not (self._thread.is_alive() or self._pending or self._failed):
            self._worktree.close()

    def _run(self) -> None:
        self._begin()
        while True:
            with self._changed:
                self._changed.wait_for(self._is_awaited, self._idle_s())
                if self._closing:
                    return
                self._give_way()
                paths, self._pending = self._pending, set()
                hurry, self._hurry = self._hurry, False
                notified = self._notified
            started = time.monotonic()
            is_done = self._step(paths, hurry)
            self._round_s = time.monotonic() - started
            if is_done:
                self._note_settled(notified)

    def _begin(self) -> None:
        self._step(set(), hurry=False)
        self._note_settled(1)

    def _note_settled(self, notified: int) -> None:
        with self._changed:
            self._settled = max(self._settled, notified)
            self._changed.notify_all()

    def _give_way(self) -> None:
        """Wait while writes wait: a working file costs as much as a commit, and nobody waits for it."""
        give_up_at = time.monotonic() + max(self._max_lag_s, 2 * self._round_s)
        while not (self._hurry or self._closing) and self._is_busy():
            left_s = give_up_at - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(min(left_s, _BUSY_CHECK_S))

    def _is_awaited(self) -> bool:
        return bool(self._pending) or self._closing or (self._hurry and self._index_due)

    def _idle_s(self) -> float:
        due = min(self._check_at, self._reconcile_at)
        if self._index_due:
            due = min(due, self._index_after)
        if self._failed:
            due = min(due, self._retry_at)
        return max(due - time.monotonic(), 0.0)

    def _step(self, paths: set[str], hurry: bool) -> bool:
        """Do what is due; return whether all that was notified is done."""
        try:
            self._follow(paths, hurry)
            self._look_around()
        except Exception as error:  # noqa: BLE001 - the edge of a thread that must not die
            self._note_broken(error, paths)
        self._log_changes()
        return not (self._failed or self._index_due)

    def _follow(self, paths: set[str], hurry: bool) -> None:
        now = time.monotonic()
        if self._failed and now >= self._retry_at:
            paths = paths | self._failed
        if paths:
            self._index_due = True
            failed = self._worktree.update(paths)
            self._failed = (self._failed - paths) | failed
            if failed:
                self._retry_at = now + self._retry_interval_s
        if self._index_due and (hurry or now >= self._index_after):
            self._write_index()

    def _write_index(self) -> None:
        started = time.monotonic()
        written = self._worktree.write_index()
        ended = time.monotonic()
        self._index_due = not written
        pause = max(self._index_interval_s, _INDEX_SHARE * (ended - started))
        self._index_after = ended + (pause if written else self._retry_interval_s)

    def _look_around(self) -> None:
        """Look for signs of other hands, and compare everything when there are or when it is time."""
        now = time.monotonic()
        due = now >= self._reconcile_at
        if now >= self._check_at:
            self._check_at = now + self._check_interval_s
            due = due or self._worktree.disturbed()
        if due:
            self._worktree.reconcile()
            self._reconcile_at = time.monotonic() + self._reconcile_interval_s

    def _note_broken(self, error: Exception, paths: set[str]) -> None:
        self._failed |= paths
        self._retry_at = time.monotonic() + self._retry_interval_s
        now = time.monotonic()
        text, logged_at = self._logged_error
        if text != str(error) or now - logged_at >= _LOG_AGAIN_S:
            logger.error("working tree: not followed, tried again: %s", error, exc_info=error)
            self._logged_error = (str(error), now)

    def _log_changes(self) -> None:
        """Log each note and each local edit once, when it comes and when it is gone."""
        notes = dict(self.notes)
        for code in notes.keys() - self._logged.keys():
            logger.warning("working tree: %s: %s", code, notes[code])
        for code in self._logged.keys() - notes.keys():
            logger.info("working tree: %s: over", code)
        self._logged = notes
        edits = dict(self.local_edits)
        for name in sorted(edits.keys() - self._logged_edits)[:_LOGGED_EDITS]:
            logger.warning("working tree: %s is left as it is: %s", name, edits[name])
        self._logged_edits = set(edits)
