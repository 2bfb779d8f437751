"""A moment by which something has to have happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `action` once, `seconds` after it was started, unless it was stopped.

    Used by the event loop only.
    """

    __slots__ = ("_action", "_seconds", "_timer")

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self._seconds = seconds
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor reached."""
        return self._timer is not None

    def start(self) -> None:
        """Begin to count, from now, if it does not yet."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._reach)

    def stop(self) -> None:
        """Count no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Stop for good, and let go of whose deadline it was: the two hold each other."""
        self.stop()
        self._action = _nothing

    def _reach(self) -> None:
        self._timer = None
        self._action()


def start(deadline: Deadline | None, seconds: float, action: Callable[[], None]) -> Deadline:
    """Start a deadline, made now if it was never before, and return it."""
    deadline = deadline or Deadline(seconds, action)
    deadline.start()
    return deadline


def stop(deadline: Deadline | None) -> None:
    """Stop a deadline, if it was ever made."""
    if deadline is not None:
        deadline.stop()


def _nothing() -> None:
    return
