"""The one task that follows the server for all live configs of an asynchronous client."""

from __future__ import annotations

import asyncio
import logging

from configsvc.client.exchange import Pause, Send
from configsvc.client.failures import NoAnswer
from configsvc.client.live.async_config import AsyncLiveConfig
from configsvc.client.live.async_reports import AsyncReports
from configsvc.client.live.disk import LastGood
from configsvc.client.live.follower import Follower
from configsvc.client.live.steps import (
    Confirm,
    Hangup,
    LiveCame,
    LiveStep,
    Open,
    Opened,
    Receive,
    Report,
    Save,
    Tell,
)
from configsvc.client.live.threads import AFTER_A_BUG_S, END_WITHIN_S
from configsvc.client.messages import Answer
from configsvc.client.transport import AsyncStream, AsyncTransport

_log = logging.getLogger("configsvc.client")


class LiveTask:
    """Runs the steps of a follower in the running event loop.

    Args:
        copies: None keeps none.
    """

    def __init__(
        self, follower: Follower, transport: AsyncTransport, copies: LastGood | None, reports: AsyncReports
    ) -> None:
        self._follower = follower
        self._transport = transport
        self._copies = copies
        self._reports = reports
        self._stream: AsyncStream | None = None
        self._reading: asyncio.Future[bytes] | None = None
        self._woken = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    def wake(self) -> None:
        """Have the follower look up from what it waits for."""
        self._woken.set()
        if self._reading is not None:
            self._reading.cancel()

    async def close(self) -> None:
        """End the task; callbacks that it is in are finished before.  Twice is harmless."""
        self._follower.close()
        self.wake()
        # A callback may close the client.
        if self._task is not asyncio.current_task():
            done, _ = await asyncio.wait([self._task], timeout=END_WITHIN_S)
            if not done:
                self._task.cancel()
        await self._reports.close()

    async def _run(self) -> None:
        steps = self._follower.steps()
        came: LiveCame = None
        try:
            while True:
                try:
                    came = await self._take(steps.send(came))
                except StopIteration:
                    return
                except Exception:  # noqa: BLE001 - the edge of a task that must not die; logged
                    if self._follower.is_closed:
                        _log.debug("watch: ended", exc_info=True)
                        return
                    _log.exception("watch: begun anew after a bug")
                    self._follower.given_up()
                    steps, came = self._follower.steps(), None
                    await self._hang_up()
                    await self._pause(AFTER_A_BUG_S)
        finally:
            await self._hang_up()

    async def _take(self, step: LiveStep) -> LiveCame:
        match step:
            case Send() | Open() | Receive():
                try:
                    return await self._asked(step)
                except NoAnswer as error:
                    return error
            case Pause(seconds):
                await self._pause(seconds)
            case Hangup():
                await self._hang_up()
            case Tell(view):
                assert isinstance(view, AsyncLiveConfig)
                await view.deliver()
            case Report(call):
                self._reports.add(call)
            case Save(document):
                return self._copies is None or await asyncio.to_thread(self._copies.save, document)
            case Confirm(services):
                if self._copies is not None:
                    await asyncio.to_thread(self._copies.confirm, services)
        return None

    async def _asked(self, step: Send | Open | Receive) -> LiveCame:
        if isinstance(step, Send):
            return await self._transport.send(step.base_url, step.request)
        if isinstance(step, Receive):
            return await self._received()
        stream = self._stream = await self._transport.stream(step.base_url, step.request)
        if stream.status == 200:
            return Opened(stream.headers)
        parts: list[bytes] = []
        try:
            while part := await stream.read():
                parts.append(part)
        finally:
            await self._hang_up()
        return Answer(stream.status, stream.headers, b"".join(parts))

    async def _received(self) -> bytes:
        if self._stream is None:
            return b""
        reading = self._reading = asyncio.ensure_future(self._stream.read())
        try:
            await asyncio.wait([reading])
            return b"" if reading.cancelled() else reading.result()
        finally:
            self._reading = None
            if not reading.done():
                # Nobody may close a stream that is being read.
                reading.cancel()
                await asyncio.wait([reading])

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    async def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
