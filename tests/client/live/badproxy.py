"""A TCP proxy that does to connections what networks, proxies and dying servers do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator

_ANSWERS = {
    "503": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
    "502": b"HTTP/1.1 502 Bad Gateway\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "login": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "nonsense": b"\0\1\2\3\r\n\r\n",
}
MODES = ("refuse", "slow", "hang", "half", *_ANSWERS)
"""What may be done to new connections; `pass` does nothing to them."""


class BadProxy:
    """Forwards what comes to `port` to `upstream`, or does as `mode` says."""

    def __init__(self) -> None:
        self.mode = "pass"
        self.upstream = 0
        self.port = 0
        self._random = random.Random(7)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[BadProxy]:
        """Run it in a thread until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, name="badproxy")
        thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, "127.0.0.1", 0), self._loop
        ).result(10)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
            self._loop.close()

    def cut(self) -> None:
        """Reset all connections that are open."""
        self._loop.call_soon_threadsafe(self._abort_all)

    async def _end(self) -> None:
        self._abort_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _abort_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the end of the test
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mode = self.mode
        if mode == "refuse":
            return
        if mode == "hang":
            await asyncio.sleep(1.0)
            return
        if mode in _ANSWERS:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_ANSWERS[mode])
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        self._open.add(back)
        try:
            pumps = [self._pump(reader, back, mode), self._pump(there, writer, mode)]
            await asyncio.wait(
                [asyncio.ensure_future(pump) for pump in pumps], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._open.discard(back)
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mode: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if mode == "slow":
                    await asyncio.sleep(self._random.uniform(0.02, 0.2))
                if mode == "half" and self._random.random() < 0.3:
                    writer.write(data[: len(data) // 2])  # and then the end, in the middle of something
                    await writer.drain()
                    return
                writer.write(data)
                await writer.drain()
