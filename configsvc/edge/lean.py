"""uvicorn's HTTP protocol in as little memory as may be: ten thousand of them do nothing but wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from configsvc.edge.connections import shared

_NOBODY: tuple[()] = ()


class LeanProtocol(HttpToolsProtocol):
    """One connection, without what it has no use for yet: that would be a kilobyte and a half."""

    # uvicorn's own attributes fit in the keys that all instances share (30 at most), others would not.
    __slots__ = ("peer", "url")
    parser: Any
    pipeline: Any
    flow: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url = b""
        self.peer = ""
        """Address that it comes from."""
        self.end_parsing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.server = shared(self.server)
        if self.client:
            self.peer = shared(self.client[0])
            self.client = (self.peer, self.client[1])

    def begin_parsing(self) -> None:
        """Begin with a parser that has seen nothing."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it

    def end_parsing(self) -> None:
        """Let go of the parser, and of the queue of requests, where nothing is under way."""
        self.parser, self.pipeline = None, _NOBODY

    def begin_pipeline(self) -> None:
        """Have a queue for requests that come before others are answered."""
        if self.pipeline is _NOBODY:
            self.pipeline = deque()


class Flow:
    """In place of uvicorn's `FlowControl`, whose event takes 800 bytes of each connection."""

    __slots__ = ("_transport", "_writable", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._writable: asyncio.Event | None = None  # there while someone waits for it
        self.read_paused = False
        self.write_paused = False

    async def drain(self) -> None:
        """Wait until the client reads what it was sent."""
        if self.write_paused:
            if self._writable is None:
                self._writable = asyncio.Event()
            await self._writable.wait()

    def pause_reading(self) -> None:
        """Read no more of what the client sends."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """Note that it reads, and let those go on who wait for that."""
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None
