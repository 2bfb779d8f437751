"""Answers that are asked for at one time are made together: one git command, one turn of one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

from configsvc.edge.hot import HotRead
from configsvc.edge.hot_maker import HotMaker
from configsvc.edge.hot_requests import HotRequest

MAX_BULK = 64

_Asked = tuple[HotRequest, "asyncio.Future[HotRead | None]"]


class HotBulk:
    """Fills templates for requests that may be answered.  Used by the event loop only.

    Args:
        pool: Where that is done.
    """

    def __init__(self, maker: HotMaker, pool: Executor) -> None:
        self._maker = maker
        self._pool = pool
        self._asked: list[_Asked] = []
        self._is_busy = False

    def make(self, request: HotRequest) -> asyncio.Future[HotRead | None]:
        """Return what will be the answer; None there: there is no template for it."""
        made: asyncio.Future[HotRead | None] = asyncio.get_running_loop().create_future()
        self._asked.append((request, made))
        if not self._is_busy:
            self._begin()
        return made

    def _begin(self) -> None:
        turn, self._asked = self._asked[:MAX_BULK], self._asked[MAX_BULK:]
        requests = [request for request, _ in turn]
        try:
            making = asyncio.get_running_loop().run_in_executor(self._pool, self._maker.fill, requests)
        except RuntimeError:  # no thread can be begun; each is told so where it is asked for by itself
            for _, made in (*turn, *self._asked):
                _settle(made, None)
            self._asked = []
            return
        self._is_busy = True
        making.add_done_callback(partial(self._end, turn))

    def _end(self, turn: Sequence[_Asked], making: asyncio.Future[list[HotRead | None]]) -> None:
        self._is_busy = False
        # Whom a fault concerns is found out by asking for each by itself.
        is_failed = making.cancelled() or making.exception() is not None
        results = [None] * len(turn) if is_failed else making.result()
        for (_, made), result in zip(turn, results, strict=True):
            _settle(made, result)
        if self._asked:
            self._begin()


def _settle(made: asyncio.Future[HotRead | None], result: HotRead | None) -> None:
    if not made.done():
        made.set_result(result)
