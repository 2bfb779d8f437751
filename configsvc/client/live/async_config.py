"""One config that follows the server, for coroutines; apart, since asyncio takes long to load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from configsvc.client.live.binding import Bind
from configsvc.client.live.config import Change, Place, View

T = TypeVar("T")


class AsyncLiveConfig(View[T]):
    """A config that follows the server, for the event loop that it was made in."""

    def __init__(self, service: str, bind: Bind, default: T | None, place: Place) -> None:
        self._ready, self._fresh = asyncio.Event(), asyncio.Event()
        super().__init__(service, bind, default, place)

    async def wait_ready(self, timeout_s: float, *, from_server: bool = False) -> None:
        """Wait as `LiveConfig.wait_ready` does."""
        flag = self._fresh if from_server else self._ready
        try:
            async with asyncio.timeout(timeout_s):
                await flag.wait()
        except TimeoutError as error:
            raise self._not_ready(timeout_s) from error

    def on_change(
        self, callback: Callable[[Change[T]], Awaitable[object] | None]
    ) -> Callable[[Change[T]], Awaitable[object] | None]:
        """Have `callback`, a function or a coroutine function, called as `LiveConfig.on_change` says.

        Coroutines are awaited, one after the other.
        """
        self._callbacks.append(callback)
        return callback

    def _announce(self, *, is_fresh: bool) -> None:
        self._ready.set()
        if is_fresh:
            self._fresh.set()

    async def deliver(self) -> None:
        """Tell the callbacks what is pending, and await them."""
        while self._pending:
            for callback in tuple(self._callbacks):
                try:
                    told = callback(self._pending[0])
                    if isinstance(told, Awaitable):
                        await told
                except asyncio.CancelledError:
                    # Of something that the callback awaited, unless it is this task that is to end.
                    task = asyncio.current_task()
                    if task is not None and task.cancelling():
                        raise
                    self._failed(callback, self._pending[0])
                except Exception:  # noqa: BLE001 - logged by the next line
                    self._failed(callback, self._pending[0])
            self._pending.popleft()
