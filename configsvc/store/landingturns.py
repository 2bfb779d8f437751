"""Landings and the dropping of objects, which exclude each other.

A push may name objects that are there already and that nothing reaches; they
must not go between the look at them and the move of `main`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from configsvc.core.errors import GitBusy

TURN_S = 30.0


class LandingTurns:
    """Lets many land, or one drop objects.  Thread-safe.

    Args:
        turn_s: Seconds that either waits for the other.
    """

    def __init__(self, *, turn_s: float = TURN_S) -> None:
        self._turn_s = turn_s
        self._changed = threading.Condition()  # guards what follows
        self._landings = 0
        self._is_dropping = False

    @contextmanager
    def landing(self) -> Iterator[None]:
        """Keep objects from being dropped until the block ends.

        Raises:
            GitBusy: They are being dropped.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._is_dropping, self._turn_s):
                raise GitBusy("push: the server drops old objects (expected: try again)")
            self._landings += 1
        try:
            yield
        finally:
            with self._changed:
                self._landings -= 1
                self._changed.notify_all()

    def drop(self, task: Callable[[], None]) -> bool:
        """Run `task` while nothing lands; return False when landings have not let it in time."""
        with self._changed:
            if self._is_dropping:
                return False
            self._is_dropping = True  # who comes now waits, so that this has its turn at last
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._landings == 0, self._turn_s):
                    return False
            task()
            return True
        finally:
            with self._changed:
                self._is_dropping = False
                self._changed.notify_all()
