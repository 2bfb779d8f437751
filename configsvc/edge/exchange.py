"""One request on its way through a WSGI application, and its answer on the way to the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from configsvc.edge.asgi_types import Message, Receive, Scope, Send, raw_headers
from configsvc.edge.environ import make_environ
from configsvc.edge.pools import Pool
from configsvc.edge.request_body import ClientGone
from configsvc.edge.wsgi_call import WsgiCall

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SLICE_BYTES = 64 << 10
"""Most bytes handed to the server at once, so that a deadline measures progress."""

MAX_COLLECTED_BYTES = 32 << 20
"""Largest answer of unstated length that an HTTP/1.0 client can have."""

Step = TypeVar("Step")


@dataclass(slots=True)
class Exchange:
    """Calls the application in threads of `pool`, each chunk of its answer one visit.

    Args:
        write_timeout_s: Seconds the client may take to accept the next bytes.
        is_body_complete: Tells whether the request's body is all read; until
            it is, `receive` is the application's.
    """

    app: WSGIApplication
    pool: Pool
    scope: Scope
    receive: Receive
    send: Send
    write_timeout_s: float
    is_body_complete: Callable[[], bool]
    _is_left: bool = field(default=False, init=False)

    async def run(self, body: BinaryIO) -> None:
        """Call the application and send its answer; its iterable is closed in any case.

        Raises:
            Refused: Too many wait for a thread.
            ClientGone: The client hung up or stopped reading.
        """
        self.pool.check_room(is_read=self.is_body_complete())
        call = WsgiCall(self.app, make_environ(self.scope, body))
        try:
            chunk = await self._step(call, call.start)
            if call.length is None and self.scope["http_version"] == "1.0":
                chunk = await self._collect(call, chunk)
            if call.is_done:
                await self._send_head(call)
                await self._send_body(chunk, more=False)
            else:
                await self._stream(call, chunk)
        finally:
            if not self._is_left and not call.is_done:
                await self._step(call, call.close)

    async def _stream(self, call: WsgiCall, chunk: bytes) -> None:
        gone = asyncio.create_task(self._hang_up()) if self.is_body_complete() else None
        try:
            await self._send_head(call)
            while not call.is_done:
                await self._send_body(chunk, more=True)
                chunk = await self._step(call, call.more, gone)
            await self._send_body(chunk, more=False)
        finally:
            if gone is not None:
                gone.cancel()

    async def _collect(self, call: WsgiCall, chunk: bytes) -> bytes:
        """Return the whole answer: HTTP/1.0 has no chunks, so its length has to be stated."""
        parts, total = [chunk], len(chunk)
        while not call.is_done:
            parts.append(await self._step(call, call.more))
            total += len(parts[-1])
            if total > MAX_COLLECTED_BYTES:
                raise ClientGone("the answer is too large for HTTP/1.0")
        call.headers.append(("Content-Length", str(total)))
        return b"".join(parts)

    async def _hang_up(self) -> None:
        """Return when the client is gone: nothing else comes after a complete body."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _step(
        self, call: WsgiCall, step: Callable[[], Step], gone: asyncio.Task[None] | None = None
    ) -> Step:
        """Return what `step` returns, run in a thread; given up on, it closes the call at its end."""
        running = self.pool.submit(step)
        result = asyncio.wrap_future(running)
        try:
            if gone is not None:
                await asyncio.wait((result, gone), return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    raise ClientGone("client hung up in the answer")
            return await result
        except (ClientGone, asyncio.CancelledError):
            self._is_left = True
            result.cancel()
            running.add_done_callback(lambda _: call.close())
            raise

    async def _send_head(self, call: WsgiCall) -> None:
        headers = raw_headers(call.headers)
        if not self.is_body_complete():
            headers.append((b"connection", b"close"))  # what comes next is still this body
        await self._send({"type": "http.response.start", "status": call.status, "headers": headers})

    async def _send_body(self, chunk: bytes, *, more: bool) -> None:
        while len(chunk) > SLICE_BYTES:
            await self._send({"type": "http.response.body", "body": chunk[:SLICE_BYTES], "more_body": True})
            chunk = chunk[SLICE_BYTES:]
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self.write_timeout_s):
                await self.send(message)
        except TimeoutError:
            raise ClientGone(f"client read nothing for {self.write_timeout_s:g} s") from None
