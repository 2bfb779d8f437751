"""All live configs of one asynchronous client."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from configsvc.client.calls import Call
from configsvc.client.exchange import Exchange
from configsvc.client.live.async_config import AsyncLiveConfig
from configsvc.client.live.async_reports import AsyncReports
from configsvc.client.live.binding import binder
from configsvc.client.live.configs import Bind, Common
from configsvc.client.live.options import LiveOptions
from configsvc.client.live.tasks import LiveTask
from configsvc.client.paths import named
from configsvc.client.retrying import Retries
from configsvc.client.transport import AsyncTransport

T = TypeVar("T")


class AsyncRun(Protocol):
    """Runs a call."""

    async def __call__(self, call: Call[T], retries: Retries | None = None) -> T:
        """Return the result; see `AsyncClient.run`."""


class AsyncLiveConfigs:
    """Those of an `AsyncClient`; see `LiveConfigs`."""

    def __init__(
        self, exchange: Exchange, transport: AsyncTransport, options: LiveOptions, run: AsyncRun
    ) -> None:
        self._common = Common(exchange, options)
        self._transport = transport
        self._run = run
        self._task: LiveTask | None = None
        self._is_closed = False

    async def make(self, service: str, bind: Bind, default: Any) -> AsyncLiveConfig[Any]:
        """Return a config that follows a service; see `AsyncClient.config`."""
        book = self._common.book
        view: AsyncLiveConfig[Any] = AsyncLiveConfig(named("service", service), binder(bind), default, book)
        with self._common.beginning(view) as call:
            if call is not None:
                book.read(view.service, await self._run(call, self._common.retries))
        if self._is_closed:
            return view
        has_to_wake = book.cover(view.service)
        if self._task is None:
            reports = AsyncReports(self._run)
            self._task = LiveTask(self._common.follower, self._transport, self._common.copies, reports)
        elif has_to_wake:
            self._task.wake()
        return view

    async def close(self) -> None:
        """Follow nothing any longer."""
        self._is_closed = True
        if self._task is not None:
            await self._task.close()
