"""The bridge to a WSGI application, and the client's side of one request to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from configsvc.access.decide import Access
from configsvc.edge.asgi_types import Message
from configsvc.edge.bridge import BridgeLimits, WsgiBridge
from configsvc.edge.refusals import Refusals
from tests.edge.running import PATIENCE_S

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STREAMED = "/streamed"
SHORT_S = 0.05


class Client:
    """The client's side of one ASGI request.  It accepts what is sent only while `reads` is set."""

    def __init__(self, *body: Message) -> None:
        self.events: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.received = 0
        self.reads = asyncio.Event()
        self.reads.set()
        for message in body:
            self.events.put_nowait(message)

    async def receive(self) -> Message:
        message = await self.events.get()
        self.received += 1
        return message

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        self.sent.append(message)

    def hang_up(self) -> None:
        self.events.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", False)


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def scope(
    *headers: tuple[bytes, bytes], method: str = "POST", path: str = "/", version: str = "1.1"
) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": version,
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), *headers],
    }


CHUNKED = (b"transfer-encoding", b"chunked")


@asynccontextmanager
async def bridged(
    app: WSGIApplication, access: Access | None = None, /, **limits: Any
) -> AsyncIterator[WsgiBridge]:
    bridge = WsgiBridge(
        app,
        refusals=Refusals(lambda: 1),
        limits=BridgeLimits(**limits),
        is_streamed=lambda path: path == STREAMED,
        access=access,
    )
    try:
        yield bridge
    finally:
        bridge.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an asynchronous test, but not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test()

    asyncio.run(bounded())


async def happens(event: threading.Event) -> None:
    """Return when `event`, which a thread sets, is set."""
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


async def becomes(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    while not condition():  # noqa: ASYNC110 - what is watched has no event
        await asyncio.sleep(0.001)
