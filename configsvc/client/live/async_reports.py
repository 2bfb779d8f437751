"""Reports of versions that do not fit, for coroutines; apart, since asyncio takes long to load."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from configsvc.client.calls import Call
from configsvc.client.live.reports import MAX_WAITING, RETRIES, note_untold
from configsvc.client.retrying import Retries

AsyncSend = Callable[[Call[None], Retries], Awaitable[None]]


class AsyncReports:
    """Sends reports one after another, in a task; see `Reports`."""

    def __init__(self, send: AsyncSend) -> None:
        self._send = send
        self._is_closed = False
        self._waiting: deque[Call[None]] = deque(maxlen=MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def add(self, report: Call[None]) -> None:
        """Have a report sent; after the end, do nothing."""
        if self._is_closed:
            return
        self._waiting.append(report)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._work())

    async def close(self) -> None:
        """Send no more, and give up what is on its way."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self._waiting:
            report = self._waiting.popleft()
            try:
                await self._send(report, RETRIES)
            except Exception as error:  # noqa: BLE001 - the edge of a task; a server may know no reports
                note_untold(report, error)
