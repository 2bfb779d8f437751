"""The hub of those who wait on the event loop: told by the store's thread, waking in small portions."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from operator import length_hint
from typing import Any, TypeVar

from configsvc.core.measures import Spread
from configsvc.edge.asgi_types import Receive
from configsvc.watch.hub import Hub, Wake

PORTION = 64
"""Waiters woken before other requests get their turn."""
CATCH_UP_S = 0.002
"""How long those go on in each turn who catch up, in seconds; the one at work may take longer."""

Listen = Callable[[Callable[[Collection[str]], None]], Callable[[], None]]
T = TypeVar("T")


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
        self._due: deque[tuple[Callable[[Iterator[Any]], None], Iterator[Any]]] = deque()
        self._is_waking = False
        self._behind: deque[Wake] = deque()
        self._making: set[asyncio.Task[None]] = set()
        self.sharing = 0
        """How many wait behind the registration of another one."""
        self.spread = Spread()
        """Seconds from each publish that concerns someone until the kernel has what all are told."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.index) + self.sharing

    @property
    def is_full(self) -> bool:
        """Whether nobody more may wait: as many do as may, or it ends."""
        return self.is_draining or len(self.index) + self.sharing >= self.most

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
        due = self.index.due(paths)
        if due:
            self.wake([*due, partial(self._follow, heard_s)])

    def _follow(self, heard_s: float) -> None:
        """Measure a publish whose waiters are woken: what they have to tell is in line by now."""
        left = set(self._making)
        for making in left.copy():
            making.add_done_callback(partial(self._follow_on, left, heard_s))
        if not left:
            self.wake([partial(self._note, heard_s)])

    def _follow_on(self, left: set[asyncio.Task[None]], heard_s: float, made: asyncio.Task[None]) -> None:
        left.discard(made)
        if not left:
            self.wake([partial(self._note, heard_s)])

    def _note(self, heard_s: float) -> None:
        self.spread.observe(time.perf_counter() - heard_s)

    def await_making(self, making: asyncio.Task[None]) -> None:
        """Let a publish not count as told before `making` is done, at the end of which others are told."""
        self._making.add(making)
        making.add_done_callback(self._making.discard)

    def wake(self, wakes: Iterable[Wake]) -> None:
        """Call each, in this order and after those before, a portion in each turn of the loop."""
        self.tell(_call_each, wakes)

    def tell(self, act: Callable[[Iterator[T]], None], each_of: Iterable[T]) -> None:
        """Have `act` do with a portion of them in each turn what `wake` does with wakes.

        Args:
            act: Takes one after the other of those it is given; one that it fails with is left out.
        """
        self._due.append((act, iter(list(each_of))))
        if not self._is_waking:
            self._is_waking = True
            self._wake_portion()

    def catch_up(self, step: Wake) -> None:
        """Call `step` in a later turn: one of many, of which a turn takes as many as are done soon."""
        if not self._behind:
            asyncio.get_running_loop().call_soon(self._catch_up)
        self._behind.append(step)

    def _catch_up(self) -> None:
        steps, self._behind = self._behind, deque()
        end_s = time.monotonic() + CATCH_UP_S
        try:
            while steps:
                steps.popleft()()
                if time.monotonic() > end_s:
                    break
        finally:  # one that fails takes nobody's turn from those behind it
            was_empty = not self._behind
            self._behind.extendleft(reversed(steps))
            if steps and was_empty:
                asyncio.get_running_loop().call_soon(self._catch_up)

    def _wake_portion(self) -> None:
        left = PORTION
        try:
            while left and self._due:
                act, each_of = self._due[0]
                before = length_hint(each_of)  # of a list that does not grow, so it is exact
                act(islice(each_of, left))
                after = length_hint(each_of)
                left -= before - after
                if not after:
                    self._due.popleft()
        finally:  # one that fails takes nobody's turn from those behind it
            self._is_waking = bool(self._due)
            if self._is_waking:
                asyncio.get_running_loop().call_soon(self._wake_portion)


def _call_each(wakes: Iterator[Wake]) -> None:
    for wake in wakes:
        wake()


async def until_gone(receive: Receive, wake: asyncio.Event) -> None:
    """Wait until the client of a request hangs up, and set `wake` then."""
    while (await receive())["type"] != "http.disconnect":
        pass
    wake.set()
