"""When the time is up of those who wait: one timer for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from configsvc.edge.loophub import LoopHub

TICK_S = 0.1


class Expiring(Protocol):
    """Who waits for so long and no longer."""

    def expire(self) -> None:
        """Wait no longer."""


class Ticks:
    """Calls `expire` of each who waits when its time is up, to a tenth of a second.

    One timer for all: ten thousand of them would take more memory than what they are for.
    """

    def __init__(self, hub: LoopHub, now: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._now = now
        self._due: dict[int, set[Expiring]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiter: Expiring, seconds: float) -> int:
        """Have `waiter` expire in `seconds`; return what `drop` takes."""
        tick = int((self._now() + seconds) / TICK_S) + 1
        waiters = self._due.get(tick)
        if waiters is None:
            waiters = self._due[tick] = set()
        waiters.add(waiter)
        if self._timer is None:
            self._wait()
        return tick

    def drop(self, waiter: Expiring, tick: int) -> None:
        """Have `waiter` expire no longer."""
        waiters = self._due.get(tick)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._due[tick]

    def _wait(self) -> None:
        if self._timer is None and self._due:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._run)

    def _run(self) -> None:
        self._timer = None
        now = int(self._now() / TICK_S)
        for tick in sorted(tick for tick in self._due if tick <= now):
            # Out of it first: who expires drops itself.
            self._hub.wake(each.expire for each in self._due.pop(tick))
        self._wait()
