"""The hub of those who wait on the event loop: told by the store's thread, waking in small portions."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable

from configsvc.core.measures import Spread
from configsvc.edge.asgi_types import Receive
from configsvc.watch.hub import Hub, Wake

PORTION = 64
"""Waiters woken before other requests get their turn."""

Listen = Callable[[Callable[[Collection[str]], None]], Callable[[], None]]


class LoopHub:
    """Wakes waiters of one event loop.

    Args:
        listen: Has what it is given called with the paths of each publish, by any thread.
        most: Waiters at one time.
    """

    def __init__(self, listen: Listen, *, most: int) -> None:
        self.index = Hub()
        self.most = most
        self.is_draining = False
        self._listen = listen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: deque[Wake] = deque()
        self._is_waking = False
        self.sharing = 0
        """How many wait behind the registration of another one."""
        self.spread = Spread()
        """Seconds from each publish until the last one whom it concerns is woken."""
        self._oldest_s: float | None = None  # when the oldest publish of those under way was heard of

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.index) + self.sharing

    @property
    def is_full(self) -> bool:
        """Whether nobody more may wait: as many do as may, or it ends."""
        return self.is_draining or self.waiting >= self.most

    def start(self) -> None:
        """Hear of what is published, on the loop that runs."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._listen(self._hear)

    def drain(self) -> None:
        """Wake everyone, to end."""
        self.is_draining = True
        self.wake(self.index.all())

    def _hear(self, paths: Collection[str]) -> None:
        loop = self._loop
        # Who registers after this look finds what was published in the newest snapshot; see `Hub`.  And the
        # store may land writes after the server's end.
        if loop is not None and len(self.index) and not loop.is_closed():
            loop.call_soon_threadsafe(self._find_due, tuple(paths), time.perf_counter())

    def _find_due(self, paths: tuple[str, ...], heard_s: float) -> None:
        if self._oldest_s is None:
            self._oldest_s = heard_s
        self.wake(self.index.due(paths))

    def wake(self, wakes: Iterable[Wake]) -> None:
        """Call each, in this order and after those before, a portion in each turn of the loop."""
        self._due.extend(wakes)
        if not self._is_waking:
            self._is_waking = True
            self._wake_portion()

    def _wake_portion(self) -> None:
        for _ in range(min(PORTION, len(self._due))):
            self._due.popleft()()
        self._is_waking = bool(self._due)
        if self._is_waking:
            asyncio.get_running_loop().call_soon(self._wake_portion)
        elif self._oldest_s is not None:
            self.spread.observe(time.perf_counter() - self._oldest_s)
            self._oldest_s = None


async def until_gone(receive: Receive, wake: asyncio.Event) -> None:
    """Wait until the client of a request hangs up, and set `wake` then."""
    while (await receive())["type"] != "http.disconnect":
        pass
    wake.set()
